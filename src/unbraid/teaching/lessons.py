"""Mixtures to learn a sound from: pieces of its examples over other sounds, drawn first and made afterwards.

Axes: B mixtures, N samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from unbraid.audio.resample import resample
from unbraid.datasets.dice import Dice
from unbraid.datasets.effects import draw_ambience, draw_effect, render_ambience, render_effect
from unbraid.datasets.spectral import SAMPLE_RATE, Samples
from unbraid.datasets.synthetic import draw_track, render_track

Sounds = tuple[Tensor, ...]  # mono [N], of one length: parts of a song, or one sound alone

SEED_STEP = 1000
MAX_REPEATS = 4
QUIET_DB = -30.0
P_NEGATIVE, P_SONG, P_SECOND = 0.5, 0.6, 0.3
BALANCE_DB = (-9.0, 6.0)
LEVEL_DBFS = (-30.0, -14.0)
REDRAWS = 8


@dataclass(frozen=True)
class PieceDraw:
    """One piece of one sound: from sample ``start``, put into the window at ``offset``."""

    sound: int
    start: int
    offset: int


@dataclass(frozen=True)
class BackDraw:
    """What sounds beside the target: a group of sounds, and which of them are heard."""

    group: int
    parts: tuple[int, ...]
    start: int
    offset: int
    gain_db: float


@dataclass(frozen=True)
class LessonDraw:
    """The random numbers of one mixture.

    ``target`` is empty where the target is absent, ``back`` where it is alone; ``balance_db`` is its level over that of
    the rest, ``level_dbfs`` that of the mixture.
    """

    target: tuple[PieceDraw, ...]
    back: tuple[BackDraw, ...]
    balance_db: float
    level_dbfs: float


class Lesson(NamedTuple):
    """Mixtures ``[B, N]``, and what of them is the target, ``[B, N]``."""

    mixture: Tensor
    reference: Tensor


@dataclass(frozen=True, eq=False)
class Scenery:
    """What plays beside a sound, whatever it is; mono, at one rate.

    Attributes:
        songs: parts of songs; each group plays together.
        scenes: single sounds: effects and ambiences.
        parts: what the parts of each song are called; empty where nobody asks.
    """

    songs: tuple[Sounds, ...]
    scenes: tuple[Sounds, ...]
    parts: tuple[tuple[str, ...], ...] = ()

    def without(self, part: str) -> Scenery:
        """Return the same with this part of each song left out; a song of this part alone stays.

        Example:
            >>> song = (torch.zeros(4), torch.ones(4))
            >>> len(Scenery((song,), (), (("drums", "bass"),)).without("drums").songs[0])
            1
        """
        songs = [
            tuple(sound for sound, name in zip(song, names, strict=True) if name != part) or song
            for song, names in zip(self.songs, self.parts, strict=True)
        ]
        return Scenery(tuple(songs), self.scenes)


@dataclass(frozen=True, eq=False)
class Material:
    """The sounds that mixtures are made of, mono, at one rate.

    Attributes:
        positive: recordings of the target.
        scenery: songs and scenes.
        negative: recordings of what the target is not.
    """

    positive: Sounds
    scenery: Scenery
    negative: tuple[Sounds, ...] = ()

    @property
    def groups(self) -> tuple[Sounds, ...]:
        """All that can sound beside the target."""
        return (*self.scenery.songs, *self.scenery.scenes, *self.negative)


def render_scenery(
    seed: int, n_songs: int, *, duration: float, sample_rate: int, done: Callable[[], None] = lambda: None
) -> Scenery:
    """Compose songs of so many seconds, and half as many pairs of an ambience and a string of effects.

    Songs have vocals, drums and bass only: among the other instruments there is often one that is like the target, and
    a network that is told to leave it out learns to leave out the target. ``done`` hears of each song and pair.
    """
    songs, scenes = [], []
    for index in range(n_songs):
        songs.append(_render_song(SEED_STEP * seed + index, duration, sample_rate))
        done()
    for index in range(n_pairs(n_songs)):
        scenes += _render_scenes(SEED_STEP * seed + SEED_STEP // 10 * index, duration, sample_rate)
        done()
    return Scenery(tuple(tuple(song.values()) for song in songs), tuple(scenes), tuple(tuple(song) for song in songs))


def n_pairs(n_songs: int) -> int:
    """Return how many pairs of scenes go with so many songs."""
    return -(-n_songs // 2)


def _render_song(number: int, duration: float, sample_rate: int) -> dict[str, Tensor]:
    track = render_track(draw_track(number, duration=duration))
    names = [name for name in track.categories if name != "other"] or track.categories
    return {name: _at_rate(torch.from_numpy(track.category(name).mean(axis=0)), sample_rate) for name in names}


def _render_scenes(number: int, duration: float, sample_rate: int) -> list[Sounds]:
    ambience = render_ambience(draw_ambience(number, duration=duration)).mean(axis=0)
    effects: list[Samples] = []
    while sum(map(len, effects)) < duration * SAMPLE_RATE:
        effects.append(render_effect(draw_effect(number + len(effects))))
    return [(_at_rate(torch.from_numpy(sound), sample_rate),) for sound in (ambience, np.concatenate(effects))]


def _at_rate(samples: Tensor, sample_rate: int) -> Tensor:
    return resample(samples[None], source_rate=SAMPLE_RATE, target_rate=sample_rate)[0]


def draw_lesson(
    dice: Dice, material: Material, n_samples: int, *, absent: bool = False, alone: bool = False
) -> LessonDraw:
    """Draw one mixture of ``n_samples``: with the target, without it, or the target alone."""
    target = () if absent else _draw_target(dice, material.positive, n_samples)
    if alone:
        return LessonDraw(target, (), 0.0, dice.between(*LEVEL_DBFS))
    n_free = len(material.scenery.songs) + len(material.scenery.scenes)
    groups = []
    if material.negative and dice.chance(P_NEGATIVE):
        groups.append(n_free + dice.integer(len(material.negative)))
    if not groups or dice.chance(P_SECOND):
        groups.append(_draw_group(dice, material))
    if len(groups) == 1 and dice.chance(P_SECOND):
        groups.append(_draw_group(dice, material))
    back = tuple(_draw_back(dice, material.groups[group], group, n_samples) for group in groups)
    return LessonDraw(target, back, dice.between(*BALANCE_DB), dice.between(*LEVEL_DBFS))


def _draw_group(dice: Dice, material: Material) -> int:
    scenery = material.scenery
    if dice.chance(P_SONG):
        return dice.integer(len(scenery.songs))
    return len(scenery.songs) + dice.integer(len(scenery.scenes))


def _draw_target(dice: Dice, positive: Sounds, n_samples: int) -> tuple[PieceDraw, ...]:
    """Draw a piece that is not much quieter than its recording; a short recording sounds up to four times."""
    sound = dice.integer(len(positive))
    length = len(positive[sound])
    if length < n_samples:
        repeats = 1 + dice.integer(min(MAX_REPEATS, n_samples // length))
        slot = n_samples // repeats
        offsets = [slot * index + dice.integer(max(1, slot - length + 1)) for index in range(repeats)]
        return tuple(PieceDraw(sound, 0, offset) for offset in offsets)
    floor = float(positive[sound].square().mean()) * 10 ** (QUIET_DB / 10)
    start = 0
    for _ in range(REDRAWS):
        start = dice.integer(length - n_samples + 1)
        if float(positive[sound][start : start + n_samples].square().mean()) > floor:
            break
    return (PieceDraw(sound, start, 0),)


def _draw_back(dice: Dice, sounds: Sounds, group: int, n_samples: int) -> BackDraw:
    heard = tuple(index for index in range(len(sounds)) if dice.chance(0.6)) or (dice.integer(len(sounds)),)
    spare = len(sounds[0]) - n_samples
    start, offset = (dice.integer(spare + 1), 0) if spare >= 0 else (0, dice.integer(1 - spare))
    return BackDraw(group, heard, start, offset, dice.between(-6.0, 6.0))


def make_lesson(draws: Sequence[LessonDraw], material: Material, n_samples: int) -> Lesson:
    """Make the mixtures that were drawn."""
    items = [_make(draw, material, n_samples) for draw in draws]
    return Lesson(torch.stack([mixture for mixture, _ in items]), torch.stack([target for _, target in items]))


def _make(draw: LessonDraw, material: Material, n_samples: int) -> tuple[Tensor, Tensor]:
    target, rest = torch.zeros(n_samples), torch.zeros(n_samples)
    for piece in draw.target:
        target += _window(material.positive[piece.sound], piece.start, piece.offset, n_samples)
    for back in draw.back:
        whole = sum_of([material.groups[back.group][part] for part in back.parts])
        rest += unit(_window(whole, back.start, back.offset, n_samples)) * 10 ** (back.gain_db / 20)
    target, rest = unit(target) * 10 ** (draw.balance_db / 20), unit(rest)
    scale = 10 ** (draw.level_dbfs / 20) / max(float((target + rest).square().mean().sqrt()), 1e-6)
    return (target + rest) * scale, target * scale


def _window(sound: Tensor, start: int, offset: int, n_samples: int) -> Tensor:
    piece = sound[start : start + n_samples - offset]
    return pad(piece, (offset, n_samples - offset - len(piece)))


def sum_of(sounds: Sequence[Tensor]) -> Tensor:
    """Add sounds of one length up."""
    return torch.stack(list(sounds)).sum(dim=0)


def unit(sound: Tensor) -> Tensor:
    """Bring a sound to an RMS of 1; silence stays silent."""
    level = sound.square().mean().sqrt()
    return sound / level if level > 1e-7 else sound
