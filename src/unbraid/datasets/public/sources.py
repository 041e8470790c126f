"""From the tracks of public datasets to the sources that training mixtures are made of.

Axes: C channels, n samples of a range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from unbraid.datasets.public.dataset import Stem, Track
from unbraid.datasets.public.reading import read_stem
from unbraid.datasets.track import MID_CHANNEL, Samples, Source


@dataclass(frozen=True)
class StemStore:
    """The samples of a stem, decoded at every reading."""

    stem: Stem

    def read(self, start: int, stop: int, channel: int) -> Samples:
        """Return the samples from start to stop of one channel, or of the mean of all (channel -1).

        Raises:
            DatasetError: if a file cannot be read.
        """
        samples = read_stem(self.stem, start, stop)
        mono = samples.mean(axis=0) if channel == MID_CHANNEL else samples[channel]
        return np.ascontiguousarray(mono, dtype=np.float32)


def source_of(track: Track, stem: Stem, prompt: str, *, train_only: bool = False) -> Source:
    """Return a stem as a source that is decoded piece by piece whenever it is drawn.

    Args:
        track: that the stem is of.
        stem: at least one recording.
        prompt: what the stem is a recording of; see `unbraid.datasets.public.labels`.
        train_only: whether it is never held out for validation.

    Raises:
        DatasetError: if files of the stem have several rates, or it is empty.
    """
    only = Track(track.name, track.dataset, track.split, (stem,))
    return Source(
        name=f"{track.dataset}/{track.name}/{stem.name}",
        prompt=prompt,
        sample_rate=only.sample_rate,
        n_samples=stem.n_samples,
        store=StemStore(stem),
        n_channels=stem.n_channels,
        track=f"{track.dataset}/{track.name}",
        train_only=train_only,
    )


def sources_of(tracks: Iterable[Track], label: Callable[[Track, Stem], str]) -> Iterator[Source]:
    """Return the stems of tracks as sources; those that have no label are passed over.

    Args:
        tracks: of any dataset.
        label: gives a stem its prompt or instrument class; "" leaves it out.

    Raises:
        DatasetError: as in `source_of`.
    """
    for track in tracks:
        for stem in track.stems:
            prompt = label(track, stem)
            if prompt:
                yield source_of(track, stem, prompt)
