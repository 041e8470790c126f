"""Seeds: whatever the caller has, a generator or a number, becomes a number that a draw can keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
