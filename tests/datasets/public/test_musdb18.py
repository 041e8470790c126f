import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from unbraid.datasets.public.musdb18 import MUSDB18
from unbraid.datasets.public.reading import read_mixture, read_stem
from unbraid.errors import DatasetError

pytest.importorskip("av", reason="PyAV is not installed: pip install 'unbraid[video]'")

sys.path.insert(0, str(Path(__file__).parent))
from miniatures import beyond_size, make_musdb18, tone, write_stem_mp4


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("musdb18")
    make_musdb18(folder)
    return folder


@pytest.fixture
def root(tmp_path, encoded):
    shutil.copytree(encoded, tmp_path, dirs_exist_ok=True)
    return tmp_path


def snr(estimate: np.ndarray, reference: np.ndarray) -> float:
    return float(10 * np.log10(np.square(reference).sum() / np.square(estimate - reference).sum()))


def test_streams_are_the_stems_in_their_order(root):
    track = MUSDB18.index(root, "train")[0]
    assert track.name == "A Classic Education - NightOwl"
    assert [(stem.name, stem.recordings[0].stream) for stem in track.stems] == [
        ("drums", 1),
        ("bass", 2),
        ("other", 3),
        ("vocals", 4),
    ]
    for number, stem in enumerate(track.stems):
        assert snr(read_stem(stem, 5000, 40000), tone(number)[5000:40000].T) > 15


def test_the_mixture_is_stream_0_and_nearly_the_sum(root):
    track = MUSDB18.index(root, "test")[1]
    own = read_mixture(track, 10_000, 30_000, distributed=True)
    assert own.shape == (2, 20_000)
    assert snr(read_mixture(track, 10_000, 30_000), own) > 15
    assert not np.array_equal(read_mixture(track, 10_000, 30_000), own)


def test_splits_are_those_of_musdb18_hq(root):
    assert [track.name for track in MUSDB18.index(root, "validation")] == ["Leaf - Summerghost", "Meaxic - Take A Step"]
    assert len(MUSDB18.index(root, "train+validation")) == 4


def test_damage_is_told(root):
    assert beyond_size(MUSDB18.check(root)) == []
    song = root / "test" / "AM Contra - Heart Peripheral.stem.mp4"
    write_stem_mp4(song, [tone(1), tone(2)])
    (root / "train" / "Leaf - Summerghost.stem.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(100))
    faults = {fault.path: fault.problem for fault in beyond_size(MUSDB18.check(root))}
    assert faults["test/AM Contra - Heart Peripheral.stem.mp4"] == "2 sound tracks, not 5"
    assert "train/Leaf - Summerghost.stem.mp4" in faults
    with pytest.raises(DatasetError, match="2 sound tracks, not 5"):
        MUSDB18.index(root, "test")
