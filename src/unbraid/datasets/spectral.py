"""Noise of any color and filters of any shape, made in the frequency domain.

Axes: N samples. Everything here is float32 NumPy at ``SAMPLE_RATE``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 44100
"""Rate of everything that is synthesized, in hertz."""

Samples = npt.NDArray[np.float32]
Response = Callable[[Samples], Samples]
"""A magnitude response: frequencies in hertz to gains."""

_SIZES = tuple(sorted(2**a * 3**b * 5**c for a in range(24) for b in range(3) for c in range(3)))


def as_samples(array: npt.ArrayLike) -> Samples:
    """Return an array as float32, copied only if it is not that already."""
    return np.asarray(array, dtype=np.float32)


def fft_size(n_samples: int) -> int:
    """Return the smallest size that is quick to transform and holds the samples.

    Example:
        >>> fft_size(1000)
        1024
    """
    return next((size for size in _SIZES if size >= n_samples), n_samples)


def apply_response(samples: Samples, response: Response) -> Samples:
    """Filter ``[N]`` samples with a zero-phase magnitude response; a tail of 10 ms guards against wrap-around."""
    size = fft_size(len(samples) + SAMPLE_RATE // 100)
    spectrum = np.fft.rfft(samples, size)
    gains = response(np.fft.rfftfreq(size, 1.0 / SAMPLE_RATE).astype(np.float32))
    return np.fft.irfft(spectrum * gains, size)[: len(samples)].astype(np.float32)


def colored_noise(rng: np.random.Generator, n_samples: int, response: Response) -> Samples:
    """Return ``[N]`` noise of the given spectrum, scaled to an RMS of 1."""
    white = rng.standard_normal(max(n_samples, 1), dtype=np.float32)
    noise = apply_response(white, response)[:n_samples]
    level = float(np.sqrt(np.mean(np.square(noise)))) if n_samples else 0.0
    return as_samples(noise / np.float32(max(level, 1e-9)))


def band(low: float, high: float, *, slope: float = 2.0) -> Response:
    """Return a band-pass response from low to high hertz; slope 1 falls by 6 dB per octave.

    Example:
        >>> float(band(100.0, 1000.0)(np.array([300.0], np.float32))[0]) > 0.9
        True
    """

    def gains(frequencies: Samples) -> Samples:
        safe = np.maximum(frequencies, 1e-3)
        rising = 1.0 / (1.0 + (low / safe) ** (2 * slope))
        falling = 1.0 / (1.0 + (safe / high) ** (2 * slope))
        return np.sqrt(rising * falling).astype(np.float32)

    return gains


def low_pass(hertz: float, *, order: int) -> Response:
    """Return a smooth low-pass response that is down to one half at the given frequency."""
    return lambda frequencies: as_samples(1.0 / (1.0 + (frequencies / hertz) ** order))


def tilt(decibels_per_octave: float, *, floor: float = 40.0) -> Response:
    """Return a straight slope around 1 kHz, cut off below the floor in hertz: -3 is pink, -6 is brown noise."""

    def gains(frequencies: Samples) -> Samples:
        safe = np.maximum(frequencies, floor)
        cut = 1.0 / np.sqrt(1.0 + (floor / np.maximum(frequencies, 1e-3)) ** 4)
        return (cut * (safe / 1000.0) ** (decibels_per_octave / 6.0206)).astype(np.float32)

    return gains


def resonances(centers: npt.ArrayLike, widths: npt.ArrayLike, gains: npt.ArrayLike) -> Response:
    """Return the sum of resonances with centers and widths in hertz and linear gains."""
    triples = list(
        zip(*(np.atleast_1d(np.asarray(a, dtype=np.float64)) for a in (centers, widths, gains)), strict=True)
    )

    def response(frequencies: Samples) -> Samples:
        total = np.zeros_like(frequencies, dtype=np.float64)
        for center, width, gain in triples:
            total += gain / np.sqrt(1.0 + np.square((frequencies - center) / (width / 2)))
        return total.astype(np.float32)

    return response


def times(first: Response, second: Response) -> Response:
    """Return one response after the other."""
    return lambda frequencies: as_samples(first(frequencies) * second(frequencies))


def slow_noise(rng: np.random.Generator, n_samples: int, rate: float) -> Samples:
    """Return ``[N]`` smooth random values between -1 and 1 that turn about ``rate`` times a second."""
    n_knots = max(4, int(np.ceil(n_samples / SAMPLE_RATE * rate)) + 3)
    knots = rng.uniform(-1.0, 1.0, n_knots)
    position = np.arange(n_samples, dtype=np.float32) * np.float32(rate / SAMPLE_RATE)
    index = np.minimum(position.astype(np.int32), n_knots - 2)
    fraction = position - index
    fraction = fraction * fraction * (3 - 2 * fraction)
    return as_samples(knots[index] * (1 - fraction) + knots[index + 1] * fraction)


def decay(n_samples: int, seconds: float, *, attack: float = 0.0005) -> Samples:
    """Return ``[N]``: a quick rise, then an exponential fall by 60 dB in the given seconds."""
    time = np.arange(n_samples, dtype=np.float32) / SAMPLE_RATE
    fall = np.exp(time * np.float32(-6.9078 / max(seconds, 1e-4)))
    return (fall * np.minimum(time / np.float32(max(attack, 1e-5)), 1.0)).astype(np.float32)


def add_at(target: Samples, start: int, samples: Samples, *, gain: float = 1.0) -> None:
    """Add samples into the last axis of the target from a start, as far as both reach."""
    first, last = max(start, 0), min(start + samples.shape[-1], target.shape[-1])
    if last > first:
        target[..., first:last] += np.float32(gain) * samples[..., first - start : last - start]


def level_to_one(samples: npt.NDArray[Any]) -> Samples:
    """Scale ``[N]`` to an RMS of 1; silence stays silence."""
    level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    return as_samples(samples / np.float32(level) if level > 1e-12 else samples)
