"""Recordings with one stem per instrument, and what can be cut out of them: mixtures, references and examples.

Axes: C channels, N samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unbraid.datasets.dice import Dice
from unbraid.datasets.multitrack_packing import compose_songs
from unbraid.datasets.soundfont import Player
from unbraid.datasets.taxonomy import class_of
from unbraid.datasets.track import Source, SourcePool
from unbraid.errors import DatasetError
from unbraid.evaluation.items import Reference, find_folders, map_stems, read_stems

FLOOR_DB = -60.0
MAX_REDRAWS = 20
N_PASSAGES = 4
FIRST_SONG = 10_000_000
COMPOSED_PER_SEED = 10_000

Labels = Callable[[Sequence[str], str], Mapping[str, str]]
"""From the names of all stems of a track, and the kind of recording, to labels; "" is a label nobody asks for."""


@dataclass(frozen=True, eq=False)
class TrackStem:
    """One instrument of a track: its name, its label, its samples ``[C, N]``."""

    name: str
    label: str
    samples: Tensor


@dataclass(frozen=True)
class Part:
    """A range of a track, in samples."""

    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class StemTrack:
    """A recording whose instruments are known one by one; the mixture is their sum.

    Args:
        name: unique within the set.
        item_set: what kind of set it is from.
        sample_rate: in hertz.
        stems: at least one, all of one shape; several can have one label.
    """

    name: str
    item_set: str
    sample_rate: int
    stems: tuple[TrackStem, ...]

    @property
    def n_samples(self) -> int:
        """Length of all stems."""
        return int(self.stems[0].samples.shape[-1])

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that can be asked for, each once."""
        return tuple(dict.fromkeys(stem.label for stem in self.stems if stem.label))

    def parts(self, count: int) -> tuple[Part, ...]:
        """Divide into equal parts, one after the other.

        Example:
            >>> track = StemTrack("a", "set", 8000, (TrackStem("v", "vocals", torch.ones(1, 10)),))
            >>> track.parts(2)
            (Part(start=0, stop=5), Part(start=5, stop=10))
        """
        bounds = [self.n_samples * index // count for index in range(count + 1)]
        return tuple(Part(start, stop) for start, stop in pairwise(bounds))

    def mixture(self, part: Part) -> Tensor:
        """Return the sum of all stems in a part."""
        return torch.stack([stem.samples[:, part.start : part.stop] for stem in self.stems]).sum(dim=0)

    def reference(self, label: str, part: Part) -> Reference:
        """Return the sum of all stems of a label in a part, as the instrument tracks of the few-shot paper are."""
        members = [stem for stem in self.stems if stem.label == label]
        total = torch.stack([stem.samples[:, part.start : part.stop] for stem in members]).sum(dim=0)
        return Reference(label, total, tuple(stem.name for stem in members))

    def soloists(self, label: str, part: Part) -> tuple[Reference, ...]:
        """Return the stems of a label that sound in a part, loudest first."""
        found = [
            Reference(label, stem.samples[:, part.start : part.stop], (stem.name,))
            for stem in self.stems
            if stem.label == label
        ]
        sounding = [one for one in found if sounds(one.samples)]
        return tuple(sorted(sounding, key=lambda one: -float(one.samples.square().sum())))

    def stem(self, name: str) -> Tensor:
        """Return the samples of one stem."""
        return next(stem.samples for stem in self.stems if stem.name == name)


@dataclass(frozen=True)
class TrackSource:
    """Where a track comes from; nothing is read before ``read`` is called."""

    name: str
    read: Callable[[], StemTrack]


def sounds(samples: Tensor) -> bool:
    """Say whether samples ``[C, N]`` lie above -60 dBFS RMS."""
    return samples.numel() > 0 and float(samples.square().mean()) > 10 ** (FLOOR_DB / 10)


def draw_start(samples: Tensor, inside: Sequence[Part], length: int, dice: Dice) -> int | None:
    """Draw where to cut a passage that sounds; None where none was found.

    Args:
        samples: ``[C, N]``.
        inside: the parts that passages may be cut from.
        length: of the passage, in samples.
        dice: a few numbers are used up.
    """
    room = [part for part in inside if part.stop - part.start >= length]
    for _ in range(MAX_REDRAWS if room else 0):
        part = room[dice.integer(len(room))]
        start = part.start + dice.integer(part.stop - part.start - length + 1)
        if sounds(samples[:, start : start + length]):
            return start
    return None


def dice_of(*parts: object) -> Dice:
    """Return dice that depend on these words and numbers alone.

    Example:
        >>> dice_of(1, "song").integer(1000) == dice_of(1, "song").integer(1000)
        True
    """
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return Dice(torch.Generator().manual_seed(int.from_bytes(digest[:7], "big")))


def by_stem(names: Sequence[str], kind: str) -> Mapping[str, str]:
    """Label stems by the prompts of `unbraid.evaluation.items`: vocals, drums, bass, other.

    Example:
        >>> by_stem(["lead vox", "clean_guitar2"], "music")
        {'lead vox': 'vocals', 'clean_guitar2': 'other'}
    """
    return map_stems(names, kind=kind)


def by_instrument(names: Sequence[str], kind: str) -> Mapping[str, str]:
    """Label stems by the 18 instrument classes of `unbraid.datasets.taxonomy`; those of no class are not asked for.

    Example:
        >>> by_instrument(["lead vox", "clean_guitar2", "other"], "music")
        {'lead vox': 'vocals', 'clean_guitar2': 'electric guitar', 'other': ''}
    """
    del kind
    return {name: class_of(name) or "" for name in names}


def find_tracks(root: Path, *, labels: Labels) -> list[TrackSource]:
    """Find the folders of stems in a tree, as `find_items` does; every stem stays alone.

    Args:
        root: any folder.
        labels: gives stems their labels.

    Raises:
        DatasetError: if there is no such folder.
    """
    return [TrackSource(name, partial(_read, folder, labels)) for name, folder in find_folders(root).items()]


def _read(folder: Path, labels: Labels) -> StemTrack:
    found = read_stems(folder)
    names = labels(list(found.samples), found.kind)
    stems = tuple(TrackStem(name, names[name], samples) for name, samples in found.samples.items())
    return StemTrack(found.name, found.item_set, found.sample_rate, stems)


def pool_tracks(pool: SourcePool, *, labels: Labels, count: int, seed: int, duration: float) -> list[TrackSource]:
    """Cut one passage out of each of some tracks of a pool; every source is a stem, and its prompt is its name.

    Track k depends on the pool, the seed and k alone. Sources that are shorter than the passage are left out, and
    tracks in which fewer than two labels sound are passed over.

    Args:
        pool: sources of a split that no training has seen, several per track.
        labels: gives prompts their labels.
        count: how many tracks; all if there are fewer.
        seed: of the choice of tracks and passages.
        duration: of a passage, in seconds.

    Raises:
        DatasetError: if no track has two labels.
    """
    songs: dict[str, list[Source]] = {}
    for source in pool.sources.values():
        if source.n_samples >= round(duration * source.sample_rate):
            songs.setdefault(source.track, []).append(source)
    fitting = sorted(song for song, sources in songs.items() if len({one.prompt for one in sources}) > 1)
    if not fitting:
        raise DatasetError(f"no track has {duration:g} s of two labels: render more than one stem per song")
    dice = dice_of("tracks", seed)
    chosen: list[str] = []
    while fitting and len(chosen) < count:
        chosen.append(fitting.pop(dice.integer(len(fitting))))
    return [TrackSource(song, partial(_cut, song, songs[song], labels, (seed, duration))) for song in chosen]


def _cut(song: str, sources: Sequence[Source], labels: Labels, draw: tuple[int, float]) -> StemTrack:
    """Cut the passage with the most stems that sound, of a few that are drawn."""
    seed, duration = draw
    names = labels([source.prompt for source in sources], "music")
    rate = sources[0].sample_rate
    length = round(duration * rate)
    shortest, n_channels = min(source.n_samples for source in sources), {source.n_channels for source in sources}
    if len(n_channels) > 1 or {source.sample_rate for source in sources} != {rate}:
        raise DatasetError(f"{song}: its stems differ in rate or channels: pack them in one go")
    dice = dice_of("passage", seed, song)
    best: tuple[TrackStem, ...] = ()
    for _ in range(N_PASSAGES):
        start = dice.integer(shortest - length + 1)
        read = [(source, _samples(source, start, start + length)) for source in sources]
        stems = tuple(TrackStem(source.name, names[source.prompt], one) for source, one in read)
        sounding = tuple(stem for stem in stems if sounds(stem.samples))
        if len(sounding) > len(best):
            best = sounding
    if not best:
        raise DatasetError(f"{song}: nothing sounds in it: take it out")
    return StemTrack(song, "drawn", rate, best)


def composed_tracks(
    *, labels: Labels, count: int, seed: int, duration: float, player: Player | None
) -> list[TrackSource]:
    """Compose songs that no training has heard; song k depends on the seed, the player and k alone.

    Args:
        labels: gives instrument classes their labels.
        count: how many songs.
        seed: its songs have nothing in common with those of another one, nor with those of the training packs.
        duration: of a song, in seconds.
        player: plays the sampled parts; without one everything is synthesized.
    """
    numbers = [FIRST_SONG + COMPOSED_PER_SEED * seed + index for index in range(count)]
    return [
        TrackSource(f"composed-{number}", partial(_compose, number, labels, duration, player)) for number in numbers
    ]


def _compose(number: int, labels: Labels, duration: float, player: Player | None) -> StemTrack:
    ((name, found),) = compose_songs([number], duration=duration, player=player)
    names = labels([stem.label for stem in found], "music")
    stems = tuple(TrackStem(stem.name, names[stem.label], stem.audio.samples) for stem in found)
    sounding = tuple(stem for stem in stems if sounds(stem.samples))
    return StemTrack(name, "composed", found[0].audio.sample_rate, sounding)


def _samples(source: Source, start: int, stop: int) -> Tensor:
    channels = [source.read(start, stop, channel) for channel in range(min(source.n_channels, 2))]
    return torch.from_numpy(np.stack(channels))
