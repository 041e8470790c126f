import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from unbraid.errors import DatasetError, SettingsError
from unbraid.evaluation.records import Record, RecordFile, SourceScore, finite, mean_of, pass_key, provenance

SOURCE = SourceScore(
    stems=("voix é", "b"),
    estimate="speech-1",
    si_sdr=1.5,
    si_sdr_mixture=0.5,
    snr=None,
    sdr=None,
    level_db=-3.0,
    presence=None,
)
RECORD = Record(
    key="k",
    block=2,
    protocol="tuss",
    mode="all-prompts",
    item_set="open/speech",
    item="a",
    fingerprint="f",
    prompt="speech",
    asked=("speech", "speech"),
    model="m",
    weights="w",
    settings={"overlap": 0.25},
    seed=0,
    n_channels=1,
    sample_rate=16000,
    duration=6.0,
    seconds=0.5,
    si_sdr=1.5,
    si_sdr_improvement=1.0,
    snr=None,
    sdr=None,
    level_db=-3.0,
    presence=None,
    sources=(SOURCE, SOURCE),
    provenance=provenance(),
)
PASS = (RECORD, replace(RECORD, prompt="sfx-mix"))
OTHER = tuple(replace(record, key="other") for record in PASS)


def test_a_record_survives_its_line() -> None:
    line = RECORD.to_json()
    assert "\n" not in line
    assert Record.from_json(line) == RECORD


@pytest.mark.parametrize("line", ["", "{", "[]", "{}", '{"key": 1}', '{"sources": [1]}'])
def test_other_lines_are_no_records(line: str) -> None:
    with pytest.raises(ValueError, match="not a record"):
        Record.from_json(line)


def test_nan_never_reaches_the_file() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(RECORD, si_sdr=math.nan).to_json()
    assert finite(math.nan) is None
    assert finite(-1.0) == -1.0


def test_finished_passes_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "results.jsonl"
    file = RecordFile(path)
    assert file.records == ()
    file.append(PASS)
    file.append(OTHER)
    again = RecordFile(path)
    assert again.records == (*PASS, *OTHER)
    assert again.find("k") == PASS
    assert again.find("unknown") == ()
    assert len(path.read_text(encoding="utf-8").splitlines()) == 4


INSIDE_A_LETTER = OTHER[0].to_json().encode().index("é".encode()) + 1


@pytest.mark.parametrize("cut", [1, 30, INSIDE_A_LETTER, -1])
def test_a_line_that_was_cut_off_is_dropped_with_its_pass(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "results.jsonl"
    RecordFile(path).append(PASS)
    whole = path.read_bytes()
    partial = (OTHER[0].to_json() + "\n" + OTHER[1].to_json()).encode()
    path.write_bytes(whole + partial[: len(partial) if cut == -1 else cut])
    assert RecordFile(path).records == PASS
    assert path.read_bytes() == whole


def test_a_pass_that_lacks_a_record_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    RecordFile(path).append(PASS)
    whole = path.read_bytes()
    path.write_bytes(whole + OTHER[0].to_json().encode() + b"\n")
    file = RecordFile(path)
    assert file.records == PASS
    assert path.read_bytes() == whole
    file.append(OTHER)
    assert RecordFile(path).records == (*PASS, *OTHER)


def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"a": 1}\n')
    with pytest.raises(DatasetError, match="line 1: not a record"):
        RecordFile(path)
    assert path.read_text() == '{"a": 1}\n'


def test_only_complete_and_new_passes_are_appended(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "results.jsonl")
    with pytest.raises(ValueError, match="complete pass"):
        file.append(PASS[:1])
    with pytest.raises(ValueError, match="complete pass"):
        file.append((PASS[0], OTHER[0]))
    file.append(PASS)
    with pytest.raises(ValueError, match="already"):
        file.append(PASS)
    file.append(())
    assert RecordFile(file.path).records == PASS


def test_the_key_changes_with_every_part() -> None:
    parts = {"item": "a", "settings": {"overlap": 0.25}, "seed": 0}
    key = pass_key(**parts)
    assert pass_key(**dict(reversed(parts.items()))) == key
    for other in ({"item": "b"}, {"settings": {"overlap": 0.5}}, {"seed": 1}, {"more": None}):
        assert pass_key(**{**parts, **other}) != key


def test_averages_leave_out_what_is_undefined() -> None:
    assert mean_of([None, 2.0, 4.0]) == 3.0
    assert mean_of([None]) is mean_of([]) is None


def test_provenance_says_what_a_number_depends_on() -> None:
    found = provenance()
    assert {"date", "unbraid", "commit", "torch", "python", "processor", "cores", "threads"} <= set(found)
    assert found["processor"]
    assert json.loads(json.dumps(found)) == found


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot make this folder"):
        RecordFile(tmp_path / "file" / "results.jsonl")
