"""The one chunker: a recording of any length as overlapping windows, and back.

Windows of L samples begin every ``stride`` samples. Where two of them meet, one fades out as the next fades in::

    weight
      1 ┤───────╮     ╭─────────╮     ╭──────        rising edge   (i + 1) / (F + 1)
        │        ╲   ╱           ╲   ╱               falling edge  (F - i) / (F + 1)
        │ window  ╲ ╱   window    ╲ ╱   window       sum           (F + 1) / (F + 1) = 1
        │   0      ╳       1       ╳      2
        │         ╱ ╲             ╱ ╲                for i = 0 … F - 1, where F = L - stride
      0 ┼───────┴─────┴─────────┴─────┴──────
                |<-F->|         |<-F->|

At the two ends of the recording, where the last window meets the one before, and where more than half of each window
overlaps, more or fewer than two windows meet and the edges alone do not sum to one. So the weights are summed along
with the samples, and the sum of the samples is divided by the sum of the weights: whatever meets, weights sum to one.

A recording that is shorter than a window is one short window, unpadded. In a longer one, the last window is moved left
to end where the recording ends: every window holds L samples of the recording, and no zeros.

Axes: B windows of a batch, S outputs, C channels, N samples of the recording, L samples of a window.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from unbraid.audio.continuity import Continuity
from unbraid.errors import AudioError, SettingsError

MAX_OVERLAP = 0.9

Process = Callable[[Tensor, Sequence[int]], tuple[Tensor, Tensor | None]]
"""Takes windows ``[B, C, n]`` and where each begins, in samples; gives ``[B, S, C, n]``, and scores ``[B, S]`` or None.

All windows have L samples, but for the one of a recording that is shorter; B is at most the batch size.
"""


@dataclass(frozen=True)
class WindowLayout:
    """Where windows lie, and how they are weighted.

    Args:
        length: samples of a window, L.
        overlap: fraction of a window that the next one covers again, in [0, 0.9).
        batch_size: windows that are processed at a time.
        fade: ``"linear"`` cross-fades; ``"box"`` is the plain mean of all windows that meet.
        step: windows begin at multiples of so many samples, but for the last one, which ends with the recording.

    Raises:
        SettingsError: if a value is out of range.

    Example:
        >>> layout = WindowLayout(length=100, overlap=0.25)
        >>> layout.stride, layout.starts(260), layout.starts(7)
        (75, [0, 75, 150, 160], [0])
    """

    length: int
    overlap: float = 0.25
    batch_size: int = 1
    fade: Literal["linear", "box"] = "linear"
    step: int = 1

    def __post_init__(self) -> None:
        if self.length < 1:
            raise SettingsError(f"a window of {self.length} samples is too short: make the segment longer")
        if not 0 <= self.overlap < MAX_OVERLAP:
            raise SettingsError(
                f"overlap {self.overlap} is out of range: use 0 to {MAX_OVERLAP}, {MAX_OVERLAP} excluded"
            )
        if self.batch_size < 1:
            raise SettingsError(f"batch_size {self.batch_size} is out of range: use 1 or more")
        if self.step < 1:
            raise SettingsError(f"windows cannot begin every {self.step} samples: use 1 or more")
        if self.fade not in ("linear", "box"):
            raise SettingsError(f"unknown fade {self.fade!r}: use 'linear' or 'box'")

    @property
    def stride(self) -> int:
        """Samples from the beginning of a window to that of the next."""
        stride = max(1, round(self.length * (1 - self.overlap)))
        return max(self.step, stride // self.step * self.step) if self.step <= self.length else stride

    def starts(self, n_samples: int) -> list[int]:
        """First sample of each window of a recording; empty where there is nothing to cover."""
        if n_samples <= self.length:
            return [0] if n_samples else []
        last = n_samples - self.length
        return [*range(0, last, self.stride), last]

    def weights(self) -> Tensor:
        """Weights of the samples of a window, ``[L]``, all above 0; they need to be divided by their sum."""
        fade = 0 if self.fade == "box" else self.length - self.stride
        distance = torch.arange(1, self.length + 1, dtype=torch.float64)  # to the sample before the window
        return (torch.minimum(distance, distance.flip(0)) / (fade + 1)).clamp(max=1.0).float()


@dataclass(frozen=True, eq=False)
class Finished:
    """What has become final.

    Args:
        estimates: float32 ``[S, C, n]``, the samples that follow those of the piece before; n may be 0.
        scores: beginning in samples and scores ``[S]`` of each window that was processed, where it has scores.
    """

    estimates: Tensor
    scores: tuple[tuple[int, Tensor], ...] = ()


def overlap_add(
    blocks: Iterable[Tensor], process: Process, *, layout: WindowLayout, groups: Sequence[Sequence[int]] = ()
) -> Iterator[Finished]:
    """Process a recording of any length in windows, in bounded memory.

    Which windows are processed together does not depend on how the recording is cut into blocks, so that the result
    does not either, to the last bit. At most ``L + batch_size * stride`` samples of the recording are held.

    Outputs that could change places from window to window are put into the order in which they continue the windows
    before, see :class:`unbraid.audio.continuity.Continuity`; their scores follow. With overlap 0, windows do not
    meet, and all that speaks for an order is how the outputs sound.

    Args:
        blocks: float32 ``[C, n]``, any n; never modified.
        process: maps a batch of windows to estimates of the same length and, if it can, scores.
        layout: where windows lie.
        groups: indices of outputs that may change places with each other; all others stay where they are.

    Yields:
        Pieces of the result that have become final. Together they are exactly as long as the recording.

    Raises:
        AudioError: if blocks differ in their number of channels.
        ValueError: if ``process`` returns another shape than promised, or a group is not one.

    Example:
        >>> blocks = torch.arange(1.0, 8.0)[None].split(3, dim=1)
        >>> pieces = overlap_add(blocks, lambda windows, starts: (-windows[:, None], None), layout=WindowLayout(4))
        >>> torch.cat([piece.estimates for piece in pieces], dim=-1)
        tensor([[[-1., -2., -3., -4., -5., -6., -7.]]])
    """
    cutter, adder = _Cutter(layout), _Adder(layout, groups)
    for block in blocks:
        for windows, starts in cutter.push(block):
            yield adder.add(process(windows, starts), windows.shape, starts)
    for windows, starts in cutter.finish():
        yield adder.add(process(windows, starts), windows.shape, starts)
    if cutter.has_cut:
        yield adder.finish()


class _Cutter:
    """Collect blocks, and cut them into batches of windows.

    The buffer begins with the last window that was cut (its samples are needed again if the recording ends now, and
    the last window moves left), or with the recording.
    """

    def __init__(self, layout: WindowLayout) -> None:
        self._layout = layout
        self._buffer = torch.empty(0, 0)
        self._offset = 0  # sample of the recording with which the buffer begins
        self._first = 0  # where in the buffer the next window begins
        self._n_held = 0

    @property
    def has_cut(self) -> bool:
        """Whether a window has been cut yet."""
        return self._first > 0

    def push(self, block: Tensor) -> Iterator[tuple[Tensor, list[int]]]:
        """Take a block ``[C, n]``; yield full batches of windows, and where each window begins."""
        layout = self._layout
        if block.ndim != 2 or (self._buffer.numel() and len(block) != len(self._buffer)):
            channels = len(self._buffer) or "channels"
            raise AudioError(f"blocks must be [{channels}, samples], got shape {tuple(block.shape)}")
        if not self._buffer.numel():
            self._buffer = torch.empty(len(block), layout.length + layout.batch_size * layout.stride)
        rest = block.detach()
        while rest.shape[1]:
            full = self._first + (layout.batch_size - 1) * layout.stride + layout.length
            taken, rest = rest[:, : full - self._n_held], rest[:, full - self._n_held :]
            self._buffer[:, self._n_held : self._n_held + taken.shape[1]] = taken
            self._n_held += taken.shape[1]
            if self._n_held == full:
                yield self._cut([self._first + index * layout.stride for index in range(layout.batch_size)])

    def finish(self) -> Iterator[tuple[Tensor, list[int]]]:
        """Yield the windows that are left; the last one ends with the recording."""
        length = self._layout.length
        n_cut = length if self.has_cut else 0
        starts = list(range(self._first, self._n_held - length + 1, self._layout.stride))
        if (starts[-1] + length if starts else n_cut) < self._n_held:
            starts.append(max(0, self._n_held - length))
        if starts:
            yield self._cut(starts)

    def _cut(self, starts: list[int]) -> tuple[Tensor, list[int]]:
        stop = min(self._layout.length, self._n_held)
        windows = torch.stack([self._buffer[:, start : start + stop] for start in starts])
        absolute = [self._offset + start for start in starts]
        kept = self._buffer[:, starts[-1] : self._n_held].clone()
        self._buffer[:, : kept.shape[1]] = kept
        self._offset, self._n_held, self._first = absolute[-1], kept.shape[1], self._layout.stride
        return windows, absolute


class _Adder:
    """Sum weighted windows; what lies before the window that came last is final."""

    def __init__(self, layout: WindowLayout, groups: Sequence[Sequence[int]]) -> None:
        self._weights = layout.weights()
        self._continuity = Continuity(groups)
        self._sum = torch.empty(0, 0, 0)  # [S, C, L], begins with the window that came last
        self._total = torch.zeros(layout.length, dtype=torch.float64)  # sum of weights [L]
        self._start = 0
        self._n_held = 0

    def add(self, result: tuple[Tensor, Tensor | None], shape: torch.Size, starts: Sequence[int]) -> Finished:
        """Add what windows of a shape were answered with; return what has become final."""
        estimates, scores = result
        n_windows, n_channels, length = shape
        if estimates.ndim != 4 or (estimates.shape[0], *estimates.shape[2:]) != (n_windows, n_channels, length):
            raise ValueError(f"windows {list(shape)} were answered with estimates {list(estimates.shape)}")
        if scores is not None and scores.shape != estimates.shape[:2]:
            raise ValueError(f"estimates {list(estimates.shape)} came with scores {list(scores.shape)}")
        if not self._sum.numel():
            self._sum = torch.zeros(estimates.shape[1], n_channels, len(self._weights))
        pieces, ordered_scores = [], []
        for index, start in enumerate(starts):
            pieces.append(self._advance(start))
            order = self._add_window(estimates[index].detach().to("cpu", torch.float32))
            if scores is not None:
                ordered_scores.append((start, scores[index].detach().to("cpu", torch.float32)[order]))
        return Finished(torch.cat(pieces, dim=-1), tuple(ordered_scores))

    def finish(self) -> Finished:
        """Return the rest."""
        return Finished(self._advance(self._start + self._n_held))

    def _add_window(self, window: Tensor) -> list[int]:
        n_shared, length = self._n_held, window.shape[-1]
        before = self._sum[..., :n_shared] / self._total[:n_shared].float() if self._continuity.groups else None
        order = list(range(len(window))) if before is None else self._continuity.order(before, window)
        weights = self._weights[:length]
        self._sum[..., :length].addcmul_(window if order == sorted(order) else window[order], weights)
        self._total[:length] += weights
        self._n_held = length
        return order

    def _advance(self, start: int) -> Tensor:
        """Return the samples before ``start``, and let the sums begin there."""
        n_final = start - self._start
        final = self._sum[..., :n_final] / self._total[:n_final].float()
        n_kept = self._n_held - n_final
        for held in (self._sum, self._total):
            held[..., :n_kept] = held[..., n_final : self._n_held].clone()
            held[..., n_kept:] = 0.0
        self._start, self._n_held = start, n_kept
        return final


class SampleQueue:
    """Samples ``[rows, n]`` that wait, first in, first out.

    Attributes:
        n_samples: samples that wait.
        n_rows: rows of the block that came last.
    """

    def __init__(self) -> None:
        self.n_samples = 0
        self.n_rows = 0
        self._blocks: deque[Tensor] = deque()

    def push(self, block: Tensor) -> None:
        """Put a block at the end; it is kept, not copied."""
        self.n_rows = len(block)
        if block.shape[1]:
            self._blocks.append(block)
            self.n_samples += block.shape[1]

    def pop(self, n_samples: int) -> Tensor:
        """Take the first samples out, into memory of their own."""
        taken, rest = [], n_samples
        while rest:
            block = self._blocks.popleft()
            if block.shape[1] > rest:
                self._blocks.appendleft(block[:, rest:])
                block = block[:, :rest]
            taken.append(block)
            rest -= block.shape[1]
        self.n_samples -= n_samples
        return torch.cat(taken, dim=1)
