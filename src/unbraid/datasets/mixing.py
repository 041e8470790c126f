"""Mixtures made from their draws.

Axes: S prompts, N samples.

Source: Saijo et al., ICASSP 2025 (TUSS), section IV, and its published training configuration.
"""

from __future__ import annotations

from functools import lru_cache
from math import pi
from typing import NamedTuple

import torch
from torch import Tensor

from unbraid.audio.resample import resample
from unbraid.datasets.draws import MixDraw, PartDraw, SourceDraw
from unbraid.datasets.track import SourcePool

PASSBAND = 0.95
TAIL_SAMPLES = 2048


class MixItem(NamedTuple):
    """A mixture ``[N]``, the references ``[S, N]`` of its prompts, and which of these are silent ``[S]``."""

    mixture: Tensor
    references: Tensor
    prompts: tuple[str, ...]
    silent: Tensor


def apply(draw: MixDraw, pool: SourcePool) -> MixItem:
    """Make the mixture that was drawn.

    Every source is limited to the band of the narrowest one, padded with zeros, brought to an RMS of 1 over
    the whole window, padding included, and given its gain; the mixture is their sum. Sources whose prompts
    were left out sound in the mixture but have no reference; absent prompts have a reference of zeros.

    Raises:
        DatasetError: if the draw was made from a pool with other sources, or one cannot be read.
    """
    windows = [_source_window(source, draw, pool) for source in draw.sources]
    mixture = torch.stack(windows).sum(dim=0)
    asked = [(source, window) for source, window in zip(draw.sources, windows, strict=True) if source.asked]
    silent = torch.tensor([not source.parts for source, _ in asked])
    return MixItem(mixture, torch.stack([window for _, window in asked]), draw.prompts, silent)


def _source_window(source: SourceDraw, draw: MixDraw, pool: SourcePool) -> Tensor:
    window = torch.zeros(draw.n_samples)
    for part in source.parts:
        piece = _part_window(part, draw, pool)
        if len(source.parts) > 1:
            if source.band_rate < min(pool[part.source].band_rate, draw.sample_rate):
                piece = limit_band(piece, sample_rate=draw.sample_rate, band_rate=source.band_rate)
            normalize_(piece, gain_db=part.gain_db)
        window += piece
    if source.parts and draw.band_rate < min(source.band_rate, draw.sample_rate):
        window = limit_band(window, sample_rate=draw.sample_rate, band_rate=draw.band_rate)
    return normalize_(window, gain_db=source.gain_db)


def _part_window(part: PartDraw, draw: MixDraw, pool: SourcePool) -> Tensor:
    recording = pool[part.source]
    piece = torch.from_numpy(recording.read(part.start, part.start + part.n_samples, part.channel))
    if recording.sample_rate != draw.sample_rate:
        piece = resample(piece[None], source_rate=recording.sample_rate, target_rate=draw.sample_rate)[0]
    window = torch.zeros(draw.n_samples)
    piece = piece[: draw.n_samples - part.offset]
    window[part.offset : part.offset + len(piece)] = piece
    return window


def normalize_(window: Tensor, *, gain_db: float) -> Tensor:
    """Bring a window ``[N]`` to an RMS of 1 and apply a gain, in place; silence stays silence."""
    rms = float(torch.linalg.vector_norm(window)) / len(window) ** 0.5
    return window.mul_(10 ** (gain_db / 20) / rms) if rms > 0 else window


def limit_band(samples: Tensor, *, sample_rate: int, band_rate: int) -> Tensor:
    """Remove what a recording at a lower rate could not hold, at the cost of one Fourier transform.

    Args:
        samples: ``[..., N]``.
        sample_rate: of the samples, in hertz.
        band_rate: the lower rate, in hertz; everything above half of it is removed, everything below 0.475
            of it is left as it is.

    Returns:
        Samples of the same shape and rate.

    Example:
        >>> low = torch.sin(torch.arange(4800) * 0.05)
        >>> bool((limit_band(low, sample_rate=48000, band_rate=16000) - low)[500:-500].abs().max() < 1e-3)
        True
    """
    n_samples = samples.shape[-1]
    n_fft = _fast_length(n_samples + TAIL_SAMPLES)
    gain = _band_gain(n_fft, sample_rate, band_rate)
    spectrum = torch.fft.rfft(samples, n_fft)
    spectrum[..., : len(gain)] *= gain
    spectrum[..., len(gain) :] = 0
    limited: Tensor = torch.fft.irfft(spectrum, n_fft)[..., :n_samples]
    return limited


@lru_cache(maxsize=64)
def _band_gain(n_fft: int, sample_rate: int, band_rate: int) -> Tensor:
    """Return the gain of the bins below half the lower rate: 1, then half a cosine down to 0."""
    edge = band_rate / 2
    frequencies = torch.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
    frequencies = frequencies[frequencies < edge]
    position = ((frequencies / edge - PASSBAND) / (1 - PASSBAND)).clamp(0, 1)
    return 0.5 + 0.5 * torch.cos(pi * position)


@lru_cache(maxsize=64)
def _fast_length(n_samples: int) -> int:
    """Return the next length that is 64 times a product of 2, 3 and 5: its transform is fast."""
    length = -(-n_samples // 64)
    while not _is_smooth(length):
        length += 1
    return 64 * length


def _is_smooth(number: int) -> bool:
    for factor in (2, 3, 5):
        while number % factor == 0:
            number //= factor
    return number == 1
