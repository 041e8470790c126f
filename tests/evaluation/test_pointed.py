"""What follows mimicry and masks by a rule stands in for a trained network."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from unbraid.audio.signal import Audio
from unbraid.cli.main import app
from unbraid.datasets.guided_packs import Imitation, MelodyEntry, MelodyWindow, write_melodies
from unbraid.datasets.pack import PackWriter
from unbraid.errors import DatasetError, ModelError
from unbraid.evaluation.pointed import PointedPlan, all_questions, answer, evaluate_pointed
from unbraid.evaluation.pointed_claims import write_claims
from unbraid.evaluation.pointed_guides import ABSENT, Balance, Guides, Pointing, Question, exact_mimicry
from unbraid.evaluation.pointed_records import PointedFile, PointedRecord
from unbraid.evaluation.pointed_report import write_sampler_report, write_windows_report
from unbraid.evaluation.pointed_sampler import all_samplers, evaluate_sampler
from unbraid.evaluation.pointed_windows import N_SAMPLES, PointedWindow, WindowSource
from unbraid.evaluation.protocols import Contestant
from unbraid.evaluation.reference_methods import ReferenceModel, find_reference
from unbraid.guides.notes import Note
from unbraid.guides.tones import render_tones
from unbraid.models.diffusion import Solver
from unbraid.models.guidesep import PRESETS, PUBLISHED_SOLVER, Guidesep, match_level
from unbraid.models.guidesep_network import TwinShape
from unbraid.zoo import debug_model, save_weights

RATE = 16000
SHAPE = TwinShape(n_features=8, multipliers=(1, 1), attention=(False, False), n_blocks=1, n_groups=2, patch=8)
CONFIG = replace(PRESETS["guidesep"], network=SHAPE)


class Follower(Guidesep):
    """Keeps the bins in which the mimicry is loud, adds noise, and counts how often it is asked."""

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__(CONFIG)
        self.level = noise
        self.asked: list[int] = []

    def separate_window(
        self,
        mixture: Tensor,
        mimicry: Tensor | None = None,
        positive: Tensor | None = None,
        negative: Tensor | None = None,
        *,
        generator: torch.Generator,
        n_steps: int = 8,
        solver: Solver = PUBLISHED_SOLVER,
    ) -> Tensor:
        self.asked.append(n_steps)
        spectrogram = self.transform(mixture)
        if mimicry is not None:
            heard = self.transform(mimicry).abs()
            spectrogram = spectrogram * (heard > 0.02 * heard.max())
        noise = self.level * torch.randn(mixture.shape, generator=generator)
        found = self.inverse(spectrogram, mixture.shape[-1]) + noise
        return match_level(estimate=found, mixture=mixture)


def window(number: int) -> PointedWindow:
    melody = tuple(Note(0.5 * index, 0.45, 60 + number + 2 * (index % 4), 100) for index in range(8))
    chords = tuple(Note(0.5 * index, 0.45, 78 - number + index % 3, 100) for index in range(8))
    target, rest = (0.2 * render_tones(notes, sample_rate=RATE) for notes in (melody, chords))
    cut = [torch.nn.functional.pad(one, (0, N_SAMPLES))[:N_SAMPLES] for one in (target, rest)]
    made = PointedWindow(f"song-{number}/a@0", "set", "Reed" if number % 2 else "Piano", *cut, melody, 0.0, None, None,
                         None)  # fmt: skip
    stranger = tuple(Note(0.0, 4.0, pitch, 100) for pitch in (95,))
    played = exact_mimicry(made, seed=1)
    return replace(made, played=played, sung=played, stranger=exact_mimicry(replace(made, notes=stranger), seed=1))


@pytest.fixture
def windows() -> list[WindowSource]:
    return [partial(window, number) for number in range(4)]


def find(
    records: tuple[PointedRecord, ...], pointing: Pointing, balance: Balance = Balance.SONG
) -> list[PointedRecord]:
    return [one for one in records if one.mode == pointing and one.item_set == f"set, {balance}"]


def mean(records: list[PointedRecord], score: Callable[[PointedRecord], float | None]) -> float:
    values = [value for value in map(score, records) if value is not None]
    assert values
    return sum(values) / len(values)


def test_a_model_that_follows_mimicry_is_found_to_do_so(windows: list[WindowSource], tmp_path: Path) -> None:
    windows = windows[:2]
    model, plan = Follower(), PointedPlan(trained={"follower": 7})
    file = PointedFile(tmp_path / "results.jsonl")
    entered = Contestant.enter("follower", model)
    records = evaluate_pointed(windows, [entered], records=file, plan=plan)
    assert len(records) == len(model.asked) == 2 * len(all_questions())
    mixture = find(records, Pointing.NONE)
    assert all(one.si_sdr_improvement == pytest.approx(0, abs=1e-3) for one in mixture)
    for score in (lambda one: one.sdr_bss_eval, lambda one: one.si_sdr, lambda one: one.si_sir):
        exact = mean(find(records, Pointing.EXACT), score)
        assert exact > mean(mixture, score) + 3
        assert mean(find(records, Pointing.OCTAVE_UP), score) < exact - 1
    for off in (Pointing.LATE_400, Pointing.HALF):  # what is missing is no interference
        lost = [mean(find(records, one), lambda record: record.si_sdr) for one in (Pointing.EXACT, off)]
        assert lost[1] < lost[0] - 1
    levels = [mean(find(records, one), lambda record: record.level_db) for one in (Pointing.STRANGER, Pointing.MIMICRY)]
    assert levels[0] < levels[1] - 3
    assert all(one.si_sdr is None and one.sdr_bss_eval is None for one in find(records, Pointing.RESTING))
    assert {one.settings["training_steps"] for one in records} == {7}
    assert {one.settings["steps"] for one in records} == {7}
    assert evaluate_pointed(windows, [entered], records=PointedFile(file.path), plan=plan) == records
    assert len(model.asked) == len(records)


def test_pages_say_what_the_records_say(windows: list[WindowSource], tmp_path: Path) -> None:
    contestants = [Contestant.enter("follower", Follower())]
    peaks = ((pointing, Balance.PEAKS) for pointing in (Pointing.FULL, Pointing.MIMICRY, Pointing.NONE))
    plan = PointedPlan((*peaks, (Pointing.EXACT, Balance.SONG), (Pointing.HALF, Balance.SONG)))
    records = evaluate_pointed(windows, contestants, records=PointedFile(tmp_path / "a.jsonl"), plan=plan)
    page = write_windows_report(records)
    mimicry = find(records, Pointing.MIMICRY, Balance.PEAKS)
    piano = mean([one for one in mimicry if one.prompt == "Piano"], lambda one: one.sdr_bss_eval)
    reed = mean([one for one in mimicry if one.prompt == "Reed"], lambda one: one.sdr_bss_eval)
    dashes = " | ".join(["–"] * 6)
    assert f"| follower, mimicry | {piano:.2f} | {dashes} | {reed:.2f} | – | – | {(piano + reed) / 2:.2f} |" in page
    assert "| paper: full | 8.34 | 10.53 |" in page
    assert "| exact melody | follower | 4 |" in page
    assert "What is not there" not in page
    claims = write_claims(records)
    assert "mimicry is listened to: better than no guide | SDR | – |" in claims
    row = next(line for line in claims.splitlines() if line.startswith("| mimicry is listened to"))
    assert row.endswith("| 4 | held |")
    assert "diffusion is better than mask prediction | SDR | +1.72 | " in claims
    assert "not measured" in claims


def test_all_questions_about_a_window_begin_at_one_noise(tmp_path: Path) -> None:
    model = Follower(noise=0.5)
    question = Question(torch.zeros(N_SAMPLES), Guides(), None, torch.zeros(N_SAMPLES))
    entered = Contestant.enter("follower", model)
    draw = partial(answer, entered, question, label="Reed", steps=None)
    first, second, other = (draw(seed=seed).estimate for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert torch.equal(first, other) == (not bool(first.any()))
    file = PointedFile(tmp_path / "results.jsonl")
    plan = PointedPlan(((Pointing.NONE, Balance.SONG), (Pointing.LATE_400, Balance.SONG)))
    made = [evaluate_pointed([partial(window, 0)], [Contestant.enter(name, model)], records=file, plan=plan)
            for name in ("one", "two")]  # fmt: skip
    assert made[0][0].si_sdr == made[1][0].si_sdr


def test_samplers_and_draws_are_compared(windows: list[WindowSource], tmp_path: Path) -> None:
    model = Follower(noise=0.1)
    file = PointedFile(tmp_path / "results.jsonl")
    entered = [Contestant.enter("follower", model)]
    records = evaluate_sampler(windows[:2], entered, records=file, plan=PointedPlan())
    titles = [sampler.title for sampler in all_samplers()]
    assert "order 1, 1 evaluation" in titles
    assert "order 3, 31 evaluations" in titles
    assert "Heun, 32 evaluations" in titles
    assert "order 3, 2 evaluations" not in titles
    modes = [one.mode for one in records if one.item == "song-0/a@0"]
    assert modes == [*titles, "one draw", "mean of 2", "best of 2", "mean of 4", "best of 4", "mean of 8", "best of 8"]
    assert sorted(set(model.asked)) == [2, 3, 5, 8, 9, 17, 32]

    def score(mode: str) -> float:
        return mean([one for one in records if one.mode == mode], lambda one: one.si_sdr)

    assert score("mean of 8") > score("mean of 2") > score("one draw") + 1
    assert score("best of 8") < score("mean of 8")
    page = write_sampler_report(records)
    assert "| one draw | follower | 2 | " in page
    n_asked = len(model.asked)
    assert evaluate_sampler(windows[:2], entered, records=PointedFile(file.path), plan=PointedPlan()) == records
    assert len(model.asked) == n_asked


def test_other_models_are_refused(windows: list[WindowSource], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="tuss follows no mimicry and no masks"):
        evaluate_pointed(windows, [Contestant.enter("tuss", debug_model())], records=PointedFile(tmp_path / "a.jsonl"))


def test_records_come_back_as_they_were_and_others_are_refused(windows: list[WindowSource], tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    plan = PointedPlan(((Pointing.MIMICRY, Balance.SONG),))
    made = evaluate_pointed(windows[:1], [Contestant.enter("a", Follower())], records=PointedFile(path), plan=plan)
    assert PointedFile(path).pointed == made
    assert math.isfinite(made[0].si_sir or math.nan)
    path.write_text(json.dumps({"key": "x"}) + "\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="line 1: not a record"):
        PointedFile(path)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """One song of two stems, of which one is a melody that somebody played."""
    path = tmp_path / "pack"
    made = window(0)
    assert made.played is not None
    with PackWriter(path, sample_rate=RATE) as writer:
        for name, samples in (("a", made.target), ("b", made.rest), ("a/mimicry", made.played)):
            prompt = "mimicry" if name == "a/mimicry" else "piano"
            writer.add(f"song/{name}", Audio(samples[None], RATE), prompt=prompt, track="song")
    windows = (MelodyWindow(0, (Imitation(0, "instrument", ""),)),)
    write_melodies(path, [MelodyEntry("song/a", "song/a/mimicry", "Piano", 0, made.notes, windows)])
    return path


def test_the_command_asks_and_writes_its_pages(pack: Path, tmp_path: Path) -> None:
    save_weights(Guidesep(CONFIG), tmp_path / "drawn.safetensors", card={"steps": 12})
    model = ["-m", str(tmp_path / "drawn.safetensors")]
    out = ["--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["evaluate", "pointed", "--data", str(pack), "--tracks", "1", *model, *out])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / "pointed.md").read_text(encoding="utf-8")
    assert "| mimicry | Piano | drawn | 1 |" in page
    assert "| 50 cents flat | drawn | 1 |" in page
    claims = (tmp_path / "out" / "pointed-claims.md").read_text(encoding="utf-8")
    assert "- drawn: diffusion, trained for 12 steps, 7 evaluations for an answer" in claims
    for protocol, lack in (("pointed-hum", "needs recordings"), ("pointed-steps", "nothing to listen to")):
        nothing = CliRunner().invoke(app, ["evaluate", protocol, *model, *out])
        assert nothing.exit_code != 0
        assert lack in nothing.output


def test_floors_and_ceilings_are_asked_once_about_the_same_sounds(windows: list[WindowSource], tmp_path: Path) -> None:
    names = ("mixture", "silence", "oracle-irm", "oracle-cirm")
    entered = [Contestant.enter(name, ReferenceModel(find_reference(name))) for name in names]
    entered.append(Contestant.enter("follower", Follower()))
    file = PointedFile(tmp_path / "results.jsonl")
    records = evaluate_pointed(windows[:2], entered, records=file, plan=PointedPlan())
    assert len([one for one in records if one.model == "follower"]) == 2 * len(all_questions())
    floors = [one for one in records if one.model == "mixture"]
    assert {(one.mode, one.item_set) for one in floors} == {
        *((Pointing.FULL, f"set, {balance}") for balance in Balance),
        *((pointing, f"set, {Balance.SONG}") for pointing in ABSENT),
    }
    full = {(one.model, one.item): one for one in find(records, Pointing.FULL)}
    for item in {one.item for one in floors}:
        assert full["mixture", item].si_sdr_improvement == pytest.approx(0, abs=1e-6)
        assert full["silence", item].snr == 0
        assert full["oracle-cirm", item].si_sdr > full["oracle-irm", item].si_sdr > full["mixture", item].si_sdr + 5
    resting = [one for one in find(records, Pointing.RESTING) if one.model == "oracle-irm"]
    assert {one.level_db for one in resting} == {-120.0}
    page = write_windows_report(records)
    assert "- floors and ceilings: `mixture`, `silence`, `oracle-irm`, `oracle-cirm`" in page
    assert page.count("| **all** | oracle-irm |") == len(Balance)
    assert "| oracle-irm, full |" in page
    assert evaluate_pointed(windows[:2], entered, records=PointedFile(file.path), plan=PointedPlan()) == records


def test_mask_prediction_is_examined_beside_diffusion(tmp_path: Path) -> None:
    shape = replace(SHAPE, n_inputs=1, n_conditions=3, noisy=False, noisy_condition=False)
    entered = Contestant.enter("predicted", Guidesep(replace(CONFIG, network=shape, noise=None)))
    file = PointedFile(tmp_path / "results.jsonl")
    questions = tuple((pointing, Balance.PEAKS) for pointing in (Pointing.FULL, Pointing.NONE))
    records = evaluate_pointed([partial(window, 0)], [entered], records=file, plan=PointedPlan(questions))
    assert [one.settings for one in records] == [{"kind": "mask prediction"}] * 2
    assert all(one.si_sdr is not None for one in records)
    assert evaluate_sampler([partial(window, 0)], [entered], records=file, plan=PointedPlan()) == ()
