import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

from unbraid.errors import DatasetError
from unbraid.evaluation.pointed import PointedPlan
from unbraid.evaluation.pointed_recordings import evaluate_imitated, find_imitated, read_imitated
from unbraid.evaluation.pointed_records import PointedFile
from unbraid.evaluation.pointed_report import write_door_report
from unbraid.evaluation.pointed_songs import ABOVE, BELOW, WHOLE, band_of, evaluate_songs
from unbraid.evaluation.protocols import Contestant
from unbraid.evaluation.reference_methods import ReferenceModel, find_reference
from unbraid.evaluation.tracks import StemTrack, TrackSource, TrackStem
from unbraid.models.guidesep import PRESETS, Guidesep
from unbraid.models.guidesep_network import TwinShape
from unbraid.models.guidesep_pointers import GuidesepCondition
from unbraid.models.separator import Condition, Estimates

RATE = 16000
SHAPE = TwinShape(n_features=8, multipliers=(1, 1), attention=(False, False), n_blocks=1, n_groups=2, patch=8)


class Half(Guidesep):
    """Answers through the door with half of the mixture, and keeps what pointed at the targets."""

    def __init__(self) -> None:
        super().__init__(replace(PRESETS["guidesep"], network=SHAPE))
        self.heard: list[GuidesepCondition] = []

    def forward(self, mixture: Tensor, condition: Condition) -> Estimates:
        assert isinstance(condition, GuidesepCondition)
        self.heard.append(condition)
        n_targets = len(condition.names)
        stems = (0.5 * mixture)[:, None].expand(-1, n_targets, -1, -1)
        return Estimates(stems, torch.full((len(mixture), n_targets), 0.7))


def tone(hertz: float, seconds: float = 1.0, rate: int = RATE) -> Tensor:
    return 0.3 * torch.sin(2 * math.pi * hertz * torch.arange(round(seconds * rate)) / rate)


@pytest.fixture
def hums(tmp_path: Path) -> Path:
    for name, imitation in (("one", "hum.flac"), ("two", "mimic.flac")):
        folder = tmp_path / "hums" / name
        folder.mkdir(parents=True)
        target, rest = tone(440.0), 0.5 * tone(2000.0)
        files = {"target.flac": target, "rest.flac": rest, "mixture.flac": target + rest, imitation: tone(441.0)}
        for file, samples in files.items():
            soundfile.write(folder / file, samples.numpy(), RATE)
        (folder / "metadata.json").write_text(json.dumps({"instrument": "flute"}), encoding="utf-8")
    return tmp_path / "hums"


def test_imitations_go_through_the_door_and_alone(hums: Path, tmp_path: Path) -> None:
    model = Half()
    entered = [Contestant.enter("half", model)]
    file = PointedFile(tmp_path / "results.jsonl")
    records, skipped = evaluate_imitated(find_imitated(hums), entered, records=file, plan=PointedPlan())
    assert skipped == ()
    assert [(one.item_set, one.item) for one in records[::6]] == [("humming", "one"), ("played imitation", "two")]
    door = [one for one in records if "network" not in one.mode]
    assert {one.mode for one in door} == {"mimicry", "mimicry, positive mask", "positive mask"}
    assert all(one.si_sdr_improvement == pytest.approx(0, abs=0.01) for one in door)
    assert all(one.level_db == pytest.approx(-6.02, abs=0.01) for one in door)
    assert all(one.presence == pytest.approx(0.7) for one in door)
    assert {one.prompt for one in records} == {"flute"}
    assert all(one.si_sir == pytest.approx(20 * math.log10(2), abs=0.1) for one in door)
    given = [(held.mimicry is not None, held.positive is not None) for one in model.heard for held in one.targets]
    assert given == [(True, False), (True, True), (False, True)] * 2
    alone = [one.mode for one in records if "network" in one.mode and one.item == "one"]
    assert alone == [
        "mimicry, network alone", "mimicry, pseudo-masks, network alone", "the target itself as mimicry, network alone"
    ]  # fmt: skip
    again, _ = evaluate_imitated(find_imitated(hums), entered, records=PointedFile(file.path), plan=PointedPlan())
    assert again == records
    assert len(model.heard) == 6
    page = write_door_report(records, skipped, title="pointed-hum")
    assert "| mimicry | **all** | half | 1 | " in page


def test_floors_are_asked_once_as_recorded_and_once_as_the_network_hears(hums: Path, tmp_path: Path) -> None:
    entered = [Contestant.enter(name, ReferenceModel(find_reference(name))) for name in ("mixture", "oracle-irm")]
    file = PointedFile(tmp_path / "results.jsonl")
    records, skipped = evaluate_imitated(find_imitated(hums), entered, records=file, plan=PointedPlan())
    assert skipped == ()
    modes = [one.mode for one in records if one.model == "oracle-irm" and one.item == "one"]
    assert modes == ["mimicry", "mimicry, network alone"]
    for one in records:
        assert one.si_sdr_improvement == 0 if one.model == "mixture" else one.si_sdr_improvement > 10


def test_what_is_no_imitation_is_refused(hums: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no folder with hum"):
        find_imitated(tmp_path / "elsewhere")
    soundfile.write(hums / "one" / "rest.flac", tone(2000.0, seconds=0.5).numpy(), RATE)
    with pytest.raises(DatasetError, match="differ in rate or length"):
        read_imitated(hums / "one")
    (hums / "two" / "metadata.json").unlink()
    with pytest.raises(DatasetError, match="put mixture, target, rest and metadata"):
        read_imitated(hums / "two")


def test_stems_of_songs_are_scored_in_bands(tmp_path: Path) -> None:
    rate = 44100
    low, high = (torch.stack([one, one]) for one in (tone(500.0, rate=rate), tone(11_025.0, rate=rate)))
    track = StemTrack(
        "song", "set", rate, (TrackStem("low", "bass", low), TrackStem("both", "drums", 0.5 * high + low))
    )
    source = TrackSource("song", lambda: track)
    model = Half()
    ask = partial(evaluate_songs, [source], [Contestant.enter("half", model)], plan=PointedPlan())
    records = ask(records=PointedFile(tmp_path / "results.jsonl"))
    found = {(one.item, one.mode.split(", ")[1]): one for one in records}
    assert len(found) == 6
    assert found["song/low", ABOVE].si_sdr is None
    assert found["song/both", ABOVE].si_sdr is not None
    assert found["song/both", ABOVE].si_sdr > 40  # all that there is
    assert all(found["song/low", band].si_sdr_improvement == pytest.approx(0, abs=0.01) for band in (WHOLE, BELOW))
    assert found["song/low", WHOLE].n_channels == 2
    assert found["song/low", BELOW].si_sdr is not None
    assert found["song/low", BELOW].si_sdr > found["song/low", WHOLE].si_sdr
    assert ask(records=PointedFile(tmp_path / "results.jsonl")) == records
    assert all(held.positive is not None for held in model.heard[0].targets)


def test_bands_add_up_to_the_whole() -> None:
    noise = torch.randn(2, 4001, generator=torch.Generator().manual_seed(0))
    parts = band_of(noise, RATE, 0.0, 3000.0), band_of(noise, RATE, 3000.0, math.inf)
    assert torch.allclose(parts[0] + parts[1], noise, atol=1e-5)
    assert float(band_of(parts[0], RATE, 3100.0, math.inf).abs().max()) < 1e-5
