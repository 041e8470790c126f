import sys
from pathlib import Path

import pytest

from unbraid.datasets.public.librispeech import LIBRISPEECH
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from speech_miniatures import beyond_size, make_librispeech


def test_utterances_know_speaker_chapter_and_text(tmp_path):
    make_librispeech(tmp_path)
    tracks = LIBRISPEECH.index(tmp_path, "train-clean-100")
    assert [track.name for track in tracks] == ["1970-0-0000", "1970-0-0001", "80-121123-0000", "80-121123-0001"]
    details = {"speaker": "80", "chapter": "121123", "text": "GO DO YOU HEAR 1", "sex": "F"}
    assert tracks[-1].details == details
    assert "sex" not in tracks[0].details
    assert tracks[0].stems[0].group == "1970"
    assert LIBRISPEECH.index(tmp_path / "LibriSpeech", "train-clean-100") == tracks


def test_transcripts_and_recordings_are_held_against_each_other(tmp_path):
    make_librispeech(tmp_path)
    assert beyond_size(LIBRISPEECH.check(tmp_path)) == []
    assert [fault.path for fault in LIBRISPEECH.check(tmp_path)] == ["train-clean-100", "dev-clean"]
    chapter = tmp_path / "LibriSpeech/dev-clean/81/121123"
    (chapter / "81-121123-0001.flac").unlink()
    (tmp_path / "LibriSpeech/dev-clean/1971/0/1971-0.trans.txt").unlink()
    assert [(fault.path, fault.problem) for fault in beyond_size(LIBRISPEECH.check(tmp_path))] == [
        ("dev-clean/1971/0/1971-0.trans.txt", "the file is missing"),
        ("dev-clean/81/121123/81-121123-0001.flac", "the file is missing"),
    ]
    with pytest.raises(DatasetError, match="81-121123-0001"):
        LIBRISPEECH.index(tmp_path, "dev-clean")


def test_splits_that_are_not_there_are_told(tmp_path):
    make_librispeech(tmp_path)
    with pytest.raises(DatasetError, match=r"unpack test-other.tar.gz"):
        LIBRISPEECH.index(tmp_path, "test-other")
    with pytest.raises(DatasetError, match="no split 'test'"):
        LIBRISPEECH.index(tmp_path, "test")
