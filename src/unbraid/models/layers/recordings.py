"""Recordings of any length, rate and number of channels, made ready for a network that listens to one channel.

Axes: B batch, C channels, N samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from unbraid.audio.resample import resample, resampled_length
from unbraid.audio.signal import Audio
from unbraid.errors import GuideError
from unbraid.guides.recordings import SILENT_PEAK, Example

CANCELED = 10**-1.4  # 14 dB


def down_mix(signal: Tensor) -> Tensor:
    """Return the mean of the channels of ``[B, C, N]``; the loudest channel where they cancel each other.

    They count as canceling where the mean is 14 dB below the loudest channel.

    Example:
        >>> down_mix(torch.tensor([[[1.0, 2.0], [3.0, 2.0]], [[1.0, 1.0], [-1.0, -1.0]]]))
        tensor([[2., 2.],
                [1., 1.]])
    """
    mean = signal.mean(dim=1)
    energy = signal.square().sum(dim=-1)  # [B, C]
    loudest = signal[torch.arange(len(signal), device=signal.device), energy.argmax(dim=1)]
    cancels = mean.square().sum(dim=-1) < CANCELED * energy.amax(dim=1)
    return torch.where(cancels[:, None], loudest, mean)


@dataclass(frozen=True)
class WindowCutter:
    """How a recording is cut into the windows that a network was trained on.

    Windows lie evenly spaced over the recording, as few as cover it, so they overlap a little unless it is a multiple
    of the segment. Silent ones are left out; of more than ``max_windows``, as many are taken at even distances, so that
    an example of an hour costs no more time and memory than one of minutes.

    Args:
        sample_rate: of the windows, in hertz.
        segment: their length in seconds; a shorter recording is one window.
        min_samples: of a recording, at the rate of the windows.
        max_windows: of one recording.
        batch_size: windows that are cut at a time.
        is_stereo: keep two channels as they are, and double what others are mixed down to.

    Example:
        >>> cutter = WindowCutter(8000, 3.0, min_samples=800)
        >>> [tuple(batch.shape) for batch in cutter.cut(Audio(torch.ones(2, 80_000), 8000))]
        [(4, 24000)]
    """

    sample_rate: int
    segment: float
    min_samples: int
    max_windows: int = 120
    batch_size: int = 8
    is_stereo: bool = False

    def cut(self, recording: Audio) -> Iterator[Tensor]:
        """Yield windows ``[B, N]`` of one channel; ``[B, 2, N]`` in stereo.

        Raises:
            GuideError: if the recording is too short.
        """
        length = resampled_length(recording.n_samples, source_rate=recording.sample_rate, target_rate=self.sample_rate)
        if length < self.min_samples:
            shortest = math.ceil(100 * self.min_samples / self.sample_rate) / 100
            what = recording.what if isinstance(recording, Example) else Example.what
            raise GuideError(
                f"{what} of {recording.duration:.2f} s is too short: this model needs at least {shortest:.2f} s"
            )
        n_window = min(round(self.segment * recording.sample_rate), recording.n_samples)
        starts = self._starts(recording, n_window)
        for first in range(0, len(starts), self.batch_size):
            windows = torch.stack(
                [recording.samples[:, start : start + n_window] for start in starts[first : first + self.batch_size]]
            )
            keeps = self.is_stereo and windows.shape[1] == 2
            rows = windows.flatten(0, 1) if keeps else down_mix(windows)  # resampled as one signal of many channels
            rows = resample(rows, source_rate=recording.sample_rate, target_rate=self.sample_rate)
            pairs = rows.view(-1, 2, rows.shape[-1]) if keeps else rows[:, None].expand(-1, 2, -1)
            yield pairs if self.is_stereo else rows

    def _starts(self, recording: Audio, n_window: int) -> list[int]:
        """Return where the windows begin, in samples of the recording."""
        n_windows = -(-recording.n_samples // n_window)
        last = recording.n_samples - n_window
        starts = [round(last * i / max(1, n_windows - 1)) for i in range(n_windows)]
        peaks = [float(recording.samples[:, start : start + n_window].abs().max()) for start in starts]
        starts = [start for start, peak in zip(starts, peaks, strict=True) if peak >= SILENT_PEAK] or starts
        n_taken = min(len(starts), self.max_windows)
        return [starts[(2 * i + 1) * len(starts) // (2 * n_taken)] for i in range(n_taken)]
