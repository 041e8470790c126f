"""Random numbers for draws: a torch.Generator read in blocks, so that one number costs no torch call."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import torch

BLOCK = 128


class Dice:
    """Uniform numbers from a ``torch.Generator``; the same seed gives the same throws on every machine.

    The generator is read ahead by up to 128 numbers, so nobody else should draw from it meanwhile.

    Args:
        generator: a CPU generator.

    Example:
        >>> dice = Dice(torch.Generator().manual_seed(0))
        >>> 0 <= dice.integer(6) < 6
        True
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator
        self._numbers: list[float] = []

    def uniform(self) -> float:
        """Return a number in [0, 1)."""
        if not self._numbers:
            self._numbers = torch.rand(BLOCK, dtype=torch.float64, generator=self.generator).tolist()
        return self._numbers.pop()

    def between(self, low: float, high: float) -> float:
        """Return a number in [low, high)."""
        return low + (high - low) * self.uniform()

    def integer(self, n: int) -> int:
        """Return one of 0 … n - 1."""
        return int(self.uniform() * n)

    def chance(self, probability: float) -> bool:
        """Return True with the given probability (no number is used up where it is zero)."""
        return probability > 0 and self.uniform() < probability

    def weighted(self, cumulative: Sequence[float]) -> int:
        """Return an index with a probability proportional to the steps of a cumulative sum.

        Example:
            >>> Dice(torch.Generator().manual_seed(0)).weighted([0.0, 1.0, 1.0])
            1
        """
        return bisect_right(cumulative, self.uniform() * cumulative[-1], hi=len(cumulative) - 1)
