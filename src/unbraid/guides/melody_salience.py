"""Which pitches sound in a window of samples, and whether anything with a pitch does.

Salience of pitch is that of Salamon and Gómez, "Melody Extraction From Polyphonic Music Signals Using Pitch Contour
Characteristics", IEEE TASLP 20(6), 2012, section II: the peaks of the spectrum vote for the pitches whose harmonics
they may be. The grid is coarser here, and magnitudes are compressed.

Axes: T frames, F bins, P pitches.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE = 8000  # hertz: what is heard of a recording
WINDOW = 2048
PITCHES_PER_SEMITONE = 3
LOWEST, HIGHEST = 28, 96  # MIDI pitches: E1 to below C7
N_PITCHES = (HIGHEST - LOWEST) * PITCHES_PER_SEMITONE

_LOWEST_PEAK, _HIGHEST_PEAK = 35.0, 3800.0  # hertz
_PEAK_FLOOR = 10 ** (-45 / 20)  # of the highest peak of the frame
_COMPRESSION = 0.7
_N_HARMONICS, _DAMPING = 8, 0.8  # a vote for the pitch h times lower weighs damping ** (h - 1)
_SPREAD = np.array([0.25, 0.75, 1.0, 0.75, 0.25], np.float32) / 3  # a vote reaches two thirds of a semitone far
_LOWEST_TONE = 80.0  # hertz: what is lower has no room below it; of lower notes, the harmonics are seen
_LOBE, _SIDE = 3, 18  # bins: those that a tone fills on each side, and those that it is measured from

Floats = npt.NDArray[np.float32]


def magnitudes(windows: Floats) -> Floats:
    """Return the spectra ``[T, F]`` of windows ``[T, 2048]`` of samples at 8 kHz."""
    hann = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    return np.abs(np.fft.rfft(windows * hann, axis=1)).astype(np.float32)


def prominence_of(magnitude: Floats) -> Floats:
    """Return how far the sharpest peak of each spectrum ``[T, F]`` stands out, in decibels.

    A peak is measured from the mean level, in decibels, of the bins on its louder side: for noise of any color about
    10, for a tone 20 and more, even where noise is as loud as the tone.

    Example:
        >>> windows = np.stack([np.sin(np.arange(WINDOW) * 0.3), np.random.default_rng(0).normal(size=WINDOW)])
        >>> prominence_of(magnitudes(windows.astype(np.float32))) > 18
        array([ True, False])
    """
    level = 20 * np.log10(magnitude + 1e-9)
    first, last = (round(hertz * WINDOW / RATE) for hertz in (_LOWEST_TONE, _HIGHEST_PEAK))
    sums = np.cumsum(np.pad(level, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    at = np.arange(first, last)
    near, far = _LOBE, _LOBE + _SIDE
    below = (sums[:, at - near + 1] - sums[:, at - far + 1]) / _SIDE
    above = (sums[:, at + far] - sums[:, at + near]) / _SIDE
    result: Floats = (level[:, first:last] - np.maximum(below, above)).max(axis=1).astype(np.float32)
    return result


def salience_of(magnitude: Floats) -> Floats:
    """Return how strongly each pitch sounds ``[T, P]`` in spectra ``[T, F]``; of one tone alone, about 1."""
    n_frames = len(magnitude)
    frames, hertz, heights = _peaks(magnitude)
    place = (69 + 12 * np.log2(hertz / 440) - LOWEST) * PITCHES_PER_SEMITONE
    votes = np.zeros(n_frames * N_PITCHES)
    for harmonic in range(1, _N_HARMONICS + 1):
        lower = place - PITCHES_PER_SEMITONE * 12 * np.log2(harmonic)
        index = np.floor(lower).astype(np.int64)
        above = lower - index
        inside = (index >= 0) & (index < N_PITCHES - 1)
        at = (frames * N_PITCHES + index)[inside]
        weight = (heights * _DAMPING ** (harmonic - 1))[inside]
        votes += np.bincount(at, weight * (1 - above[inside]), len(votes))
        votes += np.bincount(at + 1, weight * above[inside], len(votes))
    padded = np.pad(votes.reshape(n_frames, N_PITCHES).astype(np.float32), ((0, 0), (2, 2)))
    spread = [weight * padded[:, shift : shift + N_PITCHES] for shift, weight in enumerate(_SPREAD)]
    result: Floats = np.sum(spread, axis=0, dtype=np.float32)
    return result


def _peaks(magnitude: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], Floats]:
    """Return frame, frequency and height of each peak of ``[T, F]``; 1 is the height of the highest of its frame."""
    top = magnitude.max(axis=1, keepdims=True)
    inner = magnitude[:, 1:-1]
    is_peak = (inner > magnitude[:, :-2]) & (inner >= magnitude[:, 2:]) & (inner > _PEAK_FLOOR * top) & (top > 1e-6)
    frames, bins = np.nonzero(is_peak)
    bins += 1
    low, middle, high = (np.log(magnitude[frames, bins + side] + 1e-12) for side in (-1, 0, 1))
    hertz = (bins + 0.5 * (low - high) / np.minimum(low - 2 * middle + high, -1e-6)) * RATE / WINDOW
    kept = (hertz > _LOWEST_PEAK) & (hertz < _HIGHEST_PEAK)
    frames, bins, hertz = frames[kept], bins[kept], hertz[kept]
    heights: Floats = (magnitude[frames, bins] / top[frames, 0]) ** np.float32(_COMPRESSION)
    return frames, hertz, heights
