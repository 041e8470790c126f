"""Which output of a window continues which output of the windows before.

A network that is asked for two speakers may give them in one order in a window, and in the other in the next.

Axes: S outputs, G outputs of a group, C channels, N samples, K bands.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_N_BANDS = 32
_LOWEST = 1 / 512  # upper edge of the lowest band, as a fraction of the highest frequency
_HINT = 1e-3  # an overlap that is 30 dB below its window says less than the sound of the window
_INERTIA = 1e-6  # of the power: a smaller advantage is chance, and the order stays


class Continuity:
    """Put the outputs of each window in the order that continues the windows before.

    Within each group, the order is taken whose squared error is smallest against what the windows before left on the
    samples that both share. Where these are silent (a pause between two sentences), that says nothing; there, outputs
    are told apart by their average spectrum since the beginning of the recording. This hint weighs 30 dB less. Where
    nothing speaks for another order, it stays as it is; so equal evidence always gives the same result.

    The best of all orders is found exactly, for groups of any size.

    Args:
        groups: indices of outputs that may change places with each other, each index at most once.

    Raises:
        ValueError: if an index is in two groups, or twice in one.

    Example:
        >>> continuity, window = Continuity([(0, 1)]), torch.eye(2)[:, None]
        >>> continuity.order(torch.zeros(2, 1, 0), window), continuity.order(window, window.flip(0))
        ([0, 1], [1, 0])
    """

    def __init__(self, groups: Sequence[Sequence[int]]) -> None:
        members = [index for group in groups for index in group]
        if len(set(members)) < len(members):
            raise ValueError(f"an output may be in one group only, got {[list(group) for group in groups]}")
        self.groups = tuple(tuple(group) for group in groups if len(group) > 1)
        self._spectra = [torch.zeros(len(group), _N_BANDS, dtype=torch.float64) for group in self.groups]

    def order(self, before: Tensor, window: Tensor) -> list[int]:
        """Find the order of a window's outputs, and remember how they sound.

        Args:
            before: what the windows before left on the first m samples of the window, ``[S, C, m]``; m may be 0.
            window: the outputs of the window as they came, ``[S, C, n]``.

        Returns:
            S indices into the outputs of the window: the first one continues output 0, and so on.
        """
        order = list(range(len(window)))
        for group, spectra in zip(self.groups, self._spectra, strict=True):
            members = list(group)
            heard = band_powers(window[members])
            costs = _costs(before[members], window[members]) + _HINT * _dissimilarity(spectra, heard, window[members])
            taken = assign(costs.tolist())
            for place, index in zip(members, taken, strict=True):
                order[place] = members[index]
            spectra.add_(heard[taken])
        return order


def _costs(before: Tensor, window: Tensor) -> Tensor:
    """Mean squared error ``[G, G]`` of each output before (rows) against each of the window, up to a constant.

    The energies of the outputs are the same for each order, so only the products are left of the squared error.
    """
    n_shared = before.shape[-1]
    old = before.flatten(1).double()
    new = window[..., :n_shared].flatten(1).double()
    products = old @ new.T / max(1, old.shape[1])
    power = old.square().mean() + new.square().mean() if old.numel() else products.new_zeros(())
    return -2 * products - _INERTIA * power * torch.eye(len(old), dtype=torch.float64)


def _dissimilarity(spectra: Tensor, heard: Tensor, window: Tensor) -> Tensor:
    """How unlike the outputs before (rows) those of the window sound, ``[G, G]``, times the power of the latter."""
    power = window.double().square().mean(dim=(1, 2))  # [G]
    likeness = (
        torch.nn.functional.normalize(spectra.sqrt(), dim=1) @ torch.nn.functional.normalize(heard.sqrt(), dim=1).T
    )
    inertia = _INERTIA * torch.eye(len(heard), dtype=torch.float64)
    return power * (1 - likeness - inertia)


def band_powers(signals: Tensor) -> Tensor:
    """Power ``[G, K]`` of signals ``[G, C, N]`` in bands that widen with frequency, all channels together."""
    power: Tensor = torch.fft.rfft(signals).abs().square().sum(dim=1).double()  # [G, N // 2 + 1]
    frequencies = torch.arange(power.shape[1]) / max(1, power.shape[1] - 1)
    edges = torch.logspace(0, 1, _N_BANDS, base=_LOWEST).flip(0)[:-1]
    bands = torch.zeros(len(power), _N_BANDS, dtype=torch.float64)
    return bands.index_add_(1, torch.bucketize(frequencies, edges), power)


def assign(costs: Sequence[Sequence[float]]) -> list[int]:
    """Pair the rows of a square matrix with its columns at the smallest total cost.

    Source: the Hungarian algorithm in the form of shortest augmenting paths (Jonker and Volgenant, 1987), O(n^3).

    Args:
        costs: n rows of n finite numbers.

    Returns:
        The column of each row.

    Example:
        >>> assign([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]])
        [1, 0, 2]
    """
    size = len(costs)
    row_price, column_price = [0.0] * size, [0.0] * (size + 1)
    row_of = [-1] * (size + 1)  # the last column is where each search begins
    for row in range(size):
        row_of[size], column = row, size
        distance, came_from, done = [float("inf")] * size, [size] * size, [False] * (size + 1)
        while row_of[column] >= 0:
            done[column], current = True, row_of[column]
            for other in (other for other in range(size) if not done[other]):
                reduced = costs[current][other] - row_price[current] - column_price[other]
                if reduced < distance[other]:
                    distance[other], came_from[other] = reduced, column
            nearest = min((other for other in range(size) if not done[other]), key=distance.__getitem__)
            step = distance[nearest]
            for other in range(size):
                if not done[other]:
                    distance[other] -= step
            for other in (other for other in range(size + 1) if done[other]):
                row_price[row_of[other]] += step
                column_price[other] -= step
            column = nearest
        while column != size:
            row_of[column], column = row_of[came_from[column]], came_from[column]
    result = [0] * size
    for column, row in enumerate(row_of[:size]):
        result[row] = column
    return result
