"""Sources: recordings of one prompt that training mixtures are made of, read piece by piece."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import soundfile

from unbraid.datasets.dice import Dice
from unbraid.errors import DatasetError

MID_CHANNEL = -1
Samples = npt.NDArray[np.float32]


class SampleStore(Protocol):
    """Where the samples of a source lie."""

    def read(self, start: int, stop: int, channel: int) -> Samples:
        """Return the samples from start to stop of one channel, or of the mean of all (channel -1)."""
        ...


@dataclass(frozen=True)
class FileStore:
    """Samples in an audio file, decoded at every reading."""

    path: Path

    def read(self, start: int, stop: int, channel: int) -> Samples:
        """Return the samples from start to stop of one channel, or of the mean of all (channel -1)."""
        try:
            samples, _ = soundfile.read(self.path, start=start, stop=stop, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, OSError) as error:
            raise DatasetError(f"{self.path}: cannot be read ({error}): repair it or take it out") from error
        mono = samples.mean(axis=1) if channel == MID_CHANNEL else samples[:, channel]
        return np.ascontiguousarray(mono, dtype=np.float32)


@dataclass(frozen=True)
class LayeredStore:
    """The sum of several stores that run on one clock, such as all stems of a song."""

    layers: tuple[SampleStore, ...]

    def read(self, start: int, stop: int, channel: int) -> Samples:
        """Return the samples from start to stop of one channel, or of the mean of all (channel -1)."""
        total = self.layers[0].read(start, stop, channel)
        for layer in self.layers[1:]:
            total = total + layer.read(start, stop, channel)
        return total


@dataclass(frozen=True)
class Source:
    """One recording of one prompt.

    Args:
        name: unique among the sources of a pool.
        prompt: what it is a recording of, such as ``vocals``.
        sample_rate: of the stored samples, in hertz.
        n_samples: length in samples.
        store: where the samples lie.
        band_rate: the lowest sampling rate that the recording ever had; 0 means ``sample_rate``. What lies
            above half of it is not there.
        n_channels: number of stored channels.
        track: what belongs together (a song, a speaker, takes of one sound): its sources are never divided
            between training and validation. Empty means the source's own name.
        spans: the pieces (start, stop), in samples, where the source sounds; empty means all of it. Each
            counts as one item when items are drawn.
        train_only: whether it is never held out for validation, because there are too few like it.
    """

    name: str
    prompt: str
    sample_rate: int
    n_samples: int
    store: SampleStore
    band_rate: int = 0
    n_channels: int = 1
    track: str = ""
    spans: tuple[tuple[int, int], ...] = ()
    train_only: bool = False

    def __post_init__(self) -> None:
        if self.n_samples <= 0 or self.sample_rate <= 0:
            raise DatasetError(f"source {self.name}: it has no samples or no sample rate: leave it out")
        if any(not 0 <= start < stop <= self.n_samples for start, stop in self.spans):
            raise DatasetError(f"source {self.name}: a span lies outside of its {self.n_samples} samples")
        object.__setattr__(self, "band_rate", min(self.band_rate or self.sample_rate, self.sample_rate))
        object.__setattr__(self, "track", self.track or self.name)
        object.__setattr__(self, "spans", self.spans or ((0, self.n_samples),))

    def read(self, start: int, stop: int, channel: int = 0) -> Samples:
        """Return samples from start to stop, float32 ``[stop - start]``.

        Raises:
            DatasetError: if the range lies outside of the recording or cannot be read.
        """
        if not 0 <= start < stop <= self.n_samples:
            raise DatasetError(f"source {self.name}: samples {start} to {stop} lie outside of its {self.n_samples}")
        return self.store.read(start, stop, channel)


@dataclass(frozen=True)
class Item:
    """One piece of a source that can be drawn."""

    source: Source
    start: int
    stop: int


class SourcePool:
    """Sources by prompt, from which items are drawn.

    Args:
        sources: with names that are unique.
        weights: how often a prompt's items of a source are drawn, relative to those of others, by the
            beginning of the source's name; 1 where no beginning fits, the longest one where several do.

    Raises:
        DatasetError: if there is no source, or two of one name.
    """

    def __init__(self, sources: Iterable[Source], *, weights: Mapping[str, float] | None = None) -> None:
        self.sources: dict[str, Source] = {}
        self._weights = dict(weights or {})
        for source in sources:
            if source.name in self.sources:
                raise DatasetError(f"two sources are called {source.name}: give them different names")
            self.sources[source.name] = source
        if not self.sources:
            raise DatasetError("there are no sources: give at least one recording")
        self._items: dict[str, list[Item]] = {}
        self._tracks: dict[tuple[str, str], list[Source]] = {}
        for source in self.sources.values():
            self._items.setdefault(source.prompt, []).extend(Item(source, *span) for span in source.spans)
            self._tracks.setdefault((source.track, source.prompt), []).append(source)
        self._cumulative = {
            prompt: list(accumulate(self._weight(item.source.name) for item in items))
            for prompt, items in self._items.items()
        }

    def _weight(self, name: str) -> float:
        fitting = [beginning for beginning in self._weights if name.startswith(beginning)]
        return self._weights[max(fitting, key=len)] if fitting else 1.0

    @property
    def prompts(self) -> frozenset[str]:
        """The prompts that there are sources of."""
        return frozenset(prompt for prompt, cumulative in self._cumulative.items() if cumulative[-1] > 0)

    @cached_property
    def n_sources(self) -> dict[str, int]:
        """The number of sources of each prompt that can be drawn."""
        return {
            prompt: sum(source.prompt == prompt and self._weight(source.name) > 0 for source in self.sources.values())
            for prompt in self.prompts
        }

    def __getitem__(self, name: str) -> Source:
        """Return a source by its name."""
        if name not in self.sources:
            raise DatasetError(f"there is no source called {name}: the draw was made from another pool")
        return self.sources[name]

    def draw(self, dice: Dice, prompt: str) -> Item:
        """Draw one item of a prompt.

        Raises:
            DatasetError: if there is no source of that prompt.
        """
        if prompt not in self.prompts:
            known = ", ".join(sorted(self.prompts))
            raise DatasetError(f"there is no source of {prompt}, only of {known}: add recordings or leave it out")
        return self._items[prompt][dice.weighted(self._cumulative[prompt])]

    def companions(self, track: str, prompt: str) -> list[Source]:
        """Return the sources of a prompt in a track."""
        return self._tracks.get((track, prompt), [])

    def split(self, held_out: float, *, salt: str = "unbraid") -> tuple[SourcePool, SourcePool]:
        """Divide into training and validation; every track goes to one side, by a hash of its name.

        Adding sources never moves others from one side to the other. Sources that are for training only
        never go to validation.

        Args:
            held_out: expected fraction of the tracks that goes to validation, in 0..1.
            salt: another one gives another division.

        Raises:
            DatasetError: if one side is left without any source.
        """
        sides: tuple[list[Source], list[Source]] = ([], [])
        for source in self.sources.values():
            validation = not source.train_only and is_held_out(source.track, held_out, salt=salt)
            sides[validation].append(source)
        if not all(sides):
            raise DatasetError(f"holding out {held_out} of the tracks leaves a side empty: change it or add tracks")
        return SourcePool(sides[0], weights=self._weights), SourcePool(sides[1], weights=self._weights)

    def summary(self) -> dict[str, tuple[int, int, float]]:
        """Return, by prompt, the numbers of sources and items and the seconds of all sources."""
        result = {}
        for prompt, items in sorted(self._items.items()):
            sources = [source for source in self.sources.values() if source.prompt == prompt]
            seconds = sum(source.n_samples / source.sample_rate for source in sources)
            result[prompt] = (len(sources), len(items), seconds)
        return result


def is_held_out(track: str, fraction: float, *, salt: str = "unbraid") -> bool:
    """Tell whether a track belongs to validation: a fixed property of its name.

    Example:
        >>> is_held_out("song-1", 0.0), is_held_out("song-1", 1.0)
        (False, True)
    """
    digest = hashlib.blake2b(f"{salt}/{track}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 < fraction
