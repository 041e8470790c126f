from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from unbraid.errors import DatasetError, SettingsError
from unbraid.evaluation.comparison import Side, compare, comparison_document, read_side, score_of, write_comparison
from unbraid.evaluation.records import Record, RecordFile, SourceScore

Make = Callable[..., Record]


@pytest.fixture
def make() -> Make:
    def record(
        item: str, prompt: str, si_sdr: float | None, *, model: str = "a", truth: float = 0.5, **other: object
    ) -> Record:
        source = SourceScore((prompt,), prompt, si_sdr, truth, None, None, -3.0, None)
        made = Record(
            key=f"{model}{item}{prompt}{si_sdr}", block=1, protocol="folder", mode="all-prompts", item_set="set",
            item=item, fingerprint=model, prompt=prompt, asked=(prompt,), model=model, weights="w", settings={}, seed=0,
            n_channels=1, sample_rate=8000, duration=1.0, seconds=0.1, si_sdr=si_sdr, si_sdr_improvement=None, snr=None,
            sdr=None, level_db=-3.0, presence=None, sources=(source,), provenance={},
        )  # fmt: skip
        return replace(made, **other)

    return record


def test_differences_are_paired_by_track_and_target(make: Make) -> None:
    first = Side("a", tuple(make(f"{n}", one, float(n)) for n in range(6) for one in ("vocals", "drums")))
    second = tuple(
        make(f"{n}", one, n + (2.0 if one == "vocals" else -1.0), model="b")
        for n in range(6)
        for one in ("vocals", "drums")
    )
    found = compare(first, Side("b", second))
    vocals, drums, pooled = found.contrasts
    assert (vocals.target, vocals.difference.value, vocals.better) == ("vocals", 2.0, 6)
    assert vocals.wilcoxon == vocals.permutation == pytest.approx(2 / 64)
    assert (drums.difference.value, drums.better) == (-1.0, 0)
    assert (pooled.target, pooled.difference.value, pooled.difference.count) == ("all", 0.5, 6)
    assert (found.only_first, found.only_second, found.changed) == (0, 0, 0)


def test_what_has_no_partner_or_another_truth_is_left_out_and_told(make: Make) -> None:
    first = Side(
        "a", (make("1", "vocals", 1.0), make("2", "vocals", 2.0), make("3", "vocals", 3.0), make("4", "vocals", None))
    )
    second = Side("b", (make("1", "vocals", 2.0), make("2", "vocals", 9.0, truth=0.7), make("5", "vocals", 3.0)))
    found = compare(first, second)
    assert [move.item for move in found.moves] == ["1"]
    assert (found.only_first, found.only_second, found.changed) == (1, 1, 1)
    page = write_comparison(found)
    assert "Left out: 1 only in a, 1 only in b, 1 of other recordings or truth." in page
    with pytest.raises(DatasetError, match="no snr of the same recordings"):
        compare(first, second, score="snr")


def test_repeated_questions_are_averaged_first(make: Make) -> None:
    first = Side("a", (make("1", "vocals", 1.0), make("1", "vocals", 3.0, fingerprint="other examples")))
    found = compare(first, Side("b", (make("1", "vocals", 5.0),)))
    assert [(move.first, move.second) for move in found.moves] == [(2.0, 5.0)]


def test_the_tracks_that_moved_most_come_first(make: Make) -> None:
    moves = {"up": 4.0, "more up": 6.0, "down": -3.0, "same": 0.0}
    first = Side("a", tuple(make(item, "vocals", 0.0) for item in moves))
    second = Side("b", tuple(make(item, "vocals", move) for item, move in moves.items()))
    document = comparison_document(compare(first, second), count=1)
    assert [one["item"] for one in document["rose_most"]] == ["more up"]
    assert [one["item"] for one in document["fell_most"]] == ["down"]
    page = write_comparison(compare(first, second))
    assert page.index("more up") < page.index("| set: up")
    assert "| set: down | all-prompts | vocals | 0.00 | -3.00 | -3.00 |" in page


def test_any_score_can_be_compared(make: Make) -> None:
    assert score_of(make("1", "vocals", 1.0, more={"sdr_chunks": 4.0}), "sdr_chunks") == 4.0
    assert score_of(make("1", "vocals", 1.0), "sdr_chunks") is None
    assert score_of(make("1", "vocals", 1.0), "item") is None


def test_a_file_with_several_models_needs_a_name(make: Make, tmp_path: Path) -> None:
    records = RecordFile(tmp_path / "results.jsonl")
    records.append([make("1", "vocals", 1.0)])
    assert read_side(tmp_path).title == "a"
    records.append([make("1", "vocals", 2.0, model="b")])
    with pytest.raises(SettingsError, match="records of a, b: say whose"):
        read_side(tmp_path)
    assert [one.si_sdr for one in read_side(tmp_path / "results.jsonl", model="b").records] == [2.0]
    with pytest.raises(SettingsError, match="no records of c"):
        read_side(tmp_path, model="c")
    with pytest.raises(DatasetError, match="there are no results"):
        read_side(tmp_path / "nowhere")


def test_results_without_pairs_say_how_they_were_asked_and_what_scores_they_have(make: Make) -> None:
    first = Side("a", (make("0", "vocals", 1.0, mode="label"),))
    second = Side("b", (make("0", "vocals", 2.0, model="b", mode="same track x5", more={"sdr_chunks": 3.0}),))
    with pytest.raises(DatasetError, match=r"\(asked by label; by same track x5\): .*si_sir, sdr_chunks\)"):
        compare(first, second)
    same = Side("b", (make("1", "vocals", 2.0, model="b", mode="label"),))
    with pytest.raises(DatasetError, match="in common: evaluate both"):
        compare(first, same)
