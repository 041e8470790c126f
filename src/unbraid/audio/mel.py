"""Mel filter banks: triangles over the bins of a spectrogram, evenly spaced on a scale of pitch.

Axes: F bins, K bands.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

SCALES = ("slaney", "htk")
NORMS = ("peak", "area")

_LINEAR_HZ = 200 / 3  # of one mel of Slaney's scale, up to its break
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_HZ
_STEP = math.log(6.4) / 27  # of the logarithm of the frequency, per mel, above the break


def hz_to_mel(hz: Tensor, *, scale: str = "slaney") -> Tensor:
    """Turn frequencies into mels.

    Args:
        hz: in hertz, any shape, not negative.
        scale: ``"slaney"`` (Auditory Toolbox: linear below 1 kHz, logarithmic above) or ``"htk"``
            (``2595 log10(1 + f / 700)``).

    Raises:
        ValueError: if there is no such scale.

    Example:
        >>> hz_to_mel(torch.tensor([1000.0, 6400.0])), hz_to_mel(torch.tensor([1000.0]), scale="htk").round()
        (tensor([15., 42.]), tensor([1000.]))
    """
    _check(scale, SCALES, "scale")
    if scale == "htk":
        return 2595 * torch.log10(1 + hz / 700)
    return torch.where(hz < _BREAK_HZ, hz / _LINEAR_HZ, _BREAK_MEL + (hz / _BREAK_HZ).clamp_min(1).log() / _STEP)


def mel_to_hz(mel: Tensor, *, scale: str = "slaney") -> Tensor:
    """Turn mels into frequencies in hertz; see `hz_to_mel`.

    Raises:
        ValueError: if there is no such scale.

    Example:
        >>> mel_to_hz(torch.tensor([15.0, 42.0])).round()
        tensor([1000., 6400.])
    """
    _check(scale, SCALES, "scale")
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return torch.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, _BREAK_HZ * ((mel - _BREAK_MEL) * _STEP).exp())


def mel_filter_bank(
    *,
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    f_min: float = 0.0,
    f_max: float | None = None,
    scale: str = "slaney",
    norm: str = "peak",
) -> Tensor:
    """Return a bank that maps magnitudes or energies of bins to bands: ``bank @ spectrogram``.

    Band k is a triangle from the center of band k - 1 over its own to that of band k + 1; the centers, and the two ends
    ``f_min`` and ``f_max``, are evenly spaced in mels. A band that is narrower than the distance of two bins may hold
    none of them, and is all zeros then.

    Args:
        sample_rate: in hertz.
        n_fft: transform length, ``F = n_fft // 2 + 1``.
        n_mels: K.
        f_min: where the first band begins, in hertz.
        f_max: where the last band ends; half of ``sample_rate`` if left out.
        scale: see `hz_to_mel`.
        norm: ``"peak"``: triangles of height 1; ``"area"``: of area 1 over frequency in hertz, as Slaney's.

    Returns:
        float32 ``[K, F]``.

    Raises:
        ValueError: if a value is out of range.

    Example:
        >>> bank = mel_filter_bank(sample_rate=22050, n_fft=1024, n_mels=128)
        >>> bank.shape, bool((bank.sum(dim=1) > 0).all())
        (torch.Size([128, 513]), True)
    """
    _check(norm, NORMS, "norm")
    f_max = sample_rate / 2 if f_max is None else f_max
    if not 0 <= f_min < f_max <= sample_rate / 2 or n_mels < 1 or n_fft < 2:
        raise ValueError(f"{n_mels} bands from {f_min} to {f_max} Hz do not fit into {sample_rate / 2} Hz")
    ends = hz_to_mel(torch.tensor([f_min, f_max], dtype=torch.float64), scale=scale)
    steps = torch.linspace(0, 1, n_mels + 2, dtype=torch.float64)
    edges = mel_to_hz(ends[0] + (ends[1] - ends[0]) * steps, scale=scale)  # [K + 2]
    bins = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    below, center, above = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bank = torch.minimum((bins - below) / (center - below), (above - bins) / (above - center)).clamp_min(0)
    if norm == "area":
        bank = bank * (2 / (above - below))
    return bank.float()


def _check(value: str, known: tuple[str, ...], what: str) -> None:
    if value not in known:
        raise ValueError(f"{what} must be one of {', '.join(known)}, got {value!r}")
