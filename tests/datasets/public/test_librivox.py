import sys
from pathlib import Path

import pytest

from unbraid.datasets.public.librivox import LIBRIVOX
from unbraid.datasets.public.reading import read_stem
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from speech_miniatures import litter, make_librivox, noise, write


def test_recordings_of_all_depths_rates_and_formats(tmp_path):
    make_librivox(tmp_path)
    tracks = {track.name: track for track in LIBRIVOX.index(tmp_path, "all")}
    assert {name: (track.details["speaker"], track.sample_rate) for name, track in tracks.items()} == {
        "book_00000_chp_0009_reader_06709_0_seg_1_seg1": ("reader_06709", 48000),
        "84/121123/84-121123-0000.flac": ("84", 16000),
        "84/121123/84-121123-0000.mp3": ("84", 16000),
        "Zoë Müller/глава 1/фраза": ("Zoë Müller", 22050),
        "Zoë Müller/二": ("Zoë Müller", 8000),
    }
    for track in tracks.values():
        assert read_stem(track.stems[0], 0, track.n_samples).shape == (track.n_channels, track.sample_rate // 2)
    assert LIBRIVOX.check(tmp_path) == []


def test_damaged_and_narrow_recordings_are_told(tmp_path):
    make_librivox(tmp_path)
    (tmp_path / "84/bad.wav").write_bytes(b"not sound")
    write(tmp_path / "84/narrow.wav", noise(0.1, 4000, 0), 4000)
    assert [fault.path for fault in LIBRIVOX.check(tmp_path)] == ["84/bad.wav", "84/narrow.wav"]
    with pytest.raises(DatasetError, match=r"bad.wav"):
        LIBRIVOX.index(tmp_path, "all")


def test_a_folder_without_recordings_is_told(tmp_path):
    litter(tmp_path)
    with pytest.raises(DatasetError, match="no recordings"):
        LIBRIVOX.index(tmp_path, "all")
    with pytest.raises(DatasetError, match="no split 'train'"):
        LIBRIVOX.index(tmp_path, "train")
