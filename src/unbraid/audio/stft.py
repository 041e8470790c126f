"""The one short-time Fourier transform of the house.

Axes: N samples, F bins, T frames.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Stft(nn.Module):
    """Square-root Hann transform with an inverse of exact length.

    Frames are centered: the signal is padded with ``n_fft // 2`` zeros on the left, and on the right with as
    many plus what completes the last hop, so ``T = ceil(N / hop_length) + 1``. No normalization.

    Args:
        n_fft: window and transform length in samples, even.
        hop_length: step between frames in samples, at most ``n_fft // 2``.

    Example:
        >>> stft = Stft(n_fft=64, hop_length=16)
        >>> spectrogram = stft(torch.ones(2, 100))
        >>> spectrogram.shape, stft.inverse(spectrogram, length=100).shape
        (torch.Size([2, 33, 8]), torch.Size([2, 100]))
    """

    window: Tensor

    def __init__(self, n_fft: int, hop_length: int) -> None:
        super().__init__()
        if n_fft % 2 or not 0 < hop_length <= n_fft // 2:
            raise ValueError(f"n_fft must be even and hop_length at most half of it, got {n_fft} and {hop_length}")
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.register_buffer("window", torch.hann_window(n_fft).sqrt(), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Transform ``[..., N]`` float32 into complex ``[..., F, T]`` with ``F = n_fft // 2 + 1``."""
        n_samples = samples.shape[-1]
        margin = self.n_fft // 2
        flat = samples.reshape(-1, n_samples).float()
        padded = nn.functional.pad(flat, (margin, margin + (-n_samples) % self.hop_length))
        spectrogram = torch.stft(
            padded, self.n_fft, self.hop_length, window=self.window, center=False, return_complex=True
        )
        return spectrogram.reshape(*samples.shape[:-1], *spectrogram.shape[-2:])

    def inverse(self, spectrogram: Tensor, *, length: int | None = None) -> Tensor:
        """Transform complex ``[..., F, T]`` back into ``[..., length]``; by default ``hop_length * (T - 1)``."""
        flat = spectrogram.reshape(-1, *spectrogram.shape[-2:])
        samples = torch.istft(flat, self.n_fft, self.hop_length, window=self.window, center=True)
        samples = samples.reshape(*spectrogram.shape[:-2], -1)
        return samples if length is None else samples[..., :length]
