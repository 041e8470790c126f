"""Examples for models that take labels only: taught first, then asked for."""

from dataclasses import asdict

import pytest
import torch

from unbraid import Audio, Examples, Label, Span, Target, separate
from unbraid.errors import GuideError, SettingsError
from unbraid.evaluation import pupils
from unbraid.evaluation.entrants import Entrants
from unbraid.evaluation.guided import GuidedPlan, evaluate_guided
from unbraid.evaluation.protocols import Contestant
from unbraid.evaluation.pupils import Pupil
from unbraid.evaluation.questions import Condition, Kind, find_kinds
from unbraid.evaluation.records import RecordFile
from unbraid.teaching import TeachSettings, add_query, teach
from unbraid.zoo import debug_model

FAST = TeachSettings(steps=2, seconds=0.25, n_songs=1, n_checks=2, learning_rate=0.3)
RATE = 16000


def tone(hertz):
    return Audio(0.3 * torch.sin(torch.arange(round(0.6 * RATE)) * (6.2832 * hertz / RATE))[None], RATE)


def song():
    return 0.2 * torch.randn(2, 9000, generator=torch.Generator().manual_seed(5))


def test_a_pupil_answers_as_the_model_with_a_taught_label_and_stays_as_it_was():
    model, pupil = debug_model(), Pupil(debug_model(), FAST)
    targets = [Target(name, Examples(tone(hertz))) for name, hertz in (("low", 200.0), ("high", 900.0))]
    answer = separate(song(), targets, model=pupil, sample_rate=RATE)
    for name, hertz in (("low", 200.0), ("high", 900.0)):
        add_query(model, teach(model, name, tone(hertz), settings=FAST))
        alone = separate(song(), Label(name), model=model, sample_rate=RATE)
        assert torch.equal(answer.stems[name].samples, alone.stems[name].samples)
        assert answer.presence[name] == alone.presence[name]
    assert not pupil.model.taught
    again = separate(song(), targets[::-1], model=pupil, sample_rate=RATE)
    assert torch.equal(again.stems["low"].samples, answer.stems["low"].samples)


def test_what_cannot_be_learned_is_refused_before_anything_is_taught(monkeypatch):
    monkeypatch.setattr(pupils, "teach", lambda *_, **__: pytest.fail("something was taught"))
    silent = Target("nothing", Examples(Audio(torch.zeros(1, RATE), RATE)))
    with pytest.raises(GuideError, match="target 'nothing': example is silent"):
        Pupil(debug_model(), FAST).condition([Target("low", Examples(tone(200.0))), silent])
    with pytest.raises(GuideError, match="only examples are taught, not Span"):
        Pupil(debug_model(), FAST)._condition(Target("chorus", Span(1, 2)))


def test_labels_of_the_model_are_asked_for_alone():
    together = separate(song(), [Label("drums"), Label("bass")], model=Pupil(debug_model(), FAST), sample_rate=RATE)
    alone = separate(song(), Label("bass"), model=debug_model(), sample_rate=RATE)
    assert torch.equal(together.stems["bass"].samples, alone.stems["bass"].samples)


def test_only_models_that_do_not_listen_become_pupils():
    names = ("few-shot-small", "tuss-small", "mixture")
    entered = Entrants(names, lessons=FAST).enter()
    assert [one.name for one in entered] == ["few-shot-small", "tuss-small-taught", "mixture"]
    plain = Entrants(("tuss-small",)).enter()[0]
    assert (plain.name, plain.weights) == ("tuss-small", entered[1].weights)


def test_records_tell_how_it_was_taught_and_silence_is_left_out(tmp_path, songs_of_tones):
    plan = GuidedPlan(conditions=(Condition(Kind.PAIR, 1), Condition(Kind.SILENCE, 1)), example_duration=0.5)
    contestant = Contestant.enter("pupil", Pupil(debug_model(), FAST))
    result = evaluate_guided(songs_of_tones[:1], [contestant], records=RecordFile(tmp_path / "r.jsonl"), plan=plan)
    assert {one.mode for one in result.records} == {"two of a kind x1"}
    assert all(one.settings["teaching"] == asdict(FAST) for one in result.records)
    (skipped,) = result.skipped
    assert (skipped.mode, skipped.reason.partition(":")[2].strip().partition(":")[0]) == (
        "silence x1",
        "example is silent",
    )


def test_conditions_are_found_by_their_names():
    assert find_kinds(["noise"]) == (Kind.NOISE,)
    assert find_kinds([]) == tuple(Kind)
    with pytest.raises(SettingsError, match="no condition is called 'pairs': choose of label, same track"):
        find_kinds(["pairs"])
