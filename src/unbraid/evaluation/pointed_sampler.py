"""How answers of a diffusion model are best drawn: number of evaluations, solver, and several draws.

Everything is measured on windows of songs, with the same start noise for all. The best of several draws is the one that
is found again best in the mixture (`likeness`), as in the separator; their mean is the estimate of least squared error
that the draws allow.

Axes: D draws, N samples at 16 kHz.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from unbraid.evaluation.pointed import PointedPlan, answer, draw, guidesep_of, likeness_of, noise_seed, presence_of
from unbraid.evaluation.pointed_guides import Balance, Pointing, Question, ask_about
from unbraid.evaluation.pointed_records import Pass, PointedFile, PointedRecord, Scored, fingerprint_of
from unbraid.evaluation.pointed_windows import PointedWindow, WindowSource
from unbraid.evaluation.protocols import Contestant
from unbraid.evaluation.reference_methods import ReferenceModel
from unbraid.guides.mask_grid import SAMPLE_RATE
from unbraid.models.diffusion import Multistep, Solver, heun
from unbraid.models.guidesep import PUBLISHED_SOLVER

PROTOCOL = "pointed-steps"
POINTING = Pointing.MIMICRY
EVALUATIONS = (1, 2, 4, 7, 16, 31)
HEUN_STEPS = (1, 2, 4, 8, 16)
DRAWS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Sampler:
    """A solver, how many steps it makes along the schedule, and how often it evaluates the network in each."""

    name: str
    solver: Solver
    steps: int
    evaluations_per_step: int = 1

    @property
    def evaluations(self) -> int:
        """Of the network, for one draw."""
        return self.steps * self.evaluations_per_step

    @property
    def title(self) -> str:
        """What it is called in records and tables."""
        return f"{self.name}, {self.evaluations} evaluation{'s' if self.evaluations > 1 else ''}"


def all_samplers() -> tuple[Sampler, ...]:
    """Return the solver of the paper, with clean data extrapolated in higher orders, and Heun's method."""
    solvers = {1: PUBLISHED_SOLVER, 2: Multistep(2, predicts_noise=False), 3: Multistep(3, predicts_noise=False)}
    multistep = [
        Sampler(f"order {order}", solver, steps)
        for order, solver in solvers.items()
        for steps in EVALUATIONS
        if steps >= order
    ]
    return (*multistep, *(Sampler("Heun", heun, steps, 2) for steps in HEUN_STEPS))


def evaluate_sampler(
    windows: Sequence[WindowSource],
    contestants: Sequence[Contestant],
    *,
    records: PointedFile,
    plan: PointedPlan,
    progress: Callable[[float], None] | None = None,
) -> tuple[PointedRecord, ...]:
    """Draw answers in every way, from played mimicry in the balance of the song; see `evaluate_pointed`.

    Mask predictions, floors and ceilings, which draw nothing, are passed over. Questions of the plan are not read.
    """
    models = [one for one in contestants if not isinstance(one.model, ReferenceModel)]
    drawing = [one for one in models if guidesep_of(one).config.noise is not None]
    found: list[PointedRecord] = []
    for number, source in enumerate(windows):
        window = source()
        question = ask_about(window, POINTING, Balance.SONG, seed=plan.seed)
        for contestant in drawing if question is not None else ():
            assert question is not None
            found.extend(_steps(contestant, window, question, records=records, plan=plan))
            found.extend(_draws(contestant, window, question, records=records, plan=plan))
        if progress is not None:
            progress((number + 1) / len(windows))
    return tuple(found)


def _pass(window: PointedWindow, question: Question, mode: str, contestant: Contestant, plan: PointedPlan) -> Pass:
    fingerprint = fingerprint_of((question.mixture, question.reference, question.rest, *question.guides.parts))
    return Pass(
        protocol=PROTOCOL, mode=mode, item_set=f"{window.item_set}, {POINTING}", item=window.name, group=window.group,
        fingerprint=fingerprint, settings=plan.settings(contestant), seed=plan.seed,
    )  # fmt: skip


def _steps(
    contestant: Contestant, window: PointedWindow, question: Question, *, records: PointedFile, plan: PointedPlan
) -> Iterator[PointedRecord]:
    """Draw one answer with every sampler, from one start noise."""
    for sampler in all_samplers():
        entry = _pass(window, question, sampler.title, contestant, replace(plan, steps=sampler.evaluations))
        record = records.found(entry.key(contestant))
        if record is None:
            seed = noise_seed(window, plan.seed)
            scored = answer(
                contestant, question, seed=seed, label=window.group, steps=sampler.steps, solver=sampler.solver
            )
            record = entry.record(contestant, scored, sample_rate=SAMPLE_RATE)
            records.keep(record, scored)
        yield record


def _draws(
    contestant: Contestant, window: PointedWindow, question: Question, *, records: PointedFile, plan: PointedPlan
) -> Iterator[PointedRecord]:
    """Draw several answers, and take the best of the first so many, or their mean."""
    titles = [title for count in DRAWS for title in ((f"mean of {count}", f"best of {count}") if count > 1 else ())]
    entries = {title: _pass(window, question, title, contestant, plan) for title in ("one draw", *titles)}
    kept = [records.found(entry.key(contestant)) for entry in entries.values()]
    if any(record is None for record in kept):
        made = dict(_draw_all(contestant, window, question, plan))
        for title, entry in entries.items():
            if records.found(entry.key(contestant)) is None:
                records.keep(entry.record(contestant, made[title], sample_rate=SAMPLE_RATE), made[title])
    for entry in entries.values():
        record = records.found(entry.key(contestant))
        assert record is not None
        yield record


def _draw_all(
    contestant: Contestant, window: PointedWindow, question: Question, plan: PointedPlan
) -> Iterator[tuple[str, Scored]]:
    """Yield the answers of every way to use several draws, by its title."""
    model, first = guidesep_of(contestant), noise_seed(window, plan.seed)
    seeds = range(first, first + max(DRAWS))
    began = time.perf_counter()
    drawn = draw(model, question.mixture, question.guides, seeds=seeds, steps=plan.steps, solver=PUBLISHED_SOLVER)
    seconds = (time.perf_counter() - began) / max(DRAWS)
    scores = [likeness_of(model, one, question.mixture) for one in drawn]
    reference = None if question.reference is None else question.reference[None]
    for count in DRAWS:
        best = max(range(count), key=lambda index: scores[index])
        ways = {f"best of {count}": drawn[best], f"mean of {count}": drawn[:count].mean(dim=0)}
        for title, estimate in ways.items() if count > 1 else [("one draw", drawn[0])]:
            presence = presence_of(model, estimate, question.mixture, question.guides)
            yield (
                title,
                Scored(
                    estimate[None], reference, question.rest[None], question.mixture[None], presence, count * seconds
                ),
            )
