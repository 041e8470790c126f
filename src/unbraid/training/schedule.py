"""The learning rate of a run: warm-up, drops on a plateau, and a decay to zero where the length is known.

Source: Saijo et al., ICASSP 2025 (TUSS), section IV, and its published training configuration: linear warm-up,
then constant, then halved whenever the validation loss stands still.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from unbraid.errors import RecipeError


def cosine(fraction: float) -> float:
    """Half a cosine from 1 to 0.

    Example:
        >>> round(cosine(0.5), 6)
        0.5
    """
    return 0.5 + 0.5 * math.cos(math.pi * fraction)


def linear(fraction: float) -> float:
    """Return a straight line from 1 to 0.

    Example:
        >>> linear(0.25)
        0.75
    """
    return 1.0 - fraction


@dataclass(frozen=True)
class Decay:
    """A decay to zero over a known length; the run ends with it.

    Args:
        shape: what is left of the rate at a fraction 0..1 of the decay: `cosine`, `linear`, or another.
        steps: length of the run in steps, or
        minutes: length of the run in minutes, over all its sessions together. Two such runs are not equal
            to the bit: the rate follows the clock.
        hold: fraction of the run before the decay begins.

    Raises:
        RecipeError: unless exactly one length is given.
    """

    shape: Callable[[float], float] = cosine
    steps: int | None = None
    minutes: float | None = None
    hold: float = 0.0

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise RecipeError("a decay needs its length: give either steps or minutes")
        if (self.steps or self.minutes or 0) <= 0 or not 0 <= self.hold < 1:
            raise RecipeError("a decay needs a positive length and a hold from 0 to below 1")

    def progress(self, step: int, seconds: float) -> float:
        """Return the fraction of the run that is done, 0..1."""
        done = step / self.steps if self.steps is not None else seconds / 60 / (self.minutes or 1.0)
        return min(1.0, done)

    def factor(self, step: int, seconds: float) -> float:
        """Return what is left of the rate.

        Example:
            >>> Decay(linear, steps=100, hold=0.5).factor(75, seconds=0.0)
            0.5
        """
        return self.shape(max(0.0, self.progress(step, seconds) - self.hold) / (1 - self.hold))


@dataclass(frozen=True)
class Plateau:
    """A drop of the learning rate when the validation loss stands still.

    Args:
        factor: what the rate is multiplied by.
        patience: epochs without improvement that are tolerated.
        keep_epochs: nothing is dropped up to this epoch (the first one is 0).
        threshold: relative improvement that counts as one.
    """

    factor: float = 0.5
    patience: int = 5
    keep_epochs: int = 75
    threshold: float = 1e-4


@dataclass(frozen=True)
class PlateauState:
    """What a plateau has seen: the best loss, how many epochs ago, and what is left of the rate."""

    best: float | None = None
    bad_epochs: int = 0
    scale: float = 1.0

    def observe(self, loss: float, *, epoch: int, plateau: Plateau) -> PlateauState:
        """Return the state after the validation of an epoch; a loss that is not a number is no improvement.

        Example:
            >>> PlateauState(best=1.0, bad_epochs=5).observe(1.0, epoch=99, plateau=Plateau()).scale
            0.5
        """
        if epoch <= plateau.keep_epochs:
            return self
        if loss < (math.inf if self.best is None else self.best * (1 - plateau.threshold)):
            return replace(self, best=loss, bad_epochs=0)
        if self.bad_epochs < plateau.patience:
            return replace(self, bad_epochs=self.bad_epochs + 1)
        return replace(self, bad_epochs=0, scale=self.scale * plateau.factor)


@dataclass(frozen=True)
class Staircase:
    """A drop of the learning rate after every so many steps.

    Raises:
        RecipeError: if a value is not positive.
    """

    factor: float
    steps: int

    def __post_init__(self) -> None:
        if self.factor <= 0 or self.steps < 1:
            raise RecipeError(
                f"a staircase needs a positive factor and 1 step or more, got {self.factor}, {self.steps}"
            )

    def scale(self, step: int) -> float:
        """Return what is left of the rate.

        Example:
            >>> Staircase(factor=0.5, steps=100).scale(250)
            0.25
        """
        return self.factor ** (step // self.steps)


@dataclass(frozen=True)
class Schedule:
    """How the learning rate changes over a run.

    Args:
        peak: rate after the warm-up.
        warmup_steps: length of the linear warm-up; the first step has rate 0.
        plateau: drops on a plateau, or None.
        decay: decay to zero, or None.
        staircase: drops after numbers of steps, or None.
    """

    peak: float = 1e-3
    warmup_steps: int = 10_000
    plateau: Plateau | None = None
    decay: Decay | None = None
    staircase: Staircase | None = None

    def __post_init__(self) -> None:
        if self.peak <= 0 or self.warmup_steps < 0:
            raise RecipeError(f"a schedule needs a positive peak and warm-up, got {self.peak}, {self.warmup_steps}")

    def learning_rate(self, step: int, *, seconds: float = 0.0, scale: float = 1.0) -> float:
        """Return the rate of a step.

        Args:
            step: 0 for the first one.
            seconds: how long the run has been going, over all its sessions.
            scale: what the plateau has left.

        Example:
            >>> Schedule(peak=1e-3, warmup_steps=100).learning_rate(50)
            0.0005
        """
        warm = 1.0 if step >= self.warmup_steps else step / self.warmup_steps
        scale *= 1.0 if self.staircase is None else self.staircase.scale(step)
        return self.peak * warm * scale * (1.0 if self.decay is None else self.decay.factor(step, seconds))

    def is_over(self, step: int, *, seconds: float) -> bool:
        """Say whether the decay has reached its end."""
        return self.decay is not None and self.decay.progress(step, seconds) >= 1
