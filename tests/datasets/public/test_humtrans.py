import sys
from pathlib import Path

import numpy as np
import pytest

from unbraid.datasets.public.humtrans import HUMTRANS, KEYS
from unbraid.datasets.public.reading import read_stem
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from miniatures import beyond_size, make_humtrans, tone


@pytest.fixture
def root(tmp_path):
    make_humtrans(tmp_path)
    return tmp_path


def test_recordings_come_with_their_melodies(root):
    tracks = HUMTRANS.index(root, "train")
    assert [track.name for track in tracks] == ["F01_0005_0001_1", "F04_0055_0001_2_DD"]
    (stem,) = tracks[1].stems
    assert (stem.label, stem.score) == ("humming", root / "all_midi" / "F04_0055_0001_2_DD.mid")
    assert np.array_equal(read_stem(stem, 5, 25), tone(7001, n_channels=1)[5:25].T)
    assert [track.split for track in HUMTRANS.index(root, "all")] == ["train", "train", "validation", "test"]


def test_all_need_no_list_and_may_lie_anywhere(root):
    (root / KEYS).unlink()
    (root / "deeper").mkdir()
    (root / "all_wav").rename(root / "deeper" / "wav_data")
    assert len(HUMTRANS.index(root, "all")) == 4
    with pytest.raises(DatasetError, match="it is missing"):
        HUMTRANS.index(root, "test")


def test_a_split_without_recordings_is_told(root):
    (root / KEYS).write_text('{"TRAIN": ["F01_0005_0001_1"], "VALID": [], "TEST": []}')
    assert [track.name for track in HUMTRANS.index(root, "train")] == ["F01_0005_0001_1"]
    with pytest.raises(DatasetError, match="it names no recording of validation"):
        HUMTRANS.index(root, "validation")


def test_faults_are_told(root):
    assert beyond_size(HUMTRANS.check(root)) == []
    (root / "all_midi" / "M02_0100_0002_1.mid").unlink()
    (root / "all_wav" / "M03_0200_0001_1_U.wav").unlink()
    (root / "all_wav" / "F01_0005_0001_1.wav").write_bytes(b"RIFF")
    told = {fault.path: fault.problem for fault in beyond_size(HUMTRANS.check(root))}
    assert told["all_wav/M02_0100_0002_1.wav"] == "it has no MIDI file"
    assert told["M03_0200_0001_1_U.wav"] == "it is missing"
    assert "all_wav/F01_0005_0001_1.wav" in told
    with pytest.raises(DatasetError, match="are missing"):
        HUMTRANS.index(root, "test")
    with pytest.raises(DatasetError, match="is not HumTrans"):
        HUMTRANS.check(root / "all_midi")
