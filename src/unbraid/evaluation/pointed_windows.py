"""Windows of held-out songs whose melodies are known: a target, the rest of its song, and who imitated it.

They come out of packs of melodies (`datasets.guided_packs`), or of songs that are composed and imitated on the spot.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, section 4: windows of 4.08 s that
begin at onsets of the target, by groups of instruments.

Axes: N samples at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from unbraid.datasets.guided_packs import FILE, Imitation, Melody, MelodyWindow, read_melodies
from unbraid.datasets.melody_songs import GROUPS, VOICE, ComposedSong
from unbraid.datasets.mimicry_packing import ImitationSettings, StoredStem, imitate_stem
from unbraid.datasets.mimicry_players import open_players
from unbraid.datasets.track import Samples, Source
from unbraid.errors import DatasetError
from unbraid.evaluation.tracks import COMPOSED_PER_SEED, FIRST_SONG, dice_of
from unbraid.guides.mask_grid import SAMPLE_RATE
from unbraid.guides.notes import Note
from unbraid.guides.render import amplitude_entropy

N_SAMPLES = 65280
DURATION = N_SAMPLES / SAMPLE_RATE
LEAST_ENTROPY = 2.0  # of the rest, as for backgrounds in training
INSTRUMENT = "instrument"
COMPOSED = "composed"
ORDER = (*dict.fromkeys(group for group in GROUPS if group != "Other"), VOICE, "Other")


@dataclass(frozen=True, eq=False)
class PointedWindow:
    """A window of a song.

    Args:
        name: unique within its set.
        item_set: where it is from.
        group: of the target, such as "Piano".
        target: ``[N]``.
        rest: of the song, ``[N]``; the mixture is the sum of both.
        notes: of the target, in seconds from the beginning of the song.
        start: of the window, in seconds.
        played: the melody on another instrument, as in training; None where nobody played it.
        sung: by a voice, likewise.
        stranger: somebody plays a melody of another song; None where there is only one song.
    """

    name: str
    item_set: str
    group: str
    target: Tensor
    rest: Tensor
    notes: tuple[Note, ...]
    start: float
    played: Tensor | None
    sung: Tensor | None
    stranger: Tensor | None


class WindowSource(Protocol):
    """Where a window comes from; nothing is read before it is called."""

    def __call__(self) -> PointedWindow:
        """Read it."""
        ...


class Melodies(NamedTuple):
    """The targets of a set of songs, and all that sounds in them."""

    name: str
    targets: Sequence[Melody]
    sources: Sequence[Source]


@dataclass(frozen=True, eq=False)
class HeldSamples:
    """Samples ``[N]`` of one channel in memory, as the store of a `Source`."""

    samples: Samples

    def read(self, start: int, stop: int, channel: int) -> Samples:
        """Return the samples from start to stop."""
        del channel
        return self.samples[start:stop]


def pack_melodies(folder: Path) -> list[Melodies]:
    """Read a pack of melodies, or all of a folder of packs.

    Raises:
        DatasetError: if there is none, or one is damaged.
    """
    packs = sorted(file.parent for pattern in (FILE, f"*/{FILE}") for file in folder.glob(pattern))
    if not packs:
        raise DatasetError(f"{folder} is no pack of melodies: make one with recipes/packs, or compose songs")
    return [Melodies(pack.resolve().name, *read_melodies(pack)) for pack in packs]


def composed_melodies(*, count: int, seed: int, duration: float = 24.0) -> Melodies:
    """Compose songs that no training has heard, and let every melody be played and sung.

    Song k depends on the seed, the SoundFont that is installed, and k alone.

    Args:
        count: of songs.
        seed: its songs have nothing in common with those of another one.
        duration: of a song, in seconds.
    """
    players, settings = open_players(), ImitationSettings(n_windows=2, seed=seed)
    targets: list[Melody] = []
    sources: list[Source] = []
    for number in range(FIRST_SONG + COMPOSED_PER_SEED * seed, FIRST_SONG + COMPOSED_PER_SEED * seed + count):
        for index, stem in enumerate(ComposedSong(number, duration).make().stems):
            stem_seed = dice_of("imitate", number, index).integer(2**31)
            stored = imitate_stem(stem, settings, players=players, seed=stem_seed)
            if not stored.spans:
                continue
            track = f"{COMPOSED}-{number}"
            source = _hold(f"{track}/{stored.name}", stored.label, stored.audio.samples[0].numpy(), track)
            sources.append(source)
            if stored.windows:
                targets.append(_melody(stored, source, track))
    return Melodies(COMPOSED, targets, sources)


def choose_windows(melodies: Melodies, *, count: int | None, seed: int) -> list[WindowSource]:
    """Choose windows of every group: first one of each stem, then further ones; groups take turns.

    Windows whose rest is silent are passed over. A larger count begins with the windows of a smaller one.

    Args:
        melodies: the songs.
        count: windows of each group; None takes all.
        seed: of the choice, and of whose melody is the stranger's.
    """
    songs: dict[str, list[Source]] = {}
    for source in melodies.sources:
        songs.setdefault(source.track, []).append(source)
    groups: list[list[WindowSource]] = []
    for group in (one for one in ORDER if any(melody.group == one for melody in melodies.targets)):
        chosen: list[WindowSource] = []
        for melody, window in _in_turn([one for one in melodies.targets if one.group == group], seed):
            others = [one for one in songs[melody.source.track] if one.name != melody.source.name]
            if len(chosen) != count and amplitude_entropy(_sum(others, window.start)) > LEAST_ENTROPY:
                chosen.append(partial(_read, melodies, melody, window, others, seed))
        groups.append(chosen)
    return [source for turn in zip_longest(*groups) for source in turn if source is not None]


def _in_turn(melodies: Sequence[Melody], seed: int) -> list[tuple[Melody, MelodyWindow]]:
    """Return all windows of melodies: one of each, in an order that is drawn, then the next of each."""
    dice = dice_of("windows", seed, melodies[0].group)
    left = list(melodies)
    order = [left.pop(dice.integer(len(left))) for _ in range(len(left))]
    most = max(len(melody.windows) for melody in order)
    return [(melody, melody.windows[turn]) for turn in range(most) for melody in order if turn < len(melody.windows)]


def _read(
    melodies: Melodies, melody: Melody, window: MelodyWindow, others: Sequence[Source], seed: int
) -> PointedWindow:
    played, sung = (_imitation(melody, window, instrument=side) for side in (True, False))
    name = f"{melody.source.name}@{window.start}"
    return PointedWindow(
        name=name,
        item_set=melodies.name,
        group=melody.group,
        target=torch.from_numpy(_passage(melody.source, window.start).copy()),
        rest=torch.from_numpy(_sum(others, window.start)),
        notes=melody.notes,
        start=window.start / SAMPLE_RATE,
        played=played,
        sung=sung,
        stranger=_stranger(melodies.targets, melody, seed, name),
    )


def _stranger(targets: Sequence[Melody], melody: Melody, seed: int, name: str) -> Tensor | None:
    """Return the played imitation of a window of another song."""
    far = [one for one in targets if one.source.track != melody.source.track]
    if not far:
        return None
    dice = dice_of("stranger", seed, name)
    one = far[dice.integer(len(far))]
    return _imitation(one, one.windows[dice.integer(len(one.windows))], instrument=True)


def _imitation(melody: Melody, window: MelodyWindow, *, instrument: bool) -> Tensor | None:
    """Return the first imitation by an instrument, or by a voice."""

    def fits(one: Imitation) -> bool:
        return (one.kind == INSTRUMENT) == instrument

    found = next(filter(fits, window.imitations), None)
    return None if found is None else torch.from_numpy(_passage(melody.mimicry, found.start).copy())


def _sum(sources: Sequence[Source], start: int) -> Samples:
    total = np.zeros(N_SAMPLES, np.float32)
    for source in sources:
        total += _passage(source, start)
    return total


def _passage(source: Source, start: int) -> Samples:
    """Read a window of a source, with zeros beyond its end."""
    stop = min(start + N_SAMPLES, source.n_samples)
    if stop <= start:
        return np.zeros(N_SAMPLES, np.float32)
    return np.pad(source.read(start, stop), (0, N_SAMPLES - (stop - start)))


def _melody(stored: StoredStem, source: Source, track: str) -> Melody:
    mimicry = _hold(f"{source.name}/mimicry", "mimicry", stored.mimicry, track)
    return Melody(source, mimicry, stored.group, stored.program, stored.notes, stored.windows)


def _hold(name: str, label: str, samples: Samples, track: str) -> Source:
    return Source(name, label, SAMPLE_RATE, len(samples), HeldSamples(samples), track=track)
