"""The examination of GuideSep on windows of songs: protocol ``pointed``, after its paper, section 4.

Every window is asked for in every way of `unbraid.evaluation.pointed_guides`, from the same start noise. The network
hears the window as it is, mono at 16 kHz, as in the paper: nothing is cut, resampled or spread over channels. What that
adds for whole songs is examined in `pointed_recordings`.

Axes: C channels, N samples at 16 kHz.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.errors import ModelError
from unbraid.evaluation.pointed_guides import ABSENT, OFF, TABLE, Balance, Guides, Pointing, Question, ask_about
from unbraid.evaluation.pointed_records import Pass, PointedFile, PointedRecord, Scored, fingerprint_of
from unbraid.evaluation.pointed_windows import PointedWindow, WindowSource
from unbraid.evaluation.protocols import Contestant
from unbraid.evaluation.reference_methods import ReferenceModel
from unbraid.evaluation.scoring import ask
from unbraid.evaluation.tracks import dice_of
from unbraid.guides.kinds import Label, Target
from unbraid.guides.mask_grid import SAMPLE_RATE
from unbraid.models.diffusion import Solver
from unbraid.models.guidesep import PUBLISHED_SOLVER, Guidesep
from unbraid.models.guidesep_presence import likeness
from unbraid.settings import Settings

PROTOCOL = "pointed"
DIFFUSION, PREDICTION = "diffusion", "mask prediction"
REFERENCE = "floor or ceiling"
Asked = tuple[Pointing, Balance]


def all_questions() -> tuple[Asked, ...]:
    """Return the rows of the paper's table in both balances, and everything else in that of the song."""
    rest = (Pointing.SUNG, Pointing.EXACT, *OFF, *ABSENT)
    both = [(pointing, balance) for balance in Balance for pointing in TABLE]
    return (*both, *((pointing, Balance.SONG) for pointing in rest))


@dataclass(frozen=True)
class PointedPlan:
    """What an examination does.

    Args:
        questions: in this order.
        steps: evaluations of a diffusion model for one answer; None is what the model was made for.
        seed: of noise and masks; a part of every record.
        trained: for how many steps models were trained, by their names, where that is known.
        separation: settings for what goes through `unbraid.separate`; not read here.
        protocol: what it is called in records.
    """

    questions: tuple[Asked, ...] = field(default_factory=all_questions)
    steps: int | None = None
    seed: int = 0
    trained: Mapping[str, int] = field(default_factory=dict)
    separation: Settings = field(default_factory=Settings)
    protocol: str = PROTOCOL

    def settings(self, contestant: Contestant) -> dict[str, Any]:
        """Return what, beside the question, decides about the answer of a model, and what kind it is."""
        if isinstance(contestant.model, ReferenceModel):
            return {"kind": REFERENCE}
        config = guidesep_of(contestant).config
        kind: dict[str, Any] = {"kind": PREDICTION}
        if config.noise is not None:
            kind = {"kind": DIFFUSION, "steps": self.steps or config.n_evaluations}
        trained = self.trained.get(contestant.name)
        return kind if trained is None else {**kind, "training_steps": trained}


def evaluate_pointed(
    windows: Sequence[WindowSource],
    contestants: Sequence[Contestant],
    *,
    records: PointedFile,
    plan: PointedPlan = PointedPlan(),
    progress: Callable[[float], None] | None = None,
) -> tuple[PointedRecord, ...]:
    """Examine models on windows; passes that the file already holds are not repeated.

    Args:
        windows: read one at a time.
        contestants: diffusion models and mask predictions, which are asked everything; floors and ceilings, which are
            asked where they know the group of the target.
        records: the file that results go to as soon as they are there.
        plan: questions, steps and seed.
        progress: called with the fraction done, 0..1.

    Returns:
        The records of exactly these windows, models and questions.

    Raises:
        ModelError: if one of the models is no GuideSep.
        DatasetError: if a window cannot be read.
    """
    for contestant in contestants:
        if not isinstance(contestant.model, ReferenceModel):
            guidesep_of(contestant)
    found: list[PointedRecord] = []
    for number, source in enumerate(windows):
        found.extend(_examine(source(), contestants, records=records, plan=plan))
        if progress is not None:
            progress((number + 1) / len(windows))
    return tuple(found)


def _examine(
    window: PointedWindow, contestants: Sequence[Contestant], *, records: PointedFile, plan: PointedPlan
) -> Iterator[PointedRecord]:
    """Ask all models everything about one window, or find their answers in the file.

    Floors and ceilings are asked once about the same sounds: guides are nothing to them.
    """
    answered: set[tuple[str, str]] = set()
    for pointing, balance in plan.questions:
        question = ask_about(window, pointing, balance, seed=plan.seed)
        if question is None:
            continue
        sounds = (question.mixture, question.reference, question.rest)
        fingerprint = fingerprint_of((*sounds, *question.guides.parts))
        for contestant in contestants:
            if isinstance(contestant.model, ReferenceModel):
                asked = (contestant.name, fingerprint_of(sounds))
                if asked in answered or not contestant.model.method.knows(window.group):
                    continue
                answered.add(asked)
            entry = Pass(
                protocol=plan.protocol, mode=pointing.value, item_set=f"{window.item_set}, {balance}", item=window.name,
                group=window.group, fingerprint=fingerprint, settings=plan.settings(contestant), seed=plan.seed,
            )  # fmt: skip
            record = records.found(entry.key(contestant))
            if record is None:
                seed = noise_seed(window, plan.seed)
                scored = answer(contestant, question, seed=seed, label=window.group, steps=plan.steps)
                record = entry.record(contestant, scored, sample_rate=SAMPLE_RATE)
                records.keep(record, scored)
            yield record


def answer(
    contestant: Contestant,
    question: Question,
    *,
    seed: int,
    label: str,
    steps: int | None,
    solver: Solver = PUBLISHED_SOLVER,
) -> Scored:
    """Let a model answer a question once.

    Args:
        contestant: whose model is asked.
        question: about one window.
        seed: of the start noise.
        label: of the target, which floors and ceilings are told in the place of guides.
        steps: along the schedule; None is what the model was made for. Not read by mask prediction.
        solver: likewise.
    """
    if isinstance(contestant.model, ReferenceModel):
        return _answer_by_reference(contestant.model, question, label)
    model = guidesep_of(contestant)
    began = time.perf_counter()
    (estimate,) = draw(model, question.mixture, question.guides, seeds=(seed,), steps=steps, solver=solver)
    seconds = time.perf_counter() - began
    return Scored(
        estimate=estimate[None],
        reference=None if question.reference is None else question.reference[None],
        rest=question.rest[None],
        mixture=question.mixture[None],
        presence=presence_of(model, estimate, question.mixture, question.guides),
        seconds=seconds,
    )


def _answer_by_reference(model: ReferenceModel, question: Question, label: str) -> Scored:
    """Let a floor or ceiling answer; what points at the target does not matter to it."""
    truth = None if question.reference is None else question.reference[None]
    mixture = Audio(question.mixture[None], SAMPLE_RATE)
    given = ask(model, mixture, [Target(label, Label(label))], settings=Settings(), truth=[truth])
    return Scored(given.stems[0], truth, question.rest[None], mixture.samples, given.presence[0], given.seconds)


def draw(
    model: Guidesep, mixture: Tensor, guides: Guides, *, seeds: Sequence[int], steps: int | None, solver: Solver
) -> Tensor:
    """Draw answers ``[D, N]`` for a mixture ``[N]``, one for each seed of the start noise."""
    n_steps = 1 + (steps or model.config.n_evaluations)
    given = [None if one is None else one[None].to(model.device) for one in guides.parts]
    drawn = [
        model.separate_window(
            mixture[None].to(model.device),
            *given,
            generator=torch.Generator().manual_seed(seed),
            n_steps=n_steps,
            solver=solver,
        )
        for seed in seeds
    ]
    return torch.cat(drawn).cpu()


def presence_of(model: Guidesep, estimate: Tensor, mixture: Tensor, guides: Guides) -> float:
    """Return how sure the model is that the target sounds, 0..1, from an estimate ``[N]`` and the mixture ``[N]``."""
    mimicry, positive = (None if one is None else one[None].to(model.device) for one in guides.parts[:2])
    presence = model.tell_presence(mixture[None].to(model.device), mimicry=mimicry, positive=positive)
    return likeness_of(model, estimate, mixture) if presence is None else float(presence)


def likeness_of(model: Guidesep, estimate: Tensor, mixture: Tensor) -> float:
    """Return how well an estimate ``[N]`` is found again in the mixture ``[N]``, 0..1."""
    heard = [model.transform(one[None].to(model.device)) for one in (estimate, mixture)]
    return float(likeness(*heard))


def noise_seed(window: PointedWindow, seed: int) -> int:
    """Return the seed of the start noise of a window: the same for every question about it."""
    return dice_of("noise", seed, window.name).integer(2**31)


def guidesep_of(contestant: Contestant) -> Guidesep:
    """Return the model under examination.

    Raises:
        ModelError: if it is no GuideSep.
    """
    if not isinstance(contestant.model, Guidesep):
        raise ModelError(f"{contestant.name} follows no mimicry and no masks: give a GuideSep, such as guidesep-small")
    return contestant.model
