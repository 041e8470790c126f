import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unbraid.datasets.public.vctk import VCTK, VCTK_080
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from speech_miniatures import beyond_size, make_vctk, make_vctk_080


def test_one_microphone_of_every_utterance(tmp_path):
    make_vctk(tmp_path)
    tracks = VCTK.index(tmp_path, "all")
    assert len(tracks) == 14
    assert [track.name for track in tracks[:2]] == ["p225_001", "p225_002"]
    assert all(track.stems[0].recordings[0].path.name.endswith("_mic1.flac") for track in tracks)
    assert tracks[0].details == {"speaker": "p225", "age": 23.0, "gender": "F", "accent": "English"}
    assert tracks[-1].details["speaker"] == "s5"


def test_splits_are_by_speaker(tmp_path):
    make_vctk(tmp_path)
    speakers = {split: {track.details["speaker"] for track in VCTK.index(tmp_path, split)} for split in VCTK.splits}
    assert speakers["validation"] == {"p226"}
    assert speakers["test"] == {"p232"}
    assert speakers["train"] == {"p225", "p280", "p315", "p362", "s5"}
    assert speakers["all"] == speakers["train"] | {"p226", "p232"}


def test_a_transcript_without_its_recording_is_told(tmp_path):
    make_vctk(tmp_path)
    assert beyond_size(VCTK.check(tmp_path)) == []
    base = tmp_path / "wav48_silence_trimmed"
    (base / "p225/p225_002_mic1.flac").unlink()
    (base / "p232/p232_001_mic1.flac").write_bytes(b"fLaC")
    soundfile.write(base / "s5/s5_001_mic1.flac", np.zeros((100, 2)), 48000)
    (base / "p999").mkdir()
    faults = {fault.path: fault.problem for fault in beyond_size(VCTK.check(tmp_path))}
    assert faults.pop("wav48_silence_trimmed/p225/p225_002") == "there is a transcript but no recording"
    assert "p232_001_mic1" in next(iter(faults))
    assert faults["wav48_silence_trimmed/s5/s5_001_mic1.flac"] == "it has 2 channels, not 1"
    assert faults["wav48_silence_trimmed/p999"] == "there are no recordings"
    assert faults["txt/p999"] == "there are no transcripts"
    with pytest.raises(DatasetError, match="p232_001_mic1"):
        VCTK.index(tmp_path, "test")


def test_the_old_release_has_one_microphone_and_a_raw_file(tmp_path):
    make_vctk_080(tmp_path)
    tracks = VCTK_080.index(tmp_path, "all")
    assert [track.name for track in tracks if track.details["speaker"] == "p376"] == ["p376_001"]
    assert tracks[0].details["age"] == 23.0
    assert {track.dataset for track in tracks} == {"vctk-0.80"}
    assert [track.details["speaker"] for track in VCTK_080.index(tmp_path, "validation")] == ["p287", "p287"]
    assert [fault.problem for fault in VCTK_080.check(tmp_path)] == ["4 speakers' folders, 109 were published"]
    with pytest.raises(DatasetError, match=r"not VCTK 0.92"):
        VCTK.index(tmp_path, "all")
    with pytest.raises(DatasetError, match="no recordings of test"):
        VCTK_080.index(tmp_path, "test")
