from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from unbraid.evaluation.items import EvaluationItem, ItemSource
from unbraid.evaluation.protocols import (
    Contestant,
    Evaluation,
    Mode,
    Plan,
    absent_prompts,
    evaluate_tuss,
    hash_weights,
)
from unbraid.evaluation.records import Record, RecordFile
from unbraid.separation import Settings

MakeItem = Callable[..., ItemSource]
ALL_MODES = (Mode.ALL, Mode.SINGLE, Mode.ABSENT)


@pytest.fixture
def model(separator_class: type) -> Any:
    return separator_class()


@pytest.fixture
def evaluate(tmp_path: Path, model: Any) -> Callable[..., Evaluation]:
    def run(*items: ItemSource, modes: tuple[Mode, ...] = (Mode.ALL,), models: Any = None, **plan: Any) -> Evaluation:
        contestants = [Contestant.enter(name, one) for name, one in (models or {"bands": model}).items()]
        records = RecordFile(tmp_path / "results.jsonl")
        return evaluate_tuss(items, contestants, records=records, plan=Plan(modes=modes, **plan))

    return run


def by_prompt(records: tuple[Record, ...], mode: Mode = Mode.ALL) -> dict[str, Record]:
    return {record.prompt: record for record in records if record.mode == mode.value}


def test_every_prompt_of_an_item_is_scored(evaluate: Any, make_item: MakeItem) -> None:
    found = by_prompt(evaluate(make_item("speech-2", "sfx", "drums")).records)
    assert set(found) == {"speech", "sfx", "drums"}
    for record in found.values():
        assert record.si_sdr is not None
        assert record.si_sdr > 20
        assert record.si_sdr_improvement == pytest.approx(record.si_sdr - record.sources[0].si_sdr_mixture)
        assert record.sources[0].si_sdr_mixture == pytest.approx(-3.01, abs=0.1)  # one tone of three
        assert record.snr > 20
        assert record.sdr > 20
        assert record.level_db == pytest.approx(-4.77, abs=0.1)
        assert record.presence == 1.0
        assert (record.duration, record.n_channels, record.sample_rate) == (2.0, 1, 8000)
        assert record.asked == ("speech", "sfx", "drums")
        assert record.seconds > 0


def test_sources_of_one_prompt_are_matched_before_they_are_scored(evaluate: Any, make_item: MakeItem) -> None:
    record = by_prompt(evaluate(make_item("speech-1", "sfx", "speech-2")).records)["speech"]
    assert [source.estimate for source in record.sources] == ["speech-2", "speech-1"]
    assert [source.stems for source in record.sources] == [("speech-1",), ("speech-2",)]
    assert record.si_sdr == pytest.approx(sum(source.si_sdr for source in record.sources) / 2)
    assert record.si_sdr > 20


def test_single_prompt_mode_makes_one_pass_per_category(evaluate: Any, make_item: MakeItem) -> None:
    found = by_prompt(evaluate(make_item("speech-1", "sfx", "speech-2"), modes=(Mode.SINGLE,)).records, Mode.SINGLE)
    assert found["speech"].asked == ("speech", "speech")
    assert found["sfx"].asked == ("sfx",)
    assert min(record.si_sdr for record in found.values()) > 20


def test_absent_prompts_are_asked_for_beside_those_that_are_there(evaluate: Any, make_item: MakeItem) -> None:
    found = by_prompt(evaluate(make_item("speech-1", "drums"), modes=(Mode.ABSENT,)).records, Mode.ABSENT)
    assert {name: record.asked for name, record in found.items()} == {
        "sfx": ("speech", "drums", "sfx"),
        "vocals": ("speech", "drums", "vocals"),
    }
    for record in found.values():
        assert record.level_db < -20
        assert record.presence == 0.0
        assert record.si_sdr is record.snr is None


def test_what_is_part_or_whole_of_a_sound_that_is_there_is_not_absent() -> None:
    prompts = ("speech", "sfx", "sfx-mix", "drums", "bass", "vocals", "other", "music-mix")
    assert absent_prompts(["sfx-mix", "music-mix"], prompts) == ("speech",)
    assert absent_prompts(["sfx", "drums"], prompts) == ("speech", "bass", "vocals", "other")
    assert absent_prompts(["speech"], prompts) == prompts[1:]


def test_outputs_without_names_are_matched_freely(evaluate: Any, make_item: MakeItem, separator_class: type) -> None:
    anonymous = separator_class(("source-1", "source-2", "source-3", "source-4"), anonymous=True)
    result = evaluate(make_item("drums", "speech-1"), models={"conventional": anonymous}, modes=ALL_MODES)
    found = by_prompt(result.records)
    assert found["drums"].sources[0].estimate == "source-4"
    assert found["speech"].sources[0].estimate == "source-2"
    assert min(record.si_sdr for record in found.values()) > 20
    assert found["drums"].asked == anonymous.vocabulary
    assert found["drums"].presence is None
    assert [(one.mode, one.reason) for one in result.skipped] == [
        (mode.value, "its outputs have no names, so it cannot be asked for one") for mode in ALL_MODES[1:]
    ]


def test_items_beyond_a_model_are_named_with_the_reason(
    evaluate: Any, make_item: MakeItem, separator_class: type
) -> None:
    models = {
        "few": separator_class(("source-1",), anonymous=True),
        "speech only": separator_class(("speech",)),
    }
    result = evaluate(make_item("speech-1", "drums"), models=models)
    assert result.records == ()
    assert [(one.model, one.item, one.reason) for one in result.skipped] == [
        ("few", "item", "the item has 2 sources, and the model 1 outputs"),
        ("speech only", "item", "it does not know drums"),
    ]


def test_channels_are_scored_alone_and_averaged(evaluate: Any, make_item: MakeItem) -> None:
    source = make_item("speech-2", "sfx", n_channels=2)
    item = source.read()
    quiet = item.mixture.clone()
    quiet[1] *= 0.5
    halved = EvaluationItem("item", "tones", item.sample_rate, quiet, item.references)
    record = by_prompt(evaluate(ItemSource("item", lambda: halved)).records)["speech"]
    assert record.n_channels == 2
    assert record.si_sdr > 20  # no matter how loud a channel is
    assert 2 * record.snr - 6.02 > 20  # the second channel came out at half its level, 6 dB; the first is whole
    assert record.sdr == pytest.approx(6.02 + 3.01, abs=0.1)


def test_a_silent_reference_has_no_score_and_no_nan(evaluate: Any, make_item: MakeItem) -> None:
    item = make_item("speech-1", "sfx").read()
    silent = replace(item.references[1], samples=torch.zeros_like(item.references[1].samples))
    changed = replace(item, references=(item.references[0], silent))
    record = by_prompt(evaluate(ItemSource("item", lambda: changed)).records)["sfx"]
    assert record.si_sdr is record.si_sdr_improvement is record.snr is record.sdr is None


def test_a_second_run_repeats_nothing(evaluate: Any, make_item: MakeItem, model: Any) -> None:
    items = [make_item("speech-1", "drums", name="a"), make_item("sfx", "vocals", name="b")]
    first = evaluate(items[0], modes=ALL_MODES)
    done = model.n_calls
    both = evaluate(*items, modes=ALL_MODES)
    assert both.records[: len(first.records)] == first.records
    assert {record.item for record in both.records} == {"a", "b"}
    more = model.n_calls
    assert more == 2 * done
    assert evaluate(*items, modes=ALL_MODES).records == both.records
    assert model.n_calls == more


@pytest.mark.parametrize("changed", ["weights", "settings", "seed", "samples"])
def test_whatever_could_change_a_score_makes_a_new_pass(
    evaluate: Any, make_item: MakeItem, model: Any, changed: str
) -> None:
    source = make_item("speech-1", "drums")
    (before,) = {record.key for record in evaluate(source).records}
    plan: dict[str, Any] = {}
    if changed == "weights":
        model.gain.data.mul_(0.5)
    elif changed == "settings":
        plan["settings"] = Settings(overlap=0.5)
    elif changed == "seed":
        plan["seed"] = 1
    else:
        item = source.read()
        louder = replace(item, mixture=2 * item.mixture)
        source = ItemSource("item", lambda: louder)
    (after,) = {record.key for record in evaluate(source, **plan).records}
    assert after != before


def test_a_record_carries_what_made_it(evaluate: Any, make_item: MakeItem, model: Any) -> None:
    record = evaluate(make_item("speech-1", "drums"), settings=Settings(overlap=0.5), seed=7).records[0]
    assert record.weights == hash_weights(model)
    assert record.settings["overlap"] == 0.5
    assert record.seed == 7
    assert record.provenance["torch"] == torch.__version__
    assert record.fingerprint == make_item("speech-1", "drums").read().fingerprint


def test_the_mixture_is_not_touched(evaluate: Any, make_item: MakeItem) -> None:
    item = make_item("speech-1", "drums").read()
    before = item.mixture.clone()
    evaluate(ItemSource("item", lambda: item), modes=ALL_MODES)
    assert torch.equal(item.mixture, before)


def test_progress_counts_items(tmp_path: Path, make_item: MakeItem, model: Any) -> None:
    heard: list[float] = []
    evaluate_tuss(
        [make_item("sfx", "drums", name=name) for name in "ab"],
        [Contestant.enter("bands", model)],
        records=RecordFile(tmp_path / "results.jsonl"),
        progress=heard.append,
    )
    assert heard == [0.5, 1.0]


def test_the_hash_of_weights_knows_names_shapes_and_values(separator_class: type) -> None:
    first, second = separator_class(), separator_class()
    assert hash_weights(first) == hash_weights(second)
    second.gain.data = torch.nextafter(second.gain.data, torch.tensor(2.0))
    assert hash_weights(first) != hash_weights(second)
    second.gain.data = torch.ones(1)
    assert hash_weights(first) != hash_weights(second)
