"""Draws an explanation with Matplotlib (the extra ``unbraid[plot]``), without its global state.

Axes: S targets, F bins, T columns, L latent sources.
"""

from __future__ import annotations

import os
import warnings
from importlib import util
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from unbraid.errors import SettingsError
from unbraid.explanation.attention import FLOOR_DB, BlockAttention, Explanation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOWEST_HZ = 40.0
N_ROWS = 256  # of the spectrogram, at equal distances on the ear's scale
MAX_DRAWN = 1200  # columns; a panel has fewer pixels
RANGE_DB = 80.0
MAX_TICKS = 6  # of time
ALONE = 0.01  # seconds on either side of the middle of the only frame that there is
TITLE_LETTERS = 9  # in an inch
DOTS_PER_INCH = 130
Array = npt.NDArray[np.float32]


def check_drawing() -> None:
    """Find out before the work whether pictures can be drawn here.

    Raises:
        SettingsError: if Matplotlib is missing.
    """
    if util.find_spec("matplotlib") is None:
        raise SettingsError("drawing needs Matplotlib: pip install 'unbraid[plot]'")


def draw_explanation(explanation: Explanation, path: str | os.PathLike[str], *, title: str) -> None:
    """Draw the coefficients below the spectrogram: a row for each target, a column for each block of the decoder.

    All panels have one time axis in seconds; all coefficients have one scale of colors.

    Args:
        explanation: what to draw.
        path: of a PNG file.
        title: above it all; as it is, never as a formula.

    Raises:
        SettingsError: if Matplotlib is missing.
        OSError: if the file cannot be written.
    """
    check_drawing()
    from matplotlib.figure import Figure

    n_targets, n_blocks = len(explanation.labels), len(explanation.blocks)
    size = (max(8.0, 4.2 * n_blocks + 1.2), 2.9 + 1.5 * n_targets)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    ratios = [1.5, *[1.0] * n_targets]
    panels = figure.subplots(1 + n_targets, n_blocks, sharex=True, squeeze=False, height_ratios=ratios)
    highest = max(float(block.coefficients.max()) for block in explanation.blocks)
    for column, block in enumerate(explanation.blocks):
        sound = _draw_spectrogram(panels[0, column], explanation)
        steps = block.times.diff()
        each = f": {1000 * float(steps.mean()):.0f} ms a column" if len(steps) else ""
        panels[0, column].set_title(f"decoder block {column + 1} of {n_blocks}{each}", fontsize=10)
        for row, coefficients in enumerate(block.coefficients.numpy(), 1):
            weights = _draw_coefficients(panels[row, column], coefficients.T, block, explanation, highest)
        panels[-1, column].set_xlabel("time (s)")
        if column:
            for panel in panels[:, column]:
                panel.tick_params(labelleft=False)
    panels[0, 0].set_ylabel("mixture\nfrequency (Hz)")
    for panel, label in zip(panels[1:, 0], explanation.labels, strict=True):
        panel.set_ylabel(f"{_shorten(label, 24)}\nlatent source", parse_math=False)
    panels[0, 0].set_xlim(_extent(explanation))
    panels[0, 0].locator_params(axis="x", nbins=MAX_TICKS)
    figure.colorbar(sound, ax=panels[0], label="level (dB)", pad=0.01)
    figure.colorbar(weights, ax=panels[1:], label="attention coefficient", pad=0.01, aspect=15 * n_targets)
    figure.suptitle(_shorten(title, int(size[0] * TITLE_LETTERS)), parse_math=False)
    _save(figure, path)


def _draw_spectrogram(panel: Axes, explanation: Explanation) -> Any:
    levels, times = _thin(explanation.spectrogram.numpy(), explanation.times.numpy())
    frequencies = explanation.frequencies.numpy()
    rows = np.geomspace(LOWEST_HZ, frequencies[-1], N_ROWS)
    nearest = np.abs(frequencies[None] - rows[:, None]).argmin(axis=1)
    top = max(float(levels.max()), FLOOR_DB + RANGE_DB)  # so that silence is dark
    drawn = panel.pcolormesh(
        _edges(times, _extent(explanation)),
        _edges(rows, (0, 0)),
        levels[nearest],
        vmin=top - RANGE_DB,
        vmax=top,
        cmap="magma",
        rasterized=True,
    )
    panel.set_yscale("log")
    ticks = [hertz for hertz in (100, 1000, 10000) if hertz < frequencies[-1]]
    panel.set_yticks(ticks, labels=[f"{hertz // 1000}k" if hertz >= 1000 else f"{hertz}" for hertz in ticks])
    return drawn


def _draw_coefficients(
    panel: Axes, coefficients: Array, block: BlockAttention, explanation: Explanation, highest: float
) -> Any:
    """Draw ``[L, T]``; latent sources are counted from 1."""
    shown, times = _thin(coefficients, block.times.numpy())
    n_latent = len(shown)
    sources = np.arange(0.5, n_latent + 1)
    edges = _edges(times, _extent(explanation))
    drawn = panel.pcolormesh(edges, sources, shown, vmin=0.0, vmax=highest, cmap="viridis", rasterized=True)
    step = max(1, -(-n_latent // 6))
    panel.set_yticks(range(1, n_latent + 1, step))
    panel.set_ylim(n_latent + 0.5, 0.5)
    return drawn


def _thin(rows: Array, times: Array) -> tuple[Array, Array]:
    """Average neighboring columns ``[.., T]`` until a panel can show them all."""
    group = -(-len(times) // MAX_DRAWN)
    starts = np.arange(0, len(times), group)
    sizes = np.diff(np.append(starts, len(times)))
    means = [np.add.reduceat(values, starts, axis=-1) / sizes for values in (rows, times)]
    return means[0].astype(np.float32), means[1].astype(np.float32)


def _extent(explanation: Explanation) -> tuple[float, float]:
    """Return where the time axis begins and ends, in seconds."""
    times = explanation.times.numpy()
    edges = _edges(times, (float(times[0]) - ALONE, float(times[0]) + ALONE))
    return float(edges[0]), float(edges[-1])


def _edges(centers: Array, extent: tuple[float, float]) -> Array:
    """Return where cells with these centers begin and end; a single one fills all of the extent."""
    if len(centers) == 1:
        return np.array(extent, dtype=np.float32)
    middles = (centers[1:] + centers[:-1]) / 2
    ends = (centers[0] - (middles[0] - centers[0]), centers[-1] + (centers[-1] - middles[-1]))
    edges: Array = np.concatenate([ends[:1], middles, ends[1:]]).astype(np.float32)
    return edges


def _shorten(text: str, longest: int) -> str:
    text = " ".join(text.encode("utf-8", errors="replace").decode("utf-8").split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _save(figure: Figure, path: str | os.PathLike[str]) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")  # scripts that the font does not have
        figure.savefig(path, format="png")
