"""Spectrograms as PNG files, made of nothing but arrays.

Axes: C channels, N samples, K mel bands, T frames.
"""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unbraid.audio.mel import mel_filter_bank
from unbraid.audio.stft import Stft

N_BANDS = 96
RANGE_DB = 70.0
MAX_FRAMES = 560
ANCHORS = ((4, 4, 16), (40, 17, 89), (101, 26, 128), (158, 47, 127), (214, 69, 108), (247, 112, 92), (254, 180, 123),
           (252, 253, 191))  # fmt: skip

Pixels = npt.NDArray[np.uint8]


def encode_png(pixels: Pixels) -> bytes:
    r"""Return a PNG file of pixels ``[height, width, 3]``.

    Source: ISO/IEC 15948, "Portable Network Graphics", without filters.

    Example:
        >>> encode_png(np.zeros((2, 3, 3), dtype=np.uint8))[:4]
        b'\x89PNG'
    """
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + pixels[row].tobytes() for row in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def hear_levels(samples: Tensor, sample_rate: int) -> Tensor:
    """Return the power in mel bands ``[K, T]`` of the mean of channels ``[C, N]``, at most 560 frames."""
    mono = samples.mean(dim=0, keepdim=True)
    n_fft = 1 << round(sample_rate * 0.05).bit_length()
    hop_length = max(n_fft // 4, -(-mono.shape[-1] // MAX_FRAMES))
    n_fft = max(n_fft, 2 * hop_length)
    stft = Stft(n_fft, hop_length, window="hann")
    power = stft(mono)[0].abs().square()
    bank = mel_filter_bank(sample_rate=sample_rate, n_fft=n_fft, n_mels=N_BANDS)
    levels: Tensor = bank.to(power.dtype) @ power
    return levels


def paint_spectrogram(levels: Tensor, *, loudest: float) -> str:
    """Return powers ``[K, T]`` as a picture in a ``data:`` address, low frequencies at the bottom.

    Args:
        levels: from `hear_levels`.
        loudest: power that is white, so that several pictures share one scale; 70 dB below is black.
    """
    decibels = 10 * torch.log10(levels.clamp(min=1e-20) / max(loudest, 1e-20))
    shade = ((decibels / RANGE_DB + 1).clamp(0, 1) * (len(ANCHORS) - 1)).flip(0).double().numpy()
    anchors = np.asarray(ANCHORS, dtype=np.float64)
    below = np.clip(np.floor(shade).astype(int), 0, len(ANCHORS) - 2)
    share = (shade - below)[..., None]
    pixels = np.rint((1 - share) * anchors[below] + share * anchors[below + 1]).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(encode_png(pixels)).decode("ascii")
