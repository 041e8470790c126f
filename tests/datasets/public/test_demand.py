import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unbraid.datasets.public.demand import DEMAND, PLACES, TEST_PLACES
from unbraid.errors import DatasetError

sys.path.insert(0, str(Path(__file__).parent))
from speech_miniatures import make_demand


def test_every_microphone_is_a_track(tmp_path):
    make_demand(tmp_path)
    tracks = DEMAND.index(tmp_path, "train")
    assert [track.name for track in tracks[:16]] == [f"DKITCHEN/ch{channel:02}" for channel in range(1, 17)]
    assert {track.details["place"] for track in tracks} == {"DKITCHEN", "TCAR"}
    assert [track.details["channel"] for track in tracks[16:]] == list(range(1, 17))
    assert {track.details["place"] for track in DEMAND.index(tmp_path, "test")} == {"DLIVING"}
    assert len(DEMAND.index(tmp_path, "all")) == 48


def test_thirteen_of_eighteen_places_train():
    assert len(PLACES) == 18
    assert len(set(PLACES) - set(TEST_PLACES)) == 13


def test_files_of_16_channels_wrong_rates_and_missing_channels_are_told(tmp_path):
    make_demand(tmp_path, places=PLACES)
    assert DEMAND.check(tmp_path) == []
    soundfile.write(tmp_path / "TBUS/ch01.wav", np.zeros((100, 16)), 48000)
    soundfile.write(tmp_path / "TBUS/ch02.wav", np.zeros(100), 16000)
    (tmp_path / "TBUS/ch16.wav").unlink()
    soundfile.write(tmp_path / "TBUS/all.wav", np.zeros((100, 16)), 48000)
    assert [(fault.path, fault.problem, fault.cure) for fault in DEMAND.check(tmp_path)] == [
        ("TBUS/ch01.wav", "it has 16 channels, not 1", "unpack TBUS_48k.zip"),
        ("TBUS/ch02.wav", "its rate is 16000 Hz, not 48000", "unpack TBUS_48k.zip"),
        ("TBUS/ch16.wav", "the file is missing", "unpack TBUS_48k.zip"),
    ]
    assert len([track for track in DEMAND.index(tmp_path, "test") if track.details["place"] == "TBUS"]) == 15


def test_a_folder_without_the_places_is_told(tmp_path):
    with pytest.raises(DatasetError, match="not DEMAND"):
        DEMAND.index(tmp_path, "all")
    make_demand(tmp_path, places=("DKITCHEN",))
    with pytest.raises(DatasetError, match="no recordings of test"):
        DEMAND.index(tmp_path, "test")
    assert len(DEMAND.check(tmp_path)) == 17
