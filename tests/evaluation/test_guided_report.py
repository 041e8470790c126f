from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from unbraid.evaluation import paper_guided
from unbraid.evaluation.guided import GuidedPlan, evaluate_guided
from unbraid.evaluation.guided_report import (
    beside_table,
    by_track,
    condition_tables,
    contrast_table,
    count_of,
    kind_of,
    nothing_table,
    pair_table,
    pair_verdicts,
    write_guided_report,
    wrong_table,
)
from unbraid.evaluation.protocols import Contestant, Evaluation, Skipped
from unbraid.evaluation.questions import Condition, Kind, all_conditions
from unbraid.evaluation.records import Record, RecordFile, SourceScore
from unbraid.evaluation.tracks import TrackSource

MakeRecord = Callable[..., Record]
FIVE = Condition(Kind.SAME_TRACK, 5)


def score(si_sdr: float | None) -> SourceScore:
    return SourceScore(("stem",), "vocals", si_sdr, 0.0, si_sdr, si_sdr, -6.0, None)


def record(item: str, label: str, si_sdr: float | None, condition: Condition = FIVE, **changes: object) -> Record:
    values = {
        "key": f"{item}{condition.title}", "block": 1, "protocol": "examples", "mode": condition.title,
        "item_set": "open/music", "item": item, "fingerprint": "f", "prompt": label, "asked": (label,),
        "model": "few", "weights": "abc", "settings": {"n_parts": 2}, "seed": 0, "n_channels": 1,
        "sample_rate": 44100, "duration": 7.0, "seconds": 0.5, "si_sdr": si_sdr, "si_sdr_improvement": si_sdr,
        "snr": si_sdr, "sdr": si_sdr, "level_db": -6.0, "presence": None, "sources": (score(si_sdr),),
        "provenance": {"torch": "2"},
    }  # fmt: skip
    return Record(**{**values, **changes})


def cells(table: str, *first: str) -> list[str]:
    """Return the row of a table that begins with these cells."""
    for line in table.splitlines():
        row = [cell.strip() for cell in line.strip("|").split("|")]
        if row[: len(first)] == list(first):
            return row
    raise AssertionError(f"no row {first} in\n{table}")


def test_classes_of_one_track_are_averaged_before_tracks_are() -> None:
    rows = [record("a", "vocals", 0.0), record("a", "drums", 4.0), record("b", "vocals", 8.0)]
    assert by_track(rows, lambda one: one.sdr) == [2.0, 8.0]
    table = condition_tables(rows)
    assert cells(table, "same track x5", "**all**", "few")[3:6] == ["2", "5.00 [2.00, 8.00]", "5.00 [2.00, 8.00]"]
    assert cells(table, "same track x5", "vocals", "few")[3:5] == ["2", "4.00 [0.00, 8.00]"]
    assert cells(table, "same track x5", "drums", "few")[3:] == ["1", "4.00", "4.00", "4.00", "–"]


def test_floors_and_ceilings_stand_beside_models_and_say_everything_once() -> None:
    wrong, pair, absent = Condition(Kind.WRONG, 1), Condition(Kind.PAIR, 1), Condition(Kind.ABSENT, 1)
    conditions = (Condition(Kind.LABEL), FIVE, wrong, pair, absent)
    rows = [
        record("a", label, -6.0 if model == "mixture" else 2.0, condition, model=model)
        for condition in conditions
        for label in ("bass", "drums")
        for model in ("few", "mixture")
    ]
    table = condition_tables(rows)
    assert table.count("| few |") == 6
    assert table.count("| mixture |") == 3
    assert "rows that would say the same are left out" in table
    assert cells(table, "label", "bass", "mixture")[4] == "-6.00"
    for told in (wrong_table(rows), pair_table(rows), nothing_table(rows)):
        assert told.count("| few |") == 3
        assert told.count("| mixture |") == 1
    assert "mixture" not in contrast_table(rows)
    assert beside_table(rows).count("| mixture, ") == 1


def test_contrasts_are_made_on_the_same_tracks_and_classes() -> None:
    other = Condition(Kind.OTHER_TRACK, 5)
    rows = [
        record("a", "vocals", 5.0), record("a", "vocals", 2.0, other),
        record("b", "vocals", 5.0), record("b", "vocals", 4.0, other),
        record("b", "piano", 5.0), record("b", "piano", 9.0, other),
        record("c", "vocals", 99.0), record("a", "vocals", 77.0, Condition(Kind.SAME_TRACK, 1)),
    ]  # fmt: skip
    table = contrast_table(rows)
    assert cells(table, "same track x5", "other tracks x5", "vocals")[4:] == ["2", "2.00 [1.00, 3.00]", "+0.38"]
    assert cells(table, "same track x5", "other tracks x5", "**all**")[4:6] == ["2", "0.75 [-1.50, 3.00]"]
    assert cells(table, "same track x5", "other tracks x5", "**all**")[6] == "+0.65"  # mean of 0.38, 0.50, 1.06
    assert cells(table, "same track x5", "other tracks x5", "piano")[6] == "–"
    assert contrast_table(rows[-1:]) == ""


def test_examples_are_compared_with_the_label_that_has_none() -> None:
    rows = [record("a", "bass", 3.0), record("a", "bass", 2.5, Condition(Kind.LABEL))]
    assert cells(contrast_table(rows), "same track x5", "label", "bass")[5:] == ["0.50", "+0.20"]


def test_a_wrong_example_is_scored_against_both() -> None:
    rows = [record("a", "bass", -9.0, Condition(Kind.WRONG, 5), others=(score(3.0), score(5.0)))]
    assert cells(wrong_table(rows), "another instrument x5", "bass")[3:] == ["1", "-9.00", "4.00"]
    assert wrong_table([record("a", "bass", 1.0)]) == ""


def test_pairs_are_judged_two_by_two() -> None:
    right = [score(value) for value in (5.0, 1.0, -2.0, 0.0, 3.0, 3.0)]
    other = [score(value) for value in (0.0, 4.0, 2.0, 0.0, 3.0, 3.0)]
    assert pair_verdicts(right, other) == [1.0, 0.0, 0.5]
    assert pair_verdicts([score(None), score(1.0)], other[:2]) == []
    row = record("a", "guitar", 2.0, Condition(Kind.PAIR, 5), sources=tuple(right), others=tuple(other))
    assert cells(pair_table([row]), "two of a kind x5", "guitar")[3:] == ["1", "2.00", "2.00", "0.00", "3", "0.50"]
    told = record("a", "guitar", 3.0, Condition(Kind.PAIR_NEGATIVES, 5), sources=right[:2], others=other[:2])
    table = pair_table([row, told])
    assert cells(table, "two of a kind x5", "guitar")[-1] == "0.50"
    assert cells(table, "two of a kind, with negatives x5", "guitar")[-2:] == ["1", "1.00"]
    assert pair_table([record("a", "bass", 1.0)]) == ""


def test_negatives_are_compared_with_the_same_pairs_without() -> None:
    rows = [record("a", "guitar", 3.0, Condition(kind, 5)) for kind in (Kind.PAIR, Kind.PAIR_NEGATIVES)]
    title = "two of a kind, with negatives x5"
    assert cells(contrast_table(rows), title, "two of a kind x5", "guitar")[5:] == ["0.00", "–"]


def test_what_is_absent_is_told_from_what_is_present_by_the_same_way_of_asking() -> None:
    absent = Condition(Kind.ABSENT, 5)
    rows = [
        record("a", "bass", 5.0, presence=0.9, level_db=-5.0),
        record("b", "bass", 5.0, presence=0.4, level_db=-5.0),
        record("b", "bass", 5.0, Condition(Kind.LABEL), presence=0.0, level_db=-90.0),
        record("c", "bass", None, absent, presence=0.6, level_db=-40.0),
        record("d", "bass", None, absent, presence=0.1, level_db=-60.0),
        record("d", "noise", None, Condition(Kind.NOISE, 1), presence=0.95, level_db=-30.0),
        record("d", "bass", None, Condition(Kind.ABSENT_LABEL), presence=0.1, level_db=-60.0),
    ]
    table = nothing_table(rows)
    row = cells(table, "absent instrument x5", "bass", "few")
    assert row[3] == "2"
    assert row[4].startswith("-50.00 [")
    assert (row[5][:4], row[6][:4]) == ("0.35", "0.65")
    assert row[7:] == ["0.750", "1.000"]
    assert cells(table, "noise x1", "**all**", "few")[7:] == ["0.000", "1.000"]
    assert cells(table, "absent label", "bass", "few")[7:] == ["0.000", "0.000"]
    assert nothing_table(rows[:2]) == ""


def test_papers_stand_beside_what_was_measured() -> None:
    rows = [record("a", "vocals", 1.5), record("a", "other", 2.5), record("a", "piano", 9.0)]
    table = beside_table(rows)
    assert cells(table, "few, same track x5")[1:] == ["1.50", "–", "–", "2.50"]
    assert cells(table, "few-shot paper: 5-shot")[1:] == ["4.72", "4.66", "3.26", "–"]
    assert cells(table, "LaSAFT paper: lasaft query-key")[1:] == ["7.20", "6.11", "5.48", "4.65"]
    assert "few-shot paper" not in beside_table([record("a", "vocals", 1.0, Condition(Kind.LABEL))])
    assert beside_table(rows[2:]) == ""


def test_conditions_are_read_back_from_records() -> None:
    for condition in all_conditions():
        row = record("a", "bass", 1.0, condition)
        assert (kind_of(row), count_of(row)) == (condition.kind, condition.n_examples)
    assert kind_of(record("a", "bass", 1.0, protocol="tuss")) is None


def test_the_page_of_a_whole_examination(
    tmp_path: Path, songs_of_tones: list[TrackSource], listener_class: type
) -> None:
    conditions = tuple(Condition(kind, 0 if "label" in kind else 2) for kind in Kind)
    plan = GuidedPlan(conditions=conditions, example_duration=0.5)
    contestants = [
        Contestant.enter("good", listener_class()), Contestant.enter("deaf", listener_class(deaf=True))
    ]  # fmt: skip
    result = evaluate_guided(songs_of_tones, contestants, records=RecordFile(tmp_path / "r.jsonl"), plan=plan)
    page = write_guided_report(replace(result, skipped=(Skipped("good", "label", "x", "it knows none"),)))
    for heading in (
        "Scores by condition", "What an example changes", "The wrong instrument", "Two of a kind", "What is not there",
        "Beside the papers", "Left out",
    ):  # fmt: skip
        assert f"## {heading}\n" in page
    assert cells(page, "same track x2", "another instrument x2", "**all**", "deaf")[5] == "0.00 [0.00, 0.00]"
    good = float(cells(page, "same track x2", "another instrument x2", "**all**", "good")[5].split()[0])
    assert good > 60
    assert cells(page, "two of a kind x2", "**all**", "good")[-1] == "1.00"
    assert cells(page, "two of a kind x2", "**all**", "deaf")[-1] == "0.50"
    assert cells(page, "absent instrument x2", "**all**", "good")[-2:] == ["1.000", "1.000"]
    assert cells(page, "absent instrument x2", "**all**", "deaf")[-2] == "0.500"


def test_nothing_cannot_be_reported() -> None:
    with pytest.raises(ValueError, match="nothing to report"):
        write_guided_report(Evaluation((), ()))


def test_the_papers_rows_add_up() -> None:
    for row in (*paper_guided.ABLATION.values(), paper_guided.AUDIO):
        stems = [row[name] for name in ("vocals", "drums", "bass", "other")]
        assert row["average"] == pytest.approx(sum(stems) / 4, abs=0.011)
    assert {tuple(row) for row in paper_guided.FEW_SHOT.values()} == {("vocals", "drums", "bass")}
