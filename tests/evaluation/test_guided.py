from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from unbraid.evaluation.guided import GuidedPlan, evaluate_guided
from unbraid.evaluation.protocols import Contestant, Evaluation
from unbraid.evaluation.questions import Condition, Kind, all_conditions
from unbraid.evaluation.records import Record, RecordFile
from unbraid.evaluation.tracks import TrackSource
from unbraid.separation import Settings

PLAN = GuidedPlan(conditions=all_conditions((1, 3)), example_duration=0.5)
Evaluate = Callable[..., Evaluation]


@pytest.fixture
def evaluate(tmp_path: Path, songs_of_tones: list[TrackSource]) -> Evaluate:
    def run(tracks: Any = None, plan: GuidedPlan = PLAN, **models: Any) -> Evaluation:
        contestants = [Contestant.enter(name, model) for name, model in models.items()]
        file = RecordFile(tmp_path / "results.jsonl")
        return evaluate_guided(songs_of_tones if tracks is None else tracks, contestants, records=file, plan=plan)

    return run


@pytest.fixture(scope="module")
def answered(
    tmp_path_factory: pytest.TempPathFactory, songs_of_tones: list[TrackSource], listener_class: type
) -> tuple[Record, ...]:
    """All that a model which follows examples has to say."""
    file = RecordFile(tmp_path_factory.mktemp("listener") / "results.jsonl")
    contestants = [Contestant.enter("listener", listener_class())]
    return evaluate_guided(songs_of_tones, contestants, records=file, plan=PLAN).records


def of(records: tuple[Record, ...], condition: Condition) -> list[Record]:
    return [record for record in records if record.mode == condition.title]


def test_a_model_that_follows_examples_is_right_everywhere(answered: tuple[Record, ...]) -> None:
    records = answered
    followed = (
        Condition(Kind.LABEL),
        *(Condition(kind, count) for kind in (Kind.SAME_TRACK,) for count in (1, 3)),
        Condition(Kind.NEGATIVES, 3),
        Condition(Kind.MULTI_SOURCE, 3),
        Condition(Kind.PAIR, 3),
    )
    for condition in followed:
        found = of(records, condition)
        assert found, condition
        for record in found:
            assert record.si_sdr > 30, record
            assert record.si_sdr_improvement > 30
            assert record.sdr > 20
            assert record.presence == 1.0
    labels = {(one.item, one.prompt) for one in of(records, Condition(Kind.SAME_TRACK, 1))}
    assert labels == {
        ("one", "vocals"), ("one", "drums"), ("one", "electric guitar"), ("two", "vocals"), ("two", "drums"),
        ("three", "electric guitar"), ("three", "drums"), ("three", "piano"),
    }  # fmt: skip


def test_a_wrong_example_brings_out_the_wrong_instrument(answered: tuple[Record, ...]) -> None:
    for record in of(answered, Condition(Kind.WRONG, 3)):
        assert record.si_sdr < -30
        assert min(score.si_sdr for score in record.others) > 30
        assert len(record.others) == len(record.sources) == 2  # one for each half


def test_two_of_a_kind_are_told_apart(answered: tuple[Record, ...]) -> None:
    found = of(answered, Condition(Kind.PAIR, 3))
    assert {(one.item, one.prompt) for one in found} == {("one", "electric guitar"), ("two", "vocals")}
    for record in found:
        assert len(record.sources) == len(record.others) == 4  # two of them in two halves
        for right, other in zip(record.sources, record.others, strict=True):
            assert right.si_sdr > 30
            assert other.si_sdr < -30
            assert right.stems != other.stems


def test_what_is_not_there_comes_out_silent(answered: tuple[Record, ...]) -> None:
    records = answered
    absent = of(records, Condition(Kind.ABSENT, 3))
    assert {(one.item, one.prompt) for one in absent} == {
        ("one", "piano"), ("two", "electric guitar"), ("two", "piano"), ("three", "vocals"),
    }  # fmt: skip
    for record in (*absent, *of(records, Condition(Kind.ABSENT_LABEL)), *of(records, Condition(Kind.NOISE, 1))):
        assert record.level_db < -60
        assert record.presence == 0.0
        assert record.si_sdr is record.sdr is None
    assert {one.prompt for one in of(records, Condition(Kind.ABSENT_LABEL))} == {"vocals"}  # of those that it knows


def test_a_deaf_model_gains_and_loses_nothing(evaluate: Evaluate, listener_class: type) -> None:
    kinds = (Kind.SAME_TRACK, Kind.WRONG, Kind.OTHER_TRACK, Kind.PAIR, Kind.ABSENT)
    conditions = (Condition(Kind.SAME_TRACK, 1), *(Condition(kind, 3) for kind in kinds))
    records = evaluate(plan=replace(PLAN, conditions=conditions), deaf=listener_class(deaf=True)).records
    right = {(one.item, one.prompt): one.si_sdr for one in of(records, Condition(Kind.SAME_TRACK, 3))}
    for condition in (Condition(Kind.WRONG, 3), Condition(Kind.SAME_TRACK, 1), Condition(Kind.OTHER_TRACK, 3)):
        for record in of(records, condition):
            assert record.si_sdr == right[record.item, record.prompt]
    for record in of(records, Condition(Kind.PAIR, 3)):
        for half in (0, 2):
            own = record.sources[half].si_sdr + record.sources[half + 1].si_sdr
            assert own == record.others[half].si_sdr + record.others[half + 1].si_sdr
    for record in of(records, Condition(Kind.ABSENT, 3)):
        assert record.level_db == pytest.approx(-6.02, abs=0.01)


def test_every_model_gets_the_same_questions(evaluate: Evaluate, listener_class: type) -> None:
    first, second = listener_class(), listener_class(deaf=True)
    plan = replace(PLAN, conditions=(Condition(Kind.LABEL), Condition(Kind.NEGATIVES, 3), Condition(Kind.ABSENT, 1)))
    evaluate(plan=plan, first=first, second=second)
    assert len(first.heard) == len(second.heard) > 8
    for mine, theirs in zip(first.heard, second.heard, strict=True):
        for one, two in zip(mine, theirs, strict=True):
            assert one.name == two.name
            if one.guides != two.guides:
                pairs = zip(one.guides[0].recordings[0], two.guides[0].recordings[0], strict=True)
                assert all(torch.equal(left.samples, right.samples) for left, right in pairs)


def test_what_a_model_cannot_follow_is_left_out_with_the_reason(
    evaluate: Evaluate, listener_class: type, separator_class: type
) -> None:
    plan = replace(PLAN, conditions=(Condition(Kind.SAME_TRACK, 1), Condition(Kind.NEGATIVES, 3)))
    result = evaluate(plan=plan, labels=separator_class(), plain=listener_class(loses_negatives=True))
    assert {(one.model, one.mode, one.reason) for one in result.skipped} == {
        ("labels", "same track x1", "it takes no Examples"),
        ("labels", "same track, with negatives x3", "it takes no Examples"),
        ("plain", "same track, with negatives x3", "this model takes no negative examples: leave them out"),
    }
    assert {one.mode for one in result.records} == {"same track x1"}


def test_labels_are_examined_on_whole_tracks(evaluate: Evaluate, separator_class: type) -> None:
    plan = GuidedPlan.of_labels(settings=Settings(), seed=3)
    result = evaluate(plan=plan, bands=separator_class())
    assert {one.protocol for one in result.records} == {"labels"}
    present = of(result.records, Condition(Kind.LABEL))
    assert {one.prompt for one in present} == {"vocals", "drums"}
    assert all(len(one.sources) == 1 for one in present)
    assert {(one.item, one.prompt) for one in of(result.records, Condition(Kind.ABSENT_LABEL))} == {("three", "vocals")}


def test_taught_labels_are_asked_for_like_others(evaluate: Evaluate, listener_class: type) -> None:
    plan = replace(PLAN, conditions=(Condition(Kind.LABEL),))
    model = listener_class()
    assert {one.prompt for one in evaluate(plan=plan, listener=model).records} == {"vocals", "drums"}
    model.taught = {"piano": torch.zeros(2)}
    assert {one.prompt for one in evaluate(plan=plan, taught=model).records} == {"vocals", "drums", "piano"}


def test_a_second_run_repeats_nothing(evaluate: Evaluate, listener_class: type) -> None:
    model = listener_class()
    plan = replace(PLAN, conditions=(Condition(Kind.SAME_TRACK, 1), Condition(Kind.ABSENT, 1)))
    first = evaluate(plan=plan, listener=model)
    done = len(model.heard)
    assert evaluate(plan=plan, listener=model).records == first.records
    assert len(model.heard) == done
    again = evaluate(plan=replace(plan, seed=1), listener=model)
    assert {one.key for one in again.records}.isdisjoint({one.key for one in first.records})


def test_a_record_says_how_it_was_made(answered: tuple[Record, ...]) -> None:
    record = answered[0]
    assert record.settings["n_parts"] == 2
    assert record.settings["example_duration"] == 0.5
    assert (record.protocol, record.item_set, record.duration) == ("examples", "tones", 4.0)
    assert Record.from_json(record.to_json()) == record


def test_progress_counts_tracks(tmp_path: Path, songs_of_tones: list[TrackSource], listener_class: type) -> None:
    heard: list[float] = []
    evaluate_guided(
        songs_of_tones,
        [Contestant.enter("listener", listener_class())],
        records=RecordFile(tmp_path / "results.jsonl"),
        plan=replace(PLAN, conditions=(Condition(Kind.NOISE, 1),)),
        progress=heard.append,
    )
    assert heard == pytest.approx([1 / 3, 2 / 3, 1.0])
