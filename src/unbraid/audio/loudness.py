"""Levels: peak, root mean square, and loudness as people hear it.

Axes: C channels, N samples.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unbraid.audio.encoding import MIN_RATE
from unbraid.errors import AudioError

Floats = npt.NDArray[np.float64]

# Channel weights of ITU-R BS.1770-4, table 4, for the channel orders of WAV files: 1.41 for the sides (60 to 120
# degrees), 0 for the low-frequency channel, 1 for the rest.
_WEIGHTS = {
    1: (1.0,),
    2: (1.0, 1.0),
    3: (1.0, 1.0, 1.0),
    4: (1.0, 1.0, 1.41, 1.41),
    5: (1.0, 1.0, 1.0, 1.41, 1.41),
    6: (1.0, 1.0, 1.0, 0.0, 1.41, 1.41),
    7: (1.0, 1.0, 1.0, 0.0, 1.0, 1.41, 1.41),
    8: (1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.41, 1.41),
}
_OFFSET = -0.691  # dB, so that a 997 Hz sine at full scale in one channel reads -3.01
_ABSOLUTE_GATE = -70.0  # LUFS
_RELATIVE_GATE = -10.0  # LU
_STEPS_PER_SECOND = 10  # gating blocks of 400 ms begin every 100 ms
_STEPS_PER_BLOCK = 4
_STEPS_AT_ONCE = 100
_SETTLING = 0.5  # seconds after which the impulse response of the filter has died away below -300 dB


def peak_db(samples: Tensor) -> float:
    """Largest magnitude of ``[..., N]`` samples in dBFS; ``-inf`` for silence and for no samples.

    Example:
        >>> peak_db(torch.tensor([[0.0, -1.0]]))
        0.0
    """
    return _decibels(float(samples.detach().abs().max())) if samples.numel() else -math.inf


def rms_db(samples: Tensor) -> float:
    """Root mean square over all channels of ``[..., N]`` samples in dBFS; ``-inf`` for silence and for no samples.

    A square wave at full scale reads 0, a sine -3.01.

    Example:
        >>> rms_db(torch.ones(2, 100))
        0.0
    """
    if not samples.numel():
        return -math.inf
    return _decibels(math.sqrt(float(samples.detach().double().square().mean())))


def loudness_lufs(samples: Tensor, sample_rate: int) -> float:
    """Integrated loudness with gating, ITU-R BS.1770-4.

    Channels are taken in the order of WAV files (5.1: left, right, center, low-frequency, left and right surround).

    Args:
        samples: float ``[C, N]``, 1 to 8 channels; never modified.
        sample_rate: in hertz, any from 8000.

    Returns:
        LUFS; ``-inf`` for what is shorter than one gating block of 400 ms, or nowhere louder than -70 LUFS;
        NaN where a sample is not finite.

    Raises:
        AudioError: if the samples are not ``[C, N]`` with 1 to 8 channels, or the rate is below 8000 Hz.

    Example:
        >>> time = torch.arange(4 * 48000, dtype=torch.float64) / 48000
        >>> round(loudness_lufs(torch.sin(2 * torch.pi * 997 * time)[None].float(), 48000), 2)
        -3.01
    """
    if samples.ndim != 2 or samples.shape[0] not in _WEIGHTS:
        raise AudioError(f"samples must be [1 to 8 channels, samples], got shape {tuple(samples.shape)}")
    if sample_rate < MIN_RATE:
        raise AudioError(f"sample_rate must be {MIN_RATE} Hz or more to measure loudness, got {sample_rate}")
    weights = np.array(_WEIGHTS[samples.shape[0]])
    energies = weights @ _step_energies(samples, sample_rate)  # [steps]
    lengths = np.diff(_step_edges(len(energies), sample_rate))
    if len(energies) < _STEPS_PER_BLOCK:
        return -math.inf
    if not np.isfinite(energies).all():
        return math.nan
    window = np.ones(_STEPS_PER_BLOCK)
    powers = np.convolve(energies, window, "valid") / np.convolve(lengths, window, "valid")
    loud = powers[powers > _power(_ABSOLUTE_GATE)]
    if not len(loud):
        return -math.inf
    gate = _lufs(float(loud.mean())) + _RELATIVE_GATE
    return _lufs(float(loud[loud > _power(gate)].mean()))


def _step_edges(n_steps: int, sample_rate: int) -> npt.NDArray[np.int64]:
    """First samples of the 100 ms steps, and the end of the last; rounded where a step is no whole number."""
    return (np.arange(n_steps + 1) * sample_rate + _STEPS_PER_SECOND // 2) // _STEPS_PER_SECOND


def _step_energies(samples: Tensor, sample_rate: int) -> Floats:
    """Sums of squares ``[C, steps]`` of the K-weighted samples, over every complete step of 100 ms.

    The filter is applied to some seconds at a time by the fast Fourier transform, with enough of what came before.
    """
    n_steps = samples.shape[1] * _STEPS_PER_SECOND // sample_rate
    edges = _step_edges(n_steps, sample_rate)
    edges = edges[edges <= samples.shape[1]]
    context = math.ceil(_SETTLING * sample_rate)
    n_fft = 1 << (context + (_STEPS_AT_ONCE + 1) * sample_rate // _STEPS_PER_SECOND).bit_length()
    response = k_weighting(np.arange(n_fft // 2 + 1) / n_fft, sample_rate)
    sums = []
    for first in range(0, len(edges) - 1, _STEPS_AT_ONCE):
        part = edges[first : first + _STEPS_AT_ONCE + 1]
        before = min(context, int(part[0]))
        signal = samples[:, part[0] - before : part[-1]].detach().to("cpu", torch.float64).numpy()
        signal = np.pad(signal, ((0, 0), (context - before, 0)))
        weighted = np.fft.irfft(np.fft.rfft(signal, n_fft) * response, n_fft)[:, context : signal.shape[1]]
        sums.append(np.add.reduceat(weighted**2, part[:-1] - part[0], axis=1))
    return np.concatenate(sums, axis=1) if sums else np.zeros((samples.shape[0], 0))


def k_weighting(frequencies: Floats, sample_rate: int) -> npt.NDArray[np.complex128]:
    """Frequency response of the K-weighting: a shelf for the head, then a high-pass.

    BS.1770-4 tabulates the filters at 48 kHz only. Here they come from the analog filters that the bilinear transform
    turns into those tables, as meters do; at 997 Hz other rates read within 0.05 dB of 48 kHz.

    Args:
        frequencies: in cycles per sample, 0 to 0.5.
        sample_rate: in hertz.

    Returns:
        complex gains, of the shape of ``frequencies``.

    Example:
        >>> low, high = np.abs(k_weighting(np.array([10.0, 10000.0]) / 48000, 48000))
        >>> bool(low < 0.1), bool(1.58 < high < 1.6)
        (True, True)
    """
    delay = np.exp(-2j * np.pi * frequencies)
    gain: npt.NDArray[np.complex128] = np.ones_like(delay)
    for numerator, denominator in (_shelf(sample_rate), _high_pass(sample_rate)):
        gain = gain * np.polyval(numerator[::-1], delay) / np.polyval(denominator[::-1], delay)
    return gain


def _shelf(sample_rate: int) -> tuple[Floats, Floats]:
    """Numerator and denominator of the head filter, in falling powers of z."""
    frequency, quality, high = 1681.974450955533, 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    k = math.tan(math.pi * frequency / sample_rate)
    norm = 1 + k / quality + k * k
    numerator = np.array([high + band * k / quality + k * k, 2 * (k * k - high), high - band * k / quality + k * k])
    return numerator / norm, np.array([norm, 2 * (k * k - 1), 1 - k / quality + k * k]) / norm


def _high_pass(sample_rate: int) -> tuple[Floats, Floats]:
    """Numerator and denominator of the high-pass, in falling powers of z; the tables leave it unnormalized."""
    frequency, quality = 38.13547087602444, 0.5003270373238773
    k = math.tan(math.pi * frequency / sample_rate)
    norm = 1 + k / quality + k * k
    return np.array([1.0, -2.0, 1.0]), np.array([norm, 2 * (k * k - 1), 1 - k / quality + k * k]) / norm


def _decibels(magnitude: float) -> float:
    return -math.inf if magnitude == 0 else 20 * math.log10(magnitude)


def _power(lufs: float) -> float:
    """Mean square that reads ``lufs``."""
    return float(10 ** ((lufs - _OFFSET) / 10))


def _lufs(power: float) -> float:
    """Loudness of a mean square."""
    return _OFFSET + 10 * math.log10(power)
