"""Find the vector that makes a frozen network draw a sound: gradient descent on the vector alone.

Axes: B mixtures, N samples, D numbers of a query.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from unbraid.datasets.dice import Dice
from unbraid.errors import Cancelled, SettingsError
from unbraid.models.losses import presence_loss, prompted_loss, si_sdr
from unbraid.teaching.lessons import Lesson, LessonDraw, Material, draw_lesson, make_lesson, unit

PRESENCE_WEIGHT = 2.0
P_ALONE = 0.1
N_FINALISTS = 2
LEVEL = 0.1
FIRST_ROUND = 4  # every so many-th of the mixtures for comparison

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
    seconds: float = 2.0
    learning_rate: float = 0.01
    p_absent: float = 0.3
    n_songs: int = 6
    n_checks: int = 16
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


@dataclass(frozen=True)
class Verdict:
    """How a vector does on the mixtures for comparison.

    Args:
        losses: one for each mixture.
        si_sdr_improvement: mean gain in SI-SDR over the mixture, in dB; what is the target alone counts for the loss
            only.
    """

    losses: tuple[float, ...]
    si_sdr_improvement: float

    @property
    def loss(self) -> float:
        """The mean loss."""
        return statistics.fmean(self.losses)

    def beats(self, other: Verdict) -> bool:
        """Whether the mean loss is lower than another one on the same mixtures, by more than its standard error.

        Example:
            >>> Verdict((0.9, 1.8), 0.0).beats(Verdict((1.0, 2.0), 0.0))
            True
            >>> Verdict((0.5, 2.3), 0.0).beats(Verdict((1.0, 2.0), 0.0))
            False
        """
        gains = [theirs - mine for mine, theirs in zip(self.losses, other.losses, strict=True)]
        error = statistics.stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else 0.0
        return statistics.fmean(gains) > error


class Tuned(NamedTuple):
    """The vector that is kept, where it began, how that did and how it does itself, and after which step it was."""

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


def nearest(ask: Ask, vectors: Mapping[str, Tensor], sounds: Sequence[Tensor], n_samples: int) -> str | None:
    """Return which vector gives sounds ``[N]`` back best that sound alone; None of no vectors.

    What is like a sound must not play beside it in lessons: a network that is told to leave drums out learns to leave
    out the drums that it is taught. The loudest piece of each sound is asked for.
    """
    pieces = [_loudest(sound, n_samples) for sound in sounds]
    lessons = [Lesson(piece[None], piece[None]) for piece in pieces]
    losses = {name: judge(ask, vector, lessons).loss for name, vector in vectors.items()}
    return min(losses, key=losses.__getitem__, default=None)


def _loudest(sound: Tensor, n_samples: int) -> Tensor:
    hop = max(1, n_samples // 2)
    starts = range(0, max(1, len(sound) - n_samples + 1), hop)
    return (
        unit(max((sound[start : start + n_samples] for start in starts), key=lambda one: float(one.square().sum())))
        * LEVEL
    )


def n_beats(n_starts: int, settings: TeachSettings) -> int:
    """Return how often the pulse of a tuning beats."""
    return n_starts + min(N_FINALISTS, n_starts) + settings.steps


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
    """Begin at the best of several vectors, follow the gradient, and keep the start unless something beats it.

    All are compared on a quarter of the mixtures, and the two best ones on all of them.

    Args:
        ask: the network; it is not changed.
        starts: names and vectors ``[D]`` to begin with.
        material: what mixtures are made of.
        checks: mixtures that the vectors are compared on.
        n_samples: length of a mixture.
        settings: steps, rate, and the seed of the mixtures.
        pulse: hears of every start and every step.
    """
    first_round: dict[str, float] = {}
    for name, vector in starts.items():
        first_round[name] = judge(ask, vector, checks[::FIRST_ROUND]).loss if len(starts) > N_FINALISTS else 0.0
        pulse.beat()
    verdicts: dict[str, Verdict] = {}
    for name in sorted(first_round, key=first_round.__getitem__)[:N_FINALISTS]:
        verdicts[name] = judge(ask, starts[name], checks)
        pulse.beat()
    name = min(verdicts, key=lambda one: verdicts[one].loss)
    best = Tuned(starts[name], name, verdicts[name], verdicts[name], 0)
    for step, vector in _descend(ask, starts[name], material, n_samples, settings):
        if step % settings.check_every == 0 or step == settings.steps:
            verdict = judge(ask, vector, checks)
            if verdict.loss < best.after.loss and verdict.beats(best.before):
                best = best._replace(vector=vector.clone(), after=verdict, step=step)
        pulse.beat()
    return best


def _descend(
    ask: Ask, start: Tensor, material: Material, n_samples: int, settings: TeachSettings
) -> Iterator[tuple[int, Tensor]]:
    """Follow the gradient of the loss on ever new mixtures; yields the number of each step and the vector after it."""
    vector = start.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([vector])
    dice = Dice(torch.Generator().manual_seed(settings.seed))
    for step in range(settings.steps):
        optimizer.param_groups[0]["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        draws = [_draw(dice, material, n_samples, settings.p_absent) for _ in range(settings.batch_size)]
        with torch.enable_grad():
            loss, _ = loss_of(ask, vector, make_lesson(draws, material, n_samples))
            (vector.grad,) = torch.autograd.grad(loss, [vector])
        optimizer.step()
        yield step + 1, vector.detach()


def _draw(dice: Dice, material: Material, n_samples: int, p_absent: float) -> LessonDraw:
    absent = dice.chance(p_absent)
    alone = not absent and dice.chance(P_ALONE)
    return draw_lesson(dice, material, n_samples, absent=absent, alone=alone)


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
    return Verdict(tuple(losses), sum(gains) / max(1, len(gains)))
