"""Songs cut into segments of a minute, and which of them are silent, as InstGlow is examined.

Source: Zhu et al., "Music source separation with generative flow", IEEE SPL 2022, section IV-A, and its published
evaluation: the remainder of a song goes to its last segment, and references whose energy is 20 or less are dropped.

Axes: C channels, N samples.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unbraid.datasets.public.dataset import Track
from unbraid.errors import DatasetError

SECONDS = 60.0
LEAST_ENERGY = 20.0

Segment = tuple[int, int]


def cut_segments(n_samples: int, sample_rate: int, *, seconds: float = SECONDS) -> tuple[Segment, ...]:
    """Cut a length into segments (start, stop), in samples; what is left over goes to the last one.

    A song of 150 s has segments of 60 and 90 s, one of 50 s is a segment of its own.

    Raises:
        DatasetError: if there is nothing to cut.

    Example:
        >>> cut_segments(150, 1), cut_segments(50, 1)
        (((0, 60), (60, 150)), ((0, 50),))
    """
    size = round(seconds * sample_rate)
    if n_samples <= 0 or size <= 0:
        raise DatasetError(f"{n_samples} samples cannot be cut into segments of {seconds:g} s at {sample_rate} Hz")
    count = max(1, n_samples // size)
    starts = [index * size for index in range(count)]
    return tuple(zip(starts, [*starts[1:], n_samples], strict=True))


def segments_of(track: Track, *, seconds: float = SECONDS) -> tuple[Segment, ...]:
    """Return the segments of a track, in samples at its own rate; see `cut_segments`.

    Raises:
        DatasetError: if its files have several rates.
    """
    return cut_segments(track.n_samples, track.sample_rate, seconds=seconds)


def is_silent(reference: npt.NDArray[np.floating], *, least_energy: float = LEAST_ENERGY) -> bool:
    """Tell whether a reference is too quiet for its SDR to say anything.

    The published rule is for mono at 22.05 kHz, 16 bits scaled to -1 … 1; the energy of stereo is that of the mean of
    its channels.

    Args:
        reference: ``[N]`` or ``[C, N]``.
        least_energy: of the sum of squares; references at or below it are silent, and so are those that hold NaN.

    Example:
        >>> is_silent(np.zeros(100)), is_silent(np.ones((2, 100)))
        (True, False)
    """
    mono = np.atleast_2d(reference).mean(axis=0, dtype=np.float64)
    energy = float(np.square(mono).sum())
    return not energy > least_energy
