"""The one short-time Fourier transform of the house.

Axes: N samples, F bins, T frames.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WINDOWS = ("sqrt-hann", "hann")


class Stft(nn.Module):
    """Short-time Fourier transform with an inverse of exact length; frames are centered, nothing is normalized.

    By default the signal is padded with ``n_fft // 2`` zeros on the left, and on the right with as many plus what
    completes the last hop, so ``T = ceil(N / hop_length) + 1``. With ``reflect`` it is mirrored by ``n_fft // 2`` at
    both ends, so ``T = N // hop_length + 1``; what is too short to be mirrored gets zeros at its end first.

    Args:
        n_fft: window and transform length in samples, even.
        hop_length: step between frames in samples, at most ``n_fft // 2``, or one more: the window begins with a zero.
        window: ``"sqrt-hann"`` or ``"hann"``, periodic.
        reflect: mirror the signal at its ends.

    Example:
        >>> stft = Stft(n_fft=64, hop_length=16)
        >>> spectrogram = stft(torch.ones(2, 100))
        >>> spectrogram.shape, stft.inverse(spectrogram, length=100).shape
        (torch.Size([2, 33, 8]), torch.Size([2, 100]))
        >>> Stft(64, 16, window="hann", reflect=True)(torch.ones(2, 100)).shape
        torch.Size([2, 33, 7])
    """

    window: Tensor

    def __init__(self, n_fft: int, hop_length: int, *, window: str = "sqrt-hann", reflect: bool = False) -> None:
        super().__init__()
        if n_fft % 2 or not 0 < hop_length <= n_fft // 2 + 1:
            raise ValueError(
                f"n_fft must be even and hop_length at most half of it plus one, got {n_fft} and {hop_length}"
            )
        if window not in WINDOWS:
            raise ValueError(f"window must be one of {', '.join(WINDOWS)}, got {window!r}")
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.reflect = reflect
        hann = torch.hann_window(n_fft)
        self.register_buffer("window", hann if window == "hann" else hann.sqrt(), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Transform ``[..., N]`` float32 into complex ``[..., F, T]`` with ``F = n_fft // 2 + 1``."""
        flat = samples.reshape(-1, samples.shape[-1]).float()
        spectrogram = torch.stft(
            self._pad(flat), self.n_fft, self.hop_length, window=self.window, center=False, return_complex=True
        )
        return spectrogram.reshape(*samples.shape[:-1], *spectrogram.shape[-2:])

    def inverse(self, spectrogram: Tensor, *, length: int | None = None) -> Tensor:
        """Transform complex ``[..., F, T]`` back into ``[..., length]``; by default ``hop_length * (T - 1)``.

        With ``reflect``, samples after the last frame's center come from the falling half of its window alone: give
        windows of whole hops where ``hop_length`` is half of ``n_fft``.
        """
        flat = spectrogram.reshape(-1, *spectrogram.shape[-2:])
        until = length if self.reflect else None
        samples = torch.istft(flat, self.n_fft, self.hop_length, window=self.window, center=True, length=until)
        samples = samples.reshape(*spectrogram.shape[:-2], -1)
        return samples if length is None else samples[..., :length]

    def _pad(self, flat: Tensor) -> Tensor:
        margin, n_samples = self.n_fft // 2, flat.shape[-1]
        if not self.reflect:
            return nn.functional.pad(flat, (margin, margin + (-n_samples) % self.hop_length))
        flat = nn.functional.pad(flat, (0, max(0, margin + 1 - n_samples)))
        return nn.functional.pad(flat[:, None], (margin, margin), mode="reflect")[:, 0]
