"""Find the vector that makes a frozen network draw a sound: gradient descent on the vector alone.

Axes: B mixtures, N samples, D numbers of a query.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from unbraid.datasets.dice import Dice
from unbraid.errors import Cancelled, SettingsError
from unbraid.models.losses import presence_loss, prompted_loss, si_sdr
from unbraid.teaching.lessons import Lesson, LessonDraw, Material, draw_lesson, make_lesson

PRESENCE_WEIGHT = 2.0
P_ALONE = 0.1
N_TRIALS = 2

Ask = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]
"""Mixtures ``[B, N]`` and a query ``[D]`` to estimates ``[B, N]`` and logits of presence ``[B]``, or None."""


@dataclass(frozen=True)
class TeachSettings:
    """How a vector is tuned.

    Args:
        steps: of gradient descent.
        batch_size: mixtures in a step.
        seconds: length of a mixture.
        learning_rate: at the beginning; it falls to zero along a cosine.
        p_absent: share of the mixtures in which the target is silent.
        n_songs: synthesized songs to mix with, and half as many scenes; as many others to compare with.
        n_checks: mixtures that vectors are compared on; a seventh of them is without the target. A quarter as many more
            are the target alone.
        trial_steps: what each of the two best vectors to begin with is given before one of them is chosen.
        check_every: steps between two comparisons.
        seed: of everything that is drawn.

    Raises:
        SettingsError: if a value is out of range.

    Example:
        >>> TeachSettings(steps=0)
        Traceback (most recent call last):
        unbraid.errors.SettingsError: steps is 0: it must be positive
    """

    steps: int = 200
    batch_size: int = 2
    seconds: float = 2.5
    learning_rate: float = 0.01
    p_absent: float = 0.3
    n_songs: int = 6
    n_checks: int = 32
    trial_steps: int = 20
    check_every: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name not in {"p_absent", "seed"} and not (value > 0 and math.isfinite(value)):
                raise SettingsError(f"{name} is {value}: it must be positive")
        if not 0 <= self.p_absent < 1:
            raise SettingsError(f"p_absent is {self.p_absent}: it must be from 0 to below 1")
        if self.seed < 0:
            raise SettingsError(f"seed {self.seed} is negative: give 0 or more")


DEFAULTS = TeachSettings()


class Verdict(NamedTuple):
    """How a vector does on the mixtures for comparison: the loss, and the gain in SI-SDR over the mixture in dB.

    What is the target alone counts for the loss only.
    """

    loss: float
    si_sdr_improvement: float


class Tuned(NamedTuple):
    """The best vector, where it began, how that did and how it does itself, and after which step it was found."""

    vector: Tensor
    start: str
    before: Verdict
    after: Verdict
    step: int


class Pulse:
    """Tells how far the work is, and stops it if the caller wants to."""

    def __init__(
        self, n_parts: int, progress: Callable[[float], None] | None, cancel: Callable[[], bool] | None
    ) -> None:
        self.n_parts, self.n_done = n_parts, 0
        self.progress, self.cancel = progress, cancel

    def beat(self, n_parts: int = 1) -> None:
        """Count parts of the work as done.

        Raises:
            Cancelled: if the caller asked to stop.
        """
        self.n_done += n_parts
        if self.progress is not None:
            self.progress(min(1.0, self.n_done / self.n_parts))
        if self.cancel is not None and self.cancel():
            raise Cancelled("stopped before the label was learned, as asked")


class Climb:
    """One vector on its way along the gradient; ``best`` is the best one so far.

    Args:
        ask: the network; it is not changed.
        start: name and vector ``[D]`` to begin with.
        checks: mixtures that vectors are compared on.
        settings: steps, rate, and the seed of the mixtures.
    """

    def __init__(self, ask: Ask, start: tuple[str, Tensor], checks: Sequence[Lesson], settings: TeachSettings) -> None:
        self.ask, self.checks, self.settings = ask, checks, settings
        name, vector = start
        verdict = judge(ask, vector, checks)
        self.best = Tuned(vector, name, verdict, verdict, 0)
        self.vector = vector.detach().clone().requires_grad_()
        self.optimizer = torch.optim.Adam([self.vector])
        self.dice = Dice(torch.Generator().manual_seed(settings.seed))
        self.step = 0

    def go(self, stop: int, material: Material, *, n_samples: int, pulse: Pulse) -> None:
        """Take steps up to that one, and compare there and now and then on the way."""
        settings = self.settings
        while self.step < stop:
            done = self.step / settings.steps
            self.optimizer.param_groups[0]["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
            draws = [self._draw(material, n_samples) for _ in range(settings.batch_size)]
            with torch.enable_grad():
                loss, _ = loss_of(self.ask, self.vector, make_lesson(draws, material, n_samples))
                (self.vector.grad,) = torch.autograd.grad(loss, [self.vector])
            self.optimizer.step()
            self.step += 1
            if self.step % settings.check_every == 0 or self.step == stop:
                verdict = judge(self.ask, self.vector.detach(), self.checks)
                if verdict.loss < self.best.after.loss:
                    vector = self.vector.detach().clone()
                    self.best = self.best._replace(vector=vector, after=verdict, step=self.step)
            pulse.beat()

    def _draw(self, material: Material, n_samples: int) -> LessonDraw:
        absent = self.dice.chance(self.settings.p_absent)
        alone = not absent and self.dice.chance(P_ALONE)
        return draw_lesson(self.dice, material, n_samples, absent=absent, alone=alone)


def n_beats(n_starts: int, settings: TeachSettings) -> int:
    """Return how often the pulse of a tuning beats."""
    n_extra = min(N_TRIALS, n_starts) - 1
    return n_starts + settings.steps + n_extra * min(settings.trial_steps, settings.steps)


def tune(
    ask: Ask,
    starts: Mapping[str, Tensor],
    material: Material,
    checks: Sequence[Lesson],
    *,
    n_samples: int,
    settings: TeachSettings,
    pulse: Pulse,
) -> Tuned:
    """Choose among several vectors to begin with, follow the gradient, and keep the best vector on the way.

    All are compared on every second mixture; the two best ones are given some steps each, and the better one goes on.

    Args:
        ask: the network; it is not changed.
        starts: names and vectors ``[D]`` to begin with.
        material: what mixtures are made of.
        checks: mixtures that the vectors are compared on.
        n_samples: length of a mixture.
        settings: steps, rate, and the seed of the mixtures.
        pulse: hears of every start and every step.
    """
    losses: dict[str, float] = {}
    for name, vector in starts.items():
        losses[name] = judge(ask, vector, checks[::2]).loss if len(starts) > 1 else 0.0
        pulse.beat()
    promising = sorted(losses, key=losses.__getitem__)[:N_TRIALS]
    climbs = [Climb(ask, (name, starts[name]), checks, settings) for name in promising]
    for climb in climbs if len(climbs) > 1 else ():
        climb.go(min(settings.trial_steps, settings.steps), material, n_samples=n_samples, pulse=pulse)
    climb = min(climbs, key=lambda one: one.best.after.loss)
    climb.go(settings.steps, material, n_samples=n_samples, pulse=pulse)
    return climb.best


def loss_of(ask: Ask, query: Tensor, lesson: Lesson) -> tuple[Tensor, Tensor]:
    """Return the training loss of TUSS for one sound alone, with presence if the network tells it; and the estimates.

    What is drawn of an absent sound counts as silent enough 30 dB below the mixture.
    """
    mixture, reference = (one.to(query.device) for one in lesson)
    estimate, logits = ask(mixture, query)
    matched = prompted_loss(
        estimate=estimate[:, None],
        reference=reference[:, None],
        prompts=[["target"]] * len(reference),
        mixture=mixture,
    )
    total = matched.losses.mean()
    if logits is not None:
        presence = presence_loss(logits=logits[:, None], reference=reference[:, None], order=matched.order)
        total = total + PRESENCE_WEIGHT * presence
    return total, estimate


@torch.no_grad()
def judge(ask: Ask, query: Tensor, lessons: Sequence[Lesson]) -> Verdict:
    """Measure a vector on mixtures; the gain is the mean over those in which the target sounds beside others."""
    losses: list[float] = []
    gains: list[float] = []
    for lesson in lessons:
        loss, estimate = loss_of(ask, query, lesson)
        losses.append(float(loss))
        if torch.equal(lesson.mixture, lesson.reference):  # alone: there is nothing to gain
            continue
        drawn = si_sdr(estimate=estimate.cpu(), reference=lesson.reference)
        gain = drawn - si_sdr(estimate=lesson.mixture, reference=lesson.reference)
        gains += [value for value in gain.tolist() if math.isfinite(value)]
    return Verdict(sum(losses) / len(losses), sum(gains) / max(1, len(gains)))
