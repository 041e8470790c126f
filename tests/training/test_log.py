import json
import time

import pytest
import torch

from unbraid.errors import RecipeError
from unbraid.training.log import LOG, Meter, write_entry


def test_entry_has_means_rates_and_begins_anew():
    meter = Meter()
    meter.add({"loss": torch.tensor(1.0), "norm": 4.0})
    meter.add({"loss": torch.tensor(2.0)})
    meter.add_batch(audio_seconds=8.0, waited=0.0)
    entry = meter.entry()
    assert entry["loss"] == 1.5
    assert entry["norm"] == 4.0
    assert entry["audio_rate"] > 0
    assert meter.entry()["audio_rate"] == 0.0


def test_rates_are_per_second_and_leave_out_what_is_no_training():
    meter = Meter()
    time.sleep(0.05)
    meter.skip_time(0.03)
    meter.add_batch(audio_seconds=1.0, waited=0.01)
    entry = meter.entry()
    duration = 1.0 / entry["audio_rate"]
    assert 0.02 <= duration < 10
    assert entry["data_wait"] == pytest.approx(0.01 / duration)


def test_the_log_is_strict_json(tmp_path):
    write_entry(tmp_path, {"step": 3, "loss": float("nan"), "rate": 0.123456789})
    write_entry(tmp_path, {"step": 4, "loss": float("inf"), "other": None})
    lines = [json.loads(line, parse_constant=pytest.fail) for line in (tmp_path / LOG).read_text().splitlines()]
    assert lines == [{"step": 3, "loss": None, "rate": 0.123457}, {"step": 4, "loss": None, "other": None}]


def test_a_log_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(RecipeError, match="cannot be written"):
        write_entry(tmp_path / "missing", {"step": 1})
