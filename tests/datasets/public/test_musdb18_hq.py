import sys
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
import soundfile

from unbraid.datasets.public.musdb18_hq import MUSDB18_HQ, VALIDATION
from unbraid.datasets.public.reading import read_mixture, read_stem
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from miniatures import MUSDB_SONGS, beyond_size, make_musdb18_hq, tone, write_sound


@pytest.fixture
def root(tmp_path):
    make_musdb18_hq(tmp_path / "musdb18hq")
    return tmp_path


def test_splits_are_those_that_everybody_uses(root):
    names = {split: [track.name for track in MUSDB18_HQ.index(root, split)] for split in MUSDB18_HQ.splits}
    assert names["validation"] == ["Leaf - Summerghost", "Meaxic - Take A Step"]
    assert names["train"] == ["A Classic Education - NightOwl", "Müller & Söhne - Café"]
    assert names["test"] == sorted(MUSDB_SONGS["test"])
    assert names["train+validation"] == sorted(MUSDB_SONGS["train"])
    assert len(set(VALIDATION)) == 14
    assert {track.split for track in MUSDB18_HQ.index(root, "train+validation")} == {"train", "validation"}


def test_ranges_of_the_mixture_are_the_sum_of_the_stems(root):
    track = MUSDB18_HQ.index(root, "train")[0]
    assert [stem.label for stem in track.stems] == ["drums", "bass", "other", "vocals"]
    assert np.array_equal(read_stem(track.stems[3], 500, 900), tone(3)[500:900].T)
    total, own = read_mixture(track, 500, 900), read_mixture(track, 500, 900, distributed=True)
    assert np.abs(total - own).max() < 1e-4
    assert (track.sample_rate, track.n_channels, track.n_samples) == (44100, 2, 44100)


def test_a_whole_dataset_has_no_fault_but_its_size(root):
    faults = MUSDB18_HQ.check(root)
    assert [fault.problem for fault in faults] == ["4 songs, 100 were published", "2 songs, 50 were published"]
    assert beyond_size(faults) == []


def test_what_is_wrong_is_told_with_its_cure(root):
    train = root / "musdb18hq" / "train"
    (train / "Leaf - Summerghost" / "bass.wav").unlink()
    write_sound(train / "Meaxic - Take A Step" / "drums.wav", tone(1, n_channels=1))
    write_sound(train / "Müller & Söhne - Café" / "other.wav", tone(1, rate=48000), rate=48000)
    write_sound(train / "A Classic Education - NightOwl" / "vocals.wav", tone(1, n_samples=40000))
    (train.parent / "test" / "AM Contra - Heart Peripheral" / "mixture.wav").write_bytes(b"RIFF....")
    faults = {Path(fault.path).as_posix(): fault for fault in beyond_size(MUSDB18_HQ.check(root))}
    assert faults["train/Leaf - Summerghost/bass.wav"].problem.endswith("is missing")
    assert "1 channels" in faults["train/Meaxic - Take A Step/drums.wav"].problem
    assert "48000 Hz" in faults["train/Müller & Söhne - Café/other.wav"].problem
    assert faults["train/A Classic Education - NightOwl/mixture.wav"].problem.startswith(
        "its files differ in length: A Classic Education - NightOwl/vocals.wav has 40000, "
    )
    assert "test/AM Contra - Heart Peripheral/mixture.wav" in faults
    assert all(fault.cure == "unpack musdb18hq.zip again" for fault in faults.values())
    with pytest.raises(DatasetError, match=r"bass\.wav: it is missing"):
        MUSDB18_HQ.index(root, "validation")
    with pytest.raises(DatasetError, match="unbraid datasets check musdb18-hq ROOT"):
        MUSDB18_HQ.index(root, "test")


def test_names_that_macos_took_apart_are_known(root):
    song = root / "musdb18hq" / "train" / "Leaf - Summerghost"
    song.rename(song.with_name(normalize("NFD", song.name)))
    assert "Leaf - Summerghost" in [track.name for track in MUSDB18_HQ.index(root, "validation")]


def test_a_folder_that_is_not_the_dataset_and_a_split_that_is_not_there_are_told(root, tmp_path):
    with pytest.raises(DatasetError, match="is not MUSDB18-HQ"):
        MUSDB18_HQ.check(tmp_path / "nothing")
    with pytest.raises(DatasetError, match="no split 'valid'"):
        MUSDB18_HQ.index(root, "valid")
    for song in (root / "musdb18hq" / "test").iterdir():
        song.rename(root / f"elsewhere {song.name}")
    with pytest.raises(DatasetError, match="no song of test"):
        MUSDB18_HQ.index(root, "test")


def test_a_file_with_another_name_is_no_stem(root):
    song = root / "musdb18hq" / "train" / "Leaf - Summerghost"
    soundfile.write(song / "linear_mixture.wav", tone(5), 44100)
    assert len(MUSDB18_HQ.index(root, "validation")[0].stems) == 4
