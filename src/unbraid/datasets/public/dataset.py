"""What a public dataset is: where it comes from, how its files lie, and the tracks that they make.

Axes: C channels, n samples of a range.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unbraid.errors import DatasetError


@dataclass(frozen=True)
class Recording:
    """Sound in a file: one stream of it, or a piece of that.

    Args:
        path: of the file.
        sample_rate: of the file, in hertz.
        n_samples: length of the piece, at that rate.
        n_channels: of the stream.
        start: where the piece begins, in samples of the file.
        stream: which audio stream, in files that hold several (.stem.mp4), counted from 0.
        gain: that the samples are multiplied with.
    """

    path: Path
    sample_rate: int
    n_samples: int
    n_channels: int
    start: int = 0
    stream: int = 0
    gain: float = 1.0


@dataclass(frozen=True)
class Stem:
    """One named part of a track: the sum of its recordings.

    Args:
        name: unique within the track, such as ``S03`` or ``vocals``.
        label: what the dataset itself calls the sound, such as ``Electric Guitar (jazz)``; `labels` maps it to others.
        recordings: that are summed; silence after the end of the shorter ones.
        bleeds: whether other sources can be heard in it.
        score: its notes, a MIDI file, where the dataset has them.
        group: stems of one group are one source to the dataset, such as takes of one singer.
    """

    name: str
    label: str
    recordings: tuple[Recording, ...]
    bleeds: bool = False
    score: Path | None = None
    group: str = ""

    @property
    def n_samples(self) -> int:
        """Length of the longest recording, in samples."""
        return max((recording.n_samples for recording in self.recordings), default=0)

    @property
    def n_channels(self) -> int:
        """Number of channels of the widest recording."""
        return max((recording.n_channels for recording in self.recordings), default=0)


@dataclass(frozen=True)
class Track:
    """What sounds together: stems on one clock, and their mixture where the dataset has one.

    Args:
        name: unique within the dataset.
        dataset: name of the dataset.
        split: of the dataset, such as ``train``.
        stems: at least one.
        mixture: as distributed; None is the sum of the stems.
        details: what else the dataset tells of it.
    """

    name: str
    dataset: str
    split: str
    stems: tuple[Stem, ...]
    mixture: Recording | None = None
    details: Mapping[str, str | float | bool] = field(default_factory=dict)

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """All recordings: of the stems, and the mixture where there is one."""
        mixture = () if self.mixture is None else (self.mixture,)
        return (*(recording for stem in self.stems for recording in stem.recordings), *mixture)

    @property
    def sample_rate(self) -> int:
        """The rate of all recordings, in hertz.

        Raises:
            DatasetError: if they have several.
        """
        rates = {recording.sample_rate for recording in self.recordings}
        if len(rates) != 1:
            where = min(self.recordings, key=lambda recording: recording.sample_rate).path.parent
            raise DatasetError(f"{where}: files of track {self.name} have rates {sorted(rates)}: resample them to one")
        return rates.pop()

    @property
    def n_samples(self) -> int:
        """Length of the longest stem, or of the mixture where it is longer, in samples."""
        return max(recording.n_samples for recording in self.recordings)

    @property
    def n_channels(self) -> int:
        """Number of channels of the widest recording."""
        return max(recording.n_channels for recording in self.recordings)

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sample_rate


@dataclass(frozen=True)
class Fault:
    """What is missing or damaged, and how it is cured; ``path`` is relative to the root of the dataset."""

    path: str
    problem: str
    cure: str


@dataclass(frozen=True)
class Dataset:
    """A public dataset: citation, licence, expected tree, index and check.

    Args:
        name: what the command line calls it, such as ``musdb18-hq``.
        title: its full name.
        citation: the paper to cite.
        licence: of the recordings, and what it forbids.
        url: where it is to be had.
        tree: the files as they should lie below the root, an indented listing.
        splits: names of its parts.
        index: finds the tracks of a split below a root; reads headers and tables only. Files that are no part of the
            dataset are passed over, a track without which the split is not complete raises DatasetError.
        check: tells what is missing or damaged below a root; an empty list is a whole dataset. Raises DatasetError if
            the root is no such dataset at all.
    """

    name: str
    title: str
    citation: str
    licence: str
    url: str
    tree: str
    splits: tuple[str, ...]
    index: Callable[[Path, str], list[Track]]
    check: Callable[[Path], list[Fault]]
