import math
from collections.abc import Callable

import numpy as np
import pytest

from unbraid.evaluation import paper
from unbraid.evaluation.protocols import Evaluation, Mode, Skipped
from unbraid.evaluation.records import Record, SourceScore
from unbraid.evaluation.report import (
    absent_table,
    bootstrap_mean,
    describe_run,
    item_table,
    paper_table,
    score_tables,
    single_table,
    skipped_table,
    write_report,
)

MakeRecord = Callable[..., Record]


def record(
    item: str, prompt: str, si_sdr: float | None, *, mode: Mode = Mode.ALL, model: str = "small", **changes: object
) -> Record:
    source = SourceScore(
        stems=(f"{prompt} stem",), estimate=prompt, si_sdr=si_sdr, si_sdr_mixture=0.0, snr=si_sdr, sdr=si_sdr,
        level_db=-6.0, presence=None,
    )  # fmt: skip
    values = {
        "key": f"{item}{mode}{model}", "block": 1, "protocol": "tuss", "mode": mode.value, "item_set": "open/music",
        "item": item, "fingerprint": "f", "prompt": prompt, "asked": (prompt,), "model": model, "weights": "abc",
        "settings": {"overlap": 0.25}, "seed": 0, "n_channels": 1, "sample_rate": 44100, "duration": 7.0,
        "seconds": 0.5, "si_sdr": si_sdr, "si_sdr_improvement": si_sdr, "snr": si_sdr, "sdr": si_sdr,
        "level_db": -6.0, "presence": None, "sources": (source,), "provenance": {"torch": "2"},
    }  # fmt: skip
    return Record(**{**values, **changes})


def cells(table: str, *first: str) -> list[str]:
    """Return the row of a table that begins with these cells."""
    for line in table.splitlines():
        row = [cell.strip() for cell in line.strip("|").split("|")]
        if row[: len(first)] == list(first):
            return row
    raise AssertionError(f"no row {first} in\n{table}")


def test_the_bootstrap_interval_is_that_of_theory() -> None:
    values = np.random.default_rng(1).normal(5.0, 2.0, 400).tolist()
    mean = bootstrap_mean(values)
    assert mean.interval is not None
    half = 1.96 * np.std(values) / math.sqrt(len(values))
    assert mean.value == pytest.approx(np.mean(values))
    assert mean.interval[0] == pytest.approx(mean.value - half, abs=0.02)
    assert mean.interval[1] == pytest.approx(mean.value + half, abs=0.02)
    assert mean == bootstrap_mean(values)
    assert mean.interval != bootstrap_mean(values, seed=1).interval


def test_one_item_has_no_interval_and_none_is_refused() -> None:
    assert str(bootstrap_mean([3.0])) == "3.00"
    with pytest.raises(ValueError, match="nothing to average"):
        bootstrap_mean([])


def test_scores_are_means_over_items_by_prompt_and_model() -> None:
    rows = [record("a", "bass", 2.0), record("b", "bass", 4.0), record("a", "bass", 9.0, model="large")]
    table = score_tables([*rows, record("a", "drums", None)])
    assert "### open/music, all-prompts" in table
    assert cells(table, "bass", "small")[2:4] == ["2", "3.00 [2.00, 4.00]"]
    assert cells(table, "bass", "large")[2:] == ["1", "9.00", "9.00", "9.00"]
    assert cells(table, "drums", "small")[3:] == ["–", "–", "–"]


def test_floors_and_ceilings_stand_beside_models_and_say_everything_once() -> None:
    rows = [
        *(record("a", "bass", 2.0, mode=mode) for mode in (Mode.ALL, Mode.SINGLE)),
        *(record("a", "bass", -6.0, mode=mode, model="mixture") for mode in (Mode.ALL, Mode.SINGLE)),
        *(record("a", "drums", None, mode=Mode.ABSENT, model=model) for model in ("small", "mixture")),
    ]
    assert score_tables(rows).count("| bass | small |") == 2
    assert score_tables(rows).count("| bass | mixture | 1 | -6.00 |") == 1
    assert "mixture" not in single_table(rows)
    assert "| prompt | small |\n" in item_table(rows)
    assert "| bass | mixture" in score_tables([one for one in rows if one.model == "mixture"])
    assert "| drums | small |" in absent_table(rows)
    assert "| drums | mixture |" not in absent_table(rows)
    assert "| **all** | mixture |" in absent_table(rows)
    told = describe_run(rows)
    assert "- floors and ceilings: `mixture`\n" in told
    assert told.count("SHA-256") == 1


def test_modes_are_compared_on_the_items_that_have_both() -> None:
    rows = [
        record("a", "speech", 8.0),
        record("a", "speech", 6.0, mode=Mode.SINGLE),
        record("b", "speech", 4.0),
        record("b", "speech", 3.0, mode=Mode.SINGLE),
        record("c", "speech", 50.0),
    ]
    row = cells(single_table(rows), "speech", "small")
    assert row[2:5] == ["2", "6.00", "4.50"]
    assert row[5].startswith("-1.50 [")
    assert row[6:] == ["-1.9", "-0.4"]  # Table III: (16.2 + 8.7 + 13.0 - 19.8 - 8.7 - 15.1) / 3, and so on
    assert single_table(rows[-1:]) == ""


def test_absent_prompts_are_told_from_present_ones() -> None:
    present = [record(item, "bass", 5.0, presence=score, level_db=-5.0) for item, score in (("a", 0.9), ("b", 0.4))]
    absent = [
        record(item, "bass", None, mode=Mode.ABSENT, presence=score, level_db=level)
        for item, score, level in (("c", 0.6, -40.0), ("d", 0.1, -60.0))
    ]
    table = absent_table([*present, *absent])
    row = cells(table, "bass", "small")
    assert row[2] == "2"
    assert row[3].startswith("-50.00 [")
    assert row[4].startswith("0.35")
    assert row[5].startswith("0.65")
    assert row[6:] == ["0.750", "1.000"]
    assert cells(table, "**all**", "small")[6:] == ["0.750", "1.000"]
    assert absent_table(present) == ""


def test_a_model_without_presence_has_no_area_of_it() -> None:
    rows = [record("a", "bass", 5.0), record("a", "bass", None, mode=Mode.ABSENT)]
    assert cells(absent_table(rows), "bass", "small")[4:7] == ["–", "–", "–"]


def test_musdb_stands_beside_the_cells_of_table_three() -> None:
    rows = [record("a", "vocals", 1.0, item_set="musdb", snr=6.5), record("b", "sfx", 3.0)]
    table = paper_table(rows)
    assert cells(table, "prompt") == ["prompt", "small", *paper.ROWS]
    assert cells(table, "vocals") == ["vocals", "6.50", "7.2", "8.4", "8.6", "-6.5", "7.3", "6.5"]
    assert cells(table, "sfx") == ["sfx", "3.00", "8.1", "9.6", "12.2", "12.2", "9.0", "9.0"]


def test_every_item_is_listed_with_models_side_by_side() -> None:
    rows = [record("a", "bass", 2.0), record("a", "bass", 9.0, model="large"), record("b", "bass", 4.0)]
    table = item_table(rows)
    assert cells(table, "open/music: a") == [
        "open/music: a",
        "all-prompts",
        "bass",
        "2.0 (+2.0) / 2.0",
        "9.0 (+9.0) / 9.0",
    ]
    assert cells(table, "open/music: b")[3:] == ["4.0 (+4.0) / 4.0", "–"]


def test_the_page_has_all_that_made_it_and_no_empty_sections() -> None:
    skipped = (Skipped("large", "all-prompts", "b", "it does not know bass"),)
    page = write_report(Evaluation((record("a", "bass", 2.0),), skipped))
    for words in ("`small`", "`abc`", '"overlap": 0.25', '"torch": "2"', "seed 0", "1 items, 7 s"):
        assert words in page
    assert "bass stem" in page
    assert "large, all-prompts: it does not know bass (b)" in page
    assert "Prompts that are not there" not in page
    assert "All prompts against one prompt" not in page
    with pytest.raises(ValueError, match="nothing to report"):
        write_report(Evaluation((), skipped))


def test_table_three_is_complete() -> None:
    assert {len(row) for row in paper.ROWS.values()} == {len(paper.COLUMNS)} == {12}
    assert set(paper.MEANING) == set(paper.ROWS)
    assert paper.value_for("L5s", "MUSDB-HQ", "other") == -5.0
    assert paper.value_for("L6", "FUSS", "sfx") == 9.0
    assert paper.value_for("M4", "FUSS", "speech") is None
    assert paper.mean_for("M4", "sfx") == 8.1
    assert paper.mean_for("M5", "guitar") is None


def test_what_was_left_out_names_every_item_once_and_only_the_first_ones() -> None:
    skipped = [Skipped("small", "label", f"song {index // 2}", "it knows no such label") for index in range(30)]
    told = skipped_table(skipped)
    assert told.startswith("- small, label: it knows no such label (song 0, song 1, ")
    assert told.endswith("song 9 and 5 more)")
