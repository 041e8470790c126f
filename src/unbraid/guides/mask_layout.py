"""How a painting of any size comes to lie on the grid of a mixture.

Rows run from low to high frequencies and are evenly spaced in mels, columns in time.

Axes: H rows, W columns, K mel bands, T frames.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from unbraid.errors import GuideError
from unbraid.guides.mask_grid import FRAMES_PER_SECOND, N_BANDS, crop_mask

SLACK_SHARE = 0.02
SLACK_FRAMES = 16


class Sides(NamedTuple):
    """What a file holds, on the grid ``[K, T]`` in 0..1: one or both sides, or one that is whichever it is given as."""

    positive: Tensor | None = None
    negative: Tensor | None = None
    either: Tensor | None = None


def fits(n_columns: int, n_wanted: int) -> bool:
    """Tell whether a painting is as long as the mixture: within 2 %, or 16 columns where that is more.

    Example:
        >>> fits(1016, 1000), fits(1021, 1000), fits(10, 20)
        (True, False, True)
    """
    return abs(n_columns - n_wanted) <= max(SLACK_FRAMES, SLACK_SHARE * n_wanted)


def lay(painting: Tensor, n_frames: int) -> Tensor:
    """Bring a painting onto the grid of a mixture.

    One of 80 rows is on the grid already: it must be as long as the mixture (`fits`), and is cut or filled up with
    zeros at its end. Any other size is stretched over the whole mixture.

    Args:
        painting: ``[H, W]``.
        n_frames: T of the mixture.

    Returns:
        float32 ``[K, T]``.

    Raises:
        GuideError: if it is not as long as the mixture, or its axes have changed places.

    Example:
        >>> lay(torch.ones(80, 90), 100).shape, lay(torch.ones(2, 3), 100).shape
        (torch.Size([80, 100]), torch.Size([80, 100]))
    """
    n_rows, n_columns = painting.shape
    if n_rows != N_BANDS:
        if n_columns == N_BANDS and fits(n_rows, n_frames):
            raise GuideError(f"has {n_rows} rows and {N_BANDS} columns: turn it, rows are bands and columns are frames")
        return stretch(painting, n_frames)
    if not fits(n_columns, n_frames):
        raise GuideError(other_song(lasting(n_columns), lasting(n_frames)))
    return crop_mask(painting.float(), 0, n_frames)


def stretch(painting: Tensor, n_frames: int, *, columns_per_frame: float | None = None) -> Tensor:
    """Average a painting ``[H, W]`` over the cells of the grid: ``[K, T]``.

    Args:
        painting: rows from low to high.
        n_frames: T.
        columns_per_frame: how wide a frame is in the painting, which begins with the first; None lays it over all
            frames. What lies behind its end is zero.

    Example:
        >>> stretch(torch.tensor([[0.0, 1.0]]), 4)[0]
        tensor([0., 0., 1., 1.])
    """
    n_rows, n_columns = painting.shape
    width = n_columns / n_frames if columns_per_frame is None else columns_per_frame
    bands = _average(painting.T, torch.arange(N_BANDS + 1, dtype=torch.float64) * (n_rows / N_BANDS)).T
    return _average(bands, torch.arange(n_frames + 1, dtype=torch.float64) * width)


def lasting(n_frames: int) -> float:
    """Return for how many seconds frames last: from the middle of the first to that of the last.

    Example:
        >>> lasting(251)
        4.0
    """
    return (n_frames - 1) / FRAMES_PER_SECOND


def other_song(painted: float, mixture: float) -> str:
    """Return the message that a mask lasts longer or shorter than the mixture, both in seconds."""
    return (
        f"is of another song: it lasts {painted:.2f} s, the mixture {mixture:.2f} s: "
        "give the mask that was painted on this one"
    )


def _average(values: Tensor, edges: Tensor) -> Tensor:
    """Average along the last axis between edges, which count cells; beyond the last cell all is zero."""
    n_cells = values.shape[-1]
    padded = functional.pad(values, (0, 1))  # the cell behind the last one is zero
    sums = functional.pad(padded.double().cumsum(-1), (1, 0))
    cells = edges.floor().clamp(0, n_cells).long()
    sums = sums[..., cells] + padded[..., cells] * (edges.clamp_max(n_cells) - cells)
    return (sums.diff(dim=-1) / edges.diff()).float().clamp(0, 1)
