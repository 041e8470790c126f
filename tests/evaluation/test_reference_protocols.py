"""Floors and ceilings through the protocols, in the places of models."""

from collections.abc import Callable
from pathlib import Path

from unbraid.evaluation.guided import GuidedPlan, evaluate_guided
from unbraid.evaluation.items import ItemSource
from unbraid.evaluation.protocols import Contestant, Mode, Plan, evaluate_tuss
from unbraid.evaluation.records import Record, RecordFile
from unbraid.evaluation.reference_methods import FLOORS_AND_CEILINGS, ReferenceModel, find_reference
from unbraid.evaluation.tracks import TrackSource
from unbraid.separation import Settings


def contestants(*names: str) -> list[Contestant]:
    return [Contestant.enter(name, ReferenceModel(find_reference(name))) for name in names]


def by_model(records: tuple[Record, ...], mode: Mode) -> dict[str, dict[str, Record]]:
    found: dict[str, dict[str, Record]] = {}
    for one in records:
        if one.mode == mode.value:
            found.setdefault(one.model, {})[one.prompt] = one
    return found


def test_floors_and_ceilings_in_the_prompts_protocol(tmp_path: Path, make_item: Callable[..., ItemSource]):
    source = make_item("speech-1", "speech-2", "drums", "vocals")
    item = source.read()
    plan = Plan(modes=(Mode.ALL, Mode.SINGLE, Mode.ABSENT))
    records = RecordFile(tmp_path / "results.jsonl")
    result = evaluate_tuss([source], contestants(*FLOORS_AND_CEILINGS), records=records, plan=plan)
    assert not result.skipped
    together, alone, absent = (by_model(result.records, mode) for mode in plan.modes)
    for prompt in dict.fromkeys(item.prompts):
        floor = together["mixture"][prompt]
        assert floor.si_sdr_improvement == 0
        assert together["silence"][prompt].snr == 0
        assert together["oracle-irm"][prompt].si_sdr > floor.si_sdr + 15
        assert together["oracle-cirm"][prompt].si_sdr > together["oracle-irm"][prompt].si_sdr
        assert alone["oracle-irm"][prompt].si_sdr == together["oracle-irm"][prompt].si_sdr
    assert {one.level_db for one in absent["oracle-irm"].values()} == {-120.0}
    assert {one.level_db for one in absent["mixture"].values()} == {0.0}
    again = evaluate_tuss([source], contestants(*FLOORS_AND_CEILINGS), records=records, plan=plan)
    assert again.records == result.records


def test_floors_and_ceilings_in_the_labels_protocol(tmp_path: Path, songs_of_tones: list[TrackSource]):
    plan = GuidedPlan.of_labels(settings=Settings())
    result = evaluate_guided(
        songs_of_tones, contestants("mixture", "oracle-irm"), records=RecordFile(tmp_path / "results.jsonl"), plan=plan
    )
    assert not result.skipped
    present = [one for one in result.records if one.mode == "label"]
    assert {one.model for one in present} == {"mixture", "oracle-irm"}
    for one in present:
        assert one.si_sdr_improvement == 0 if one.model == "mixture" else one.si_sdr_improvement > 10
