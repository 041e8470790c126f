"""The grid that masks are painted on: mel bands over frames, the same for every song.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, section 3.1.2; the numbers are
those of its published code. Bands are 80 triangles, evenly spaced on the mel scale from 0 to 8000 Hz, the lowest first.
Frame i lies around second i / 62.5.

Axes: K mel bands, T frames, N samples, F bins.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from unbraid.audio.mel import hz_to_mel, mel_filter_bank, mel_to_hz
from unbraid.audio.stft import Stft

SAMPLE_RATE = 16000
N_FFT = 510
HOP_LENGTH = 256
N_BANDS = 80
TOP_HZ = SAMPLE_RATE / 2
FRAMES_PER_SECOND = SAMPLE_RATE / HOP_LENGTH

_BLUR_BLOCK = 256
_ROUNDING = 1e-6  # of a frame: what seconds lose as floating-point numbers


def frames_of(duration: float) -> int:
    """Return how many frames a mixture has.

    Args:
        duration: of the mixture, in seconds.

    Example:
        >>> frames_of(4.08)
        256
    """
    return math.floor(duration * FRAMES_PER_SECOND + _ROUNDING) + 1


def columns_of(seconds: Tensor) -> Tensor:
    """Turn seconds into columns: frame i reaches from column i to i + 1.

    Example:
        >>> columns_of(torch.tensor([0.0, 0.008]))
        tensor([0.5000, 1.0000])
    """
    return seconds * FRAMES_PER_SECOND + 0.5


def seconds_of(column: float) -> float:
    """Undo `columns_of`, not before the beginning.

    Example:
        >>> seconds_of(0), seconds_of(63)
        (0.0, 1.0)
    """
    return max(0.0, (column - 0.5) / FRAMES_PER_SECOND)


def rows_of(hertz: Tensor) -> Tensor:
    """Turn frequencies into rows: band k reaches from row k to k + 1, its center lies between; 0 Hz is row -0.5.

    Example:
        >>> rows_of(torch.tensor([0.0, 8000.0]))
        tensor([-0.5000, 80.5000])
    """
    return hz_to_mel(hertz, scale="htk") / _mels_per_row() - 0.5


def hertz_of(row: float) -> float:
    """Undo `rows_of`, within 0 and 8000 Hz.

    Example:
        >>> round(hertz_of(80.5)), hertz_of(-1)
        (8000, 0.0)
    """
    mel = torch.tensor((row + 0.5) * _mels_per_row(), dtype=torch.float64)
    return min(max(0.0, float(mel_to_hz(mel, scale="htk"))), TOP_HZ)


def mel_of(magnitude: Tensor) -> Tensor:
    """Sum magnitudes ``[..., 256, T]`` of the model's spectrogram into bands ``[..., 80, T]``.

    Example:
        >>> mel_of(torch.zeros(1, 256, 10)).shape
        torch.Size([1, 80, 10])
    """
    return _bank().to(magnitude.device) @ magnitude


def hear_mel(samples: Tensor) -> Tensor:
    """Return the mel spectrogram ``[..., 80, N // 256 + 1]`` of samples ``[..., N]`` at 16 kHz, in magnitudes.

    Example:
        >>> hear_mel(torch.zeros(2, 65280)).shape
        torch.Size([2, 80, 256])
    """
    return mel_of(_stft().to(samples.device)(samples).abs() * N_FFT**-0.5)


def crop_mask(side: Tensor, start_frame: int, n_frames: int) -> Tensor:
    """Return a window of a mask; outside of the mask it is zero.

    Args:
        side: ``[..., K, T]``.
        start_frame: of the window; may lie before the mask or behind it.
        n_frames: length of the window.

    Returns:
        ``[..., K, n_frames]``, a tensor of its own.

    Example:
        >>> crop_mask(torch.ones(1, 3), -1, 5)
        tensor([[0., 1., 1., 1., 0.]])
    """
    window = side.new_zeros(*side.shape[:-1], n_frames)
    first, last = max(0, start_frame), min(side.shape[-1], start_frame + n_frames)
    if first < last:
        window[..., first - start_frame : last - start_frame] = side[..., first:last]
    return window


def blur(image: Tensor, sigma: float) -> Tensor:
    """Blur images with a Gaussian that is cut off at four sigma; borders are mirrored about their edges.

    Args:
        image: ``[..., K, T]``.
        sigma: in bands and in frames; 0 blurs nothing.

    Returns:
        float32 ``[..., K, T]``.

    Example:
        >>> blur(torch.ones(3, 5), 2.0).allclose(torch.ones(3, 5))
        True
    """
    if sigma <= 0:
        return image.float()
    return _blur_last(_blur_last(image.float(), sigma).mT, sigma).mT.contiguous()


def _blur_last(image: Tensor, sigma: float) -> Tensor:
    """Blur along the last axis: a product with a band matrix, block by block; faster than a convolution."""
    n_cells, radius = image.shape[-1], int(4 * sigma + 0.5)
    block = min(n_cells, _BLUR_BLOCK)
    n_blocks = -(-n_cells // block)
    places = torch.arange(-radius, n_blocks * block + radius, device=image.device) % (2 * n_cells)
    mirrored = image[..., torch.minimum(places, 2 * n_cells - 1 - places)]
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=torch.float64) / sigma) ** 2)
    rows = torch.zeros(block, block + 2 * radius + 1)
    rows[:, : 2 * radius + 1] = kernel / kernel.sum()
    band = rows.view(-1)[:-block].view(block, block + 2 * radius).to(image.device)  # each row is shifted by one
    blurred = mirrored.unfold(-1, block + 2 * radius, block) @ band.T
    return blurred.flatten(-2)[..., :n_cells]


def _mels_per_row() -> float:
    return float(hz_to_mel(torch.tensor(TOP_HZ, dtype=torch.float64), scale="htk")) / (N_BANDS + 1)


@lru_cache(maxsize=1)
def _bank() -> Tensor:
    return mel_filter_bank(sample_rate=SAMPLE_RATE, n_fft=N_FFT, n_mels=N_BANDS, scale="htk")


@lru_cache(maxsize=1)
def _stft() -> Stft:
    return Stft(N_FFT, HOP_LENGTH, window="hann", reflect=True)
