"""Where in a recording the source sounds.

Source: the source activity detection in the published training configuration of TUSS (Saijo et al., ICASSP
2025), after Luo and Yu, "Music source separation with band-split RNN", 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unbraid.datasets.track import Samples

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class ActivityRule:
    """Which windows of a recording are kept.

    The recording is brought to a peak of 1 and cut into chunks; a window is kept if enough of its chunks
    have a power not below the threshold, which is a quantile of all chunks' powers, but not below a minimum.

    Args:
        chunk: length of a chunk in seconds.
        n_chunks: chunks in a window.
        stride: chunks from one window to the next.
        n_active: chunks not below the threshold that make a window count; one is enough in recordings shorter
            than a window.
        quantile: of the chunks' powers.
        min_threshold: lowest threshold.
        min_power: power that stands for zero.
    """

    chunk: float = 0.5
    n_chunks: int = 16
    stride: int = 8
    n_active: int = 8
    quantile: float = 0.15
    min_threshold: float = 1e-3
    min_power: float = 1e-5


MUSDB_ACTIVITY = ActivityRule()
MOISES_ACTIVITY = ActivityRule(min_threshold=1e-5, min_power=1e-7)
SOUNDING = ActivityRule(n_active=1, quantile=0.0, min_threshold=1e-7, min_power=1e-9)


def active_spans(samples: Samples, sample_rate: int, *, rule: ActivityRule = MUSDB_ACTIVITY) -> Spans:
    """Return the windows (start, stop), in samples, in which the source sounds.

    Args:
        samples: ``[N]``.
        sample_rate: in hertz.
        rule: what counts as sounding.

    Returns:
        Windows, overlapping as the rule says; the whole recording where it is shorter than a window and
        sounds; nothing where it is silent.

    Example:
        >>> active_spans(np.ones(1000, dtype=np.float32), 100)
        ((0, 800), (200, 1000))
    """
    peak = float(np.abs(samples).max(initial=0.0))
    size = max(1, round(rule.chunk * sample_rate))
    if peak == 0.0:
        return ()
    n_chunks = -(-len(samples) // size)
    edges = np.arange(n_chunks) * size
    squares = np.add.reduceat(np.square(samples / peak, dtype=np.float32).astype(np.float64), edges)
    powers = squares / np.diff(np.append(edges, len(samples)))
    powers[powers == 0] = rule.min_power
    active = powers >= max(float(np.quantile(powers, rule.quantile)), rule.min_threshold)
    if n_chunks <= rule.n_chunks:
        return ((0, len(samples)),) if active.any() else ()
    last = len(samples) // size - rule.n_chunks
    starts = sorted({*range(0, last + 1, rule.stride), last})
    kept = [start for start in starts if active[start : start + rule.n_chunks].sum() >= rule.n_active]
    return tuple((start * size, (start + rule.n_chunks) * size) for start in kept)
