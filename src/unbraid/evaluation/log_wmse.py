"""Log-WMSE: how loud the error is to a listener, defined on silence too.

The error is weighted by frequency as hearing is, brought to the level of the weighted mixture, freed of what nobody
hears, squared, averaged, and put on a logarithmic scale whose numbers are like decibels.

Source: Jordal, "logWMSE", 2024 (log-wmse-audio-quality 0.2), from its description; the table of the weighting was
measured on its filter, to 0.01 dB where that passes more than -30 dB.

Axes: C channels, N samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unbraid.audio.resample import resample

SAMPLE_RATE = 44100
SCALE = -4.0
EPSILON = 1e-8
INAUDIBLE = 10 ** (-68 / 20)  # of the level of the mixture, sample by sample
BEST = SCALE * float(np.log(EPSILON))
_REACH = 512  # samples to each side; the rest of the filter holds less than 1e-9 of its energy
_BLOCK = (1 << 17) - 4 * _REACH
_RESPONSE = (  # hertz, decibels
    (10.8, -41.89), (21.5, -29.85), (43.1, -17.86), (64.6, -11.07), (96.9, -5.17), (118.4, -2.99), (150.7, -1.24),
    (226.1, 0.23), (333.8, 1.34), (398.4, 2.0), (463.0, 2.45), (549.1, 2.47), (646.0, 2.06), (753.7, 1.66),
    (1087.4, 1.61), (1356.6, 2.25), (1711.9, 3.17), (2164.1, 3.9), (3133.1, 4.23), (4317.4, 3.86), (6223.1, 2.71),
    (8624.0, 0.57), (10626.6, -1.83), (12930.7, -5.42), (15234.7, -10.28), (16236.0, -12.98), (17237.3, -16.22),
    (18281.7, -20.42), (19132.3, -24.84), (19875.1, -29.92), (20467.3, -35.42), (21027.2, -42.96), (21231.7, -46.81),
    (21307.1, -48.48), (21339.4, -49.25), (21360.9, -49.78), (21974.6, -87.15), (22050.0, -129.06),
)  # fmt: skip


def log_wmse(*, estimate: Tensor, reference: Tensor, mixture: Tensor, sample_rate: int) -> Tensor:
    """Return the level of the weighted error against the mixture, on a scale like that of decibels; higher is better.

    All three may be scaled together, the estimate alone may not. A perfect estimate scores 73.68, also of silence; an
    estimate of silence that is as loud as the mixture scores 0.

    Args:
        estimate: ``[..., C, N]``.
        reference: ``[..., C, N]``.
        mixture: ``[..., C, N]``, of a shape that broadcasts with theirs.
        sample_rate: in hertz; other rates than 44.1 kHz are converted.

    Returns:
        ``[...]``, float64, mean over channels; channels in which the mixture is silent do not count, nan where it is
        silent in all.

    Raises:
        ValueError: if the lengths differ, or there are no samples.

    Example:
        >>> mixture = torch.randn(1, 44100, generator=torch.Generator().manual_seed(0))
        >>> silence = torch.zeros(1, 44100)
        >>> log_wmse(estimate=0.1 * mixture, reference=silence, mixture=mixture, sample_rate=44100).round(decimals=2)
        tensor(18.4200, dtype=torch.float64)
        >>> log_wmse(estimate=silence, reference=silence, mixture=mixture, sample_rate=44100).round(decimals=2)
        tensor(73.6800, dtype=torch.float64)
    """
    lengths = {signal.shape[-1] for signal in (estimate, reference, mixture)}
    if len(lengths) != 1:
        raise ValueError(f"signals differ in length: {' and '.join(map(str, sorted(lengths)))} samples")
    if 0 in lengths:
        raise ValueError("there is nothing to score: the signals have no samples")
    error = _at_rate(estimate.double() - reference.double(), sample_rate)
    heard = _at_rate(mixture, sample_rate)
    count = error.shape[-1]
    level = torch.stack([block.square().sum(dim=-1) for block in _weighted(heard)]).sum(dim=0) / count  # [..., C]
    gain = torch.where(level == 0, 1, level).rsqrt()[..., None]
    total = torch.zeros((), dtype=torch.float64, device=error.device)
    for block in _weighted(error):
        scaled = gain * block
        total = total + torch.where(scaled.abs() < INAUDIBLE, 0 * scaled, scaled).square().sum(dim=-1)
    sounds, scores = torch.broadcast_tensors(level != 0, SCALE * torch.log(total / count + EPSILON))
    mean: Tensor = torch.where(sounds, scores, 0).sum(dim=-1) / sounds.sum(dim=-1)
    return mean


def _weighted(signal: Tensor) -> Iterator[Tensor]:
    """Yield the filtered signal ``[..., C, n]`` block by block, without delay."""
    n_samples = signal.shape[-1]
    size = 1 << (min(n_samples, _BLOCK) + 4 * _REACH - 1).bit_length()  # the filter's tail does not wrap around
    spectrum = _filter(size).to(signal.device)
    for start in range(0, n_samples, _BLOCK):
        stop = min(n_samples, start + _BLOCK)
        first, last = max(0, start - _REACH), min(n_samples, stop + _REACH)
        filtered = torch.fft.irfft(torch.fft.rfft(signal[..., first:last].double(), size) * spectrum, size)
        begin = start - first + _REACH  # the filter delays by its reach
        yield filtered[..., begin : begin + stop - start]


@lru_cache(maxsize=4)
def _filter(size: int) -> Tensor:
    """Return the spectrum of the weighting filter ``[size // 2 + 1]``, delayed by its reach."""
    n_fft = 4096
    frequencies = np.arange(1, n_fft // 2 + 1) * SAMPLE_RATE / n_fft
    hertz, decibels = np.array(_RESPONSE).T
    levels = natural_spline(np.log2(frequencies), np.log2(hertz), decibels)
    magnitude = np.concatenate([[0.0], 10 ** (levels / 20)])
    response = np.roll(np.fft.irfft(magnitude, n_fft), _REACH)[: 2 * _REACH + 1]
    spectrum: Tensor = torch.fft.rfft(torch.from_numpy(response), size)
    return spectrum


def natural_spline(
    places: npt.NDArray[np.float64], knots: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Interpolate by the natural cubic spline through some points.

    Args:
        places: where; what lies outside of the knots continues the first or last cubic.
        knots: rising.
        values: at the knots.

    Example:
        >>> natural_spline(np.array([0.5, 2.0]), np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0]))
        array([0.5, 2. ])
    """
    steps, slopes = np.diff(knots), np.diff(values) / np.diff(knots)
    system = np.eye(len(knots))
    right = np.zeros(len(knots))
    for row in range(1, len(knots) - 1):
        system[row, row - 1 : row + 2] = steps[row - 1], 2 * (steps[row - 1] + steps[row]), steps[row]
        right[row] = 6 * (slopes[row] - slopes[row - 1])
    curves = np.linalg.solve(system, right)
    piece = np.clip(np.searchsorted(knots, places) - 1, 0, len(knots) - 2)
    offset, step = places - knots[piece], steps[piece]
    first, second = curves[piece], curves[piece + 1]
    slope = slopes[piece] - step * (2 * first + second) / 6
    curve: npt.NDArray[np.float64] = (
        values[piece] + offset * slope + offset**2 * first / 2 + offset**3 * (second - first) / (6 * step)
    )
    return curve


def _at_rate(signal: Tensor, sample_rate: int) -> Tensor:
    if sample_rate == SAMPLE_RATE:
        return signal
    flat = signal.reshape(-1, signal.shape[-1]).float()
    return resample(flat, source_rate=sample_rate, target_rate=SAMPLE_RATE).reshape(*signal.shape[:-1], -1)
