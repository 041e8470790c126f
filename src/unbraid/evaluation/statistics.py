"""Whether two columns of paired scores differ: tests that assume nothing of their distribution.

Both ask how often chance alone would move the scores as far, if either sign of every difference were as likely.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

EXACT_RANKS = 25  # differences; above that a normal distribution is close enough
EXACT_SIGNS = 16
N_DRAWS = 20_000
N_RESAMPLES = 10_000
AT_ONCE = 1 << 22  # numbers that are drawn at a time


def wilcoxon_signed_rank(differences: Sequence[float]) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test.

    Differences of zero are left out. Up to 25 differences the distribution is exact, with ties too, else normal with
    corrections for ties and continuity. Source: Wilcoxon, "Individual comparisons by ranking methods", 1945; Pratt
    and Gibbons, "Concepts of nonparametric theory", 1981.

    Args:
        differences: one per track.

    Returns:
        The probability; 1 where no difference is left.

    Example:
        >>> wilcoxon_signed_rank([1.0, 2.0, 3.0, 4.0, 5.0])
        0.0625
    """
    values = np.asarray([one for one in differences if one != 0], dtype=np.float64)
    count = len(values)
    if count == 0:
        return 1.0
    ranks, ties = _ranks(np.abs(values))
    positive = float(ranks[values > 0].sum())
    total = count * (count + 1) / 2
    least = min(positive, total - positive)
    if count <= EXACT_RANKS:
        ways = np.zeros(round(2 * total) + 1, dtype=np.float64)  # of sums of doubled ranks, which are whole numbers
        ways[0] = 1
        for rank in np.rint(2 * ranks).astype(int):
            ways[rank:] = ways[rank:] + ways[:-rank]
        return min(1.0, 2 * float(ways[: round(2 * least) + 1].sum()) / 2.0**count)
    variance = count * (count + 1) * (2 * count + 1) / 24 - float((ties**3 - ties).sum()) / 48
    if variance <= 0:
        return 1.0
    deviation = min(0.0, least - total / 2 + 0.5) / math.sqrt(variance)
    return min(1.0, math.erfc(-deviation / math.sqrt(2)))


def sign_flip_test(differences: Sequence[float], *, seed: int = 0) -> float:
    """Return the two-sided p-value of the permutation test of a mean difference.

    Up to 16 differences all patterns of signs are tried, else 20,000 are drawn. Source: Fisher, "The design of
    experiments", 1935, section 21; Phipson and Smyth, "Permutation p-values should never be zero", 2010, for draws.

    Args:
        differences: one per track.
        seed: of the draws.

    Returns:
        The probability; 1 without differences.

    Example:
        >>> sign_flip_test([1.0, 1.0, 1.0, 1.0, 1.0])
        0.0625
    """
    values = np.asarray(differences, dtype=np.float64)
    count = len(values)
    if count == 0:
        return 1.0
    observed = abs(float(values.sum())) * (1 - 1e-12)
    if count <= EXACT_SIGNS:
        signs = 1 - 2 * ((np.arange(2**count)[:, None] >> np.arange(count)) & 1)
        return float((np.abs(signs @ values) >= observed).mean())
    generator, step = np.random.default_rng(seed), max(1, AT_ONCE // count)
    sizes = [min(step, N_DRAWS - first) for first in range(0, N_DRAWS, step)]
    sums = (generator.choice(np.array([-1.0, 1.0]), size=(size, count)) @ values for size in sizes)
    return (1 + sum(int((np.abs(one) >= observed).sum()) for one in sums)) / (N_DRAWS + 1)


def resample_items(
    values: npt.NDArray[np.float64],
    statistic: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    generator: np.random.Generator,
    *,
    count: int = N_RESAMPLES,
) -> npt.NDArray[np.float64]:
    """Return a statistic of items that are drawn with replacement, so often; memory does not grow with the items.

    Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13.

    Args:
        values: one row per item.
        statistic: from drawn items, of which axis 0 counts the draws and axis 1 the items, to one number per draw.
        generator: of the draws.
        count: how often.

    Example:
        >>> resample_items(np.ones(3), lambda drawn: drawn.mean(axis=1), np.random.default_rng(0), count=2)
        array([1., 1.])
    """
    n_items = len(values)
    step = max(1, AT_ONCE // max(1, values.size))
    sizes = [min(step, count - first) for first in range(0, count, step)]
    return np.concatenate([statistic(values[generator.integers(n_items, size=(size, n_items))]) for size in sizes])


def mean_of_items(drawn: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the mean of every draw of `resample_items`."""
    means: npt.NDArray[np.float64] = drawn.mean(axis=1)
    return means


def _ranks(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return ranks from 1, the mean of them among equals, and how many are equal in each group of more than one."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means = last - (counts - 1) / 2
    return means[places], counts[counts > 1].astype(np.int64)
