"""Where random numbers come from: seeds that a draw can keep, and the two spreads that draws are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unbraid.errors import DatasetError

if TYPE_CHECKING:
    from torch import Generator


def seed_of(generator: Generator | int) -> int:
    """Return a seed in 0..2**62 from a generator (which moves on), or the given one.

    Raises:
        DatasetError: if the seed is negative.

    Example:
        >>> seed_of(7)
        7
    """
    if isinstance(generator, int):
        if generator < 0:
            raise DatasetError(f"seed {generator} is negative: give 0 or more")
        return generator
    from torch import randint  # the processes that only render start without torch

    return int(randint(2**62, (), generator=generator))


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number between low and high."""
    return float(rng.uniform(low, high))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a positive number between low and high, with every octave as likely as the next: for frequencies and times.

    Example:
        >>> 20.0 <= log_uniform(np.random.default_rng(0), 20.0, 20000.0) <= 20000.0
        True
    """
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
