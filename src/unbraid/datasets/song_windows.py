"""Whole songs cut into windows, to validate with: the real mixture and all stems of every window.

Axes: B = 1, S stems, C = 2 channels, N samples.

Source: Choi et al., "LaSAFT-Net v2", JAES 70(9), 2022: the validation layout of its published training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import overload

import numpy as np
import torch
from torch import Tensor

from unbraid.datasets.stem_mixing import StemBatch, StemSettings, check_rates, read_stereo
from unbraid.datasets.track import Source, SourcePool
from unbraid.errors import DatasetError

TRIM_SAMPLES = 5120


@dataclass(frozen=True)
class SongWindows(Sequence[StemBatch]):
    """Windows of songs, each a batch of one mixture with the stems of all labels as targets.

    A window is a core of ``n_samples - 2 * trim`` samples with ``trim`` zeros on both sides; cores follow one another,
    the last one is filled with zeros. The mixture is the sum of the stems, a stem the sum of all sources of its label.

    Args:
        pool: the sources; those of one track are a song.
        settings: ``n_samples``, ``labels`` and rate of the windows; nothing is drawn.
        trim: zeros on both sides.
        per_song: how many windows of each song, evenly spread; None takes all, as published.
        min_labels: songs that have stems of fewer labels are left out.

    Raises:
        DatasetError: if there is no such song, or a source is at another rate.
    """

    pool: SourcePool
    settings: StemSettings = field(default_factory=StemSettings)
    trim: int = TRIM_SAMPLES
    per_song: int | None = None
    min_labels: int = 1

    def __post_init__(self) -> None:
        check_rates(self.pool, self.settings)
        if not self._windows:
            raise DatasetError(f"no song has {self.min_labels} or more of {', '.join(self.settings.labels)}: add songs")

    @cached_property
    def _windows(self) -> list[tuple[str, int]]:
        """The track and the first sample of the core of every window."""
        songs: dict[str, list[Source]] = {}
        for source in self.pool.sources.values():
            if source.prompt in self.settings.labels:
                songs.setdefault(source.track, []).append(source)
        windows: list[tuple[str, int]] = []
        for track, sources in sorted(songs.items()):
            if len({source.prompt for source in sources}) < self.min_labels:
                continue
            n_windows = -(-max(source.n_samples for source in sources) // self._core)
            wanted = min(self.per_song or n_windows, n_windows)
            windows.extend((track, self._core * (index * n_windows // wanted)) for index in range(wanted))
        return windows

    @property
    def _core(self) -> int:
        return self.settings.n_samples - 2 * self.trim

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self._windows)

    @overload
    def __getitem__(self, index: int) -> StemBatch: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[StemBatch]: ...

    def __getitem__(self, index: int | slice) -> StemBatch | Sequence[StemBatch]:
        """Return one window."""
        if isinstance(index, slice):
            return [self[one] for one in range(len(self))[index]]
        track, start = self._windows[index]
        labels = self.settings.labels
        stems = torch.stack([self._stem(self.pool.companions(track, label), start) for label in labels])
        return StemBatch(stems.sum(dim=0)[None], stems[None], [labels], stems[None])

    def _stem(self, sources: Sequence[Source], start: int) -> Tensor:
        window = torch.zeros(2, self.settings.n_samples)
        for source in sources:
            stop = min(start + self._core, source.n_samples)
            if stop > start:
                samples = np.ascontiguousarray(read_stereo(source, start, stop))
                window[:, self.trim : self.trim + stop - start] += torch.from_numpy(samples)
        return window
