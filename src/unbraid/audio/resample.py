"""Change of sample rate.

Axes: C channels, N samples.
"""

from __future__ import annotations

import numpy as np
import soxr
import torch
from torch import Tensor

from unbraid.errors import AudioError

_BLOCK = 1 << 16  # samples handed to soxr at a time: bounds the memory that it allocates


def resampled_length(n_samples: int, *, source_rate: int, target_rate: int) -> int:
    """Length of ``n_samples`` at another rate, ``n_samples * target_rate / source_rate`` rounded half up.

    Example:
        >>> resampled_length(3, source_rate=2, target_rate=1)
        2
    """
    return (2 * n_samples * target_rate + source_rate) // (2 * source_rate)


class StreamResampler:
    """Resample a stream block by block; the result does not depend on how the stream is cut.

    Band-limited interpolation of soxr's very high quality (pass band to 0.91 of the lower Nyquist frequency, stop band
    below -140 dB), with its delay taken out: sample 0 of the output sounds when sample 0 of the input does. Equal
    rates return the samples as they are, bit for bit.

    Args:
        source_rate: of the blocks that come in, in hertz.
        target_rate: of the blocks that go out, in hertz.
        n_channels: C.

    Raises:
        AudioError: if a rate or the number of channels is not positive.

    Example:
        >>> resampler = StreamResampler(44100, 22050, 1)
        >>> first = resampler.process(torch.zeros(1, 44100))
        >>> rest = resampler.process(torch.zeros(1, 1), last=True)
        >>> first.shape[1] + rest.shape[1]
        22051
    """

    def __init__(self, source_rate: int, target_rate: int, n_channels: int) -> None:
        if source_rate <= 0 or target_rate <= 0 or n_channels <= 0:
            raise AudioError(
                f"rates and channels must be positive, got {source_rate} Hz, {target_rate} Hz, {n_channels} channels"
            )
        self.source_rate = source_rate
        self.target_rate = target_rate
        self.n_channels = n_channels
        self._n_in = 0
        self._n_out = 0
        self._finished = False
        self._stream = (
            None
            if source_rate == target_rate
            else soxr.ResampleStream(source_rate, target_rate, n_channels, dtype="float32", quality="VHQ")
        )

    def process(self, block: Tensor, *, last: bool = False) -> Tensor:
        """Take the next block and return what has become final.

        Args:
            block: float32 ``[C, n]``, n may be 0; never modified.
            last: True with the final block, which returns all that is left.

        Returns:
            float32 ``[C, m]``; m may be 0. All m together are :func:`resampled_length` of all n.

        Raises:
            AudioError: if the block has another number of channels, or comes after the last one.
        """
        if self._finished:
            raise AudioError("the resampler has already had its last block: make a new one for a new stream")
        if block.ndim != 2 or block.shape[0] != self.n_channels:
            raise AudioError(f"block must be [{self.n_channels}, samples], got shape {tuple(block.shape)}")
        self._finished = last
        if self._stream is None:
            return block
        self._n_in += block.shape[1]
        frames = block.detach().to("cpu", torch.float32).numpy().T
        pieces = [self._push(frames[start : start + _BLOCK]) for start in range(0, len(frames), _BLOCK)]
        if last:
            pieces.append(self._drain(sum(map(len, pieces))))
        joined = np.concatenate(pieces) if pieces else np.zeros((0, self.n_channels), np.float32)
        self._n_out += len(joined)
        return torch.from_numpy(np.ascontiguousarray(joined.T))

    def _push(self, frames: np.ndarray, *, last: bool = False) -> np.ndarray:
        """Hand frames ``[n, C]`` to soxr; returns frames ``[m, C]``."""
        assert self._stream is not None
        frames = np.ascontiguousarray(frames)
        flat = frames[:, 0] if self.n_channels == 1 else frames
        out: np.ndarray = self._stream.resample_chunk(np.ascontiguousarray(flat), last=last)
        return out.reshape(-1, self.n_channels)

    def _drain(self, n_pending: int) -> np.ndarray:
        """Flush soxr and hold the total to the promised length."""
        left = resampled_length(self._n_in, source_rate=self.source_rate, target_rate=self.target_rate)
        left -= self._n_out + n_pending
        tail = self._push(np.zeros((0, self.n_channels), np.float32), last=True)[:left]
        return np.pad(tail, ((0, left - len(tail)), (0, 0)))


def resample(samples: Tensor, *, source_rate: int, target_rate: int) -> Tensor:
    """Resample a whole signal, as :class:`StreamResampler` does.

    Args:
        samples: float32 ``[C, N]``; never modified, and returned as it is where the rates are equal.
        source_rate: in hertz.
        target_rate: in hertz.

    Returns:
        float32 ``[C, M]`` with ``M = N * target_rate / source_rate`` rounded half up.

    Raises:
        AudioError: if a rate is not positive or the samples are not ``[C, N]``.

    Example:
        >>> resample(torch.zeros(2, 44100), source_rate=44100, target_rate=48000).shape
        torch.Size([2, 48000])
    """
    if samples.ndim != 2:
        raise AudioError(f"samples must be [channels, samples], got shape {tuple(samples.shape)}")
    return StreamResampler(source_rate, target_rate, samples.shape[0]).process(samples, last=True)
