"""Multitrack music that anyone can make: draw a song, render its stems.

>>> draw = draw_track(3, duration=2.0, style="pop")
>>> track = render_track(draw)
>>> track.mixture.shape, track.sample_rate
((2, 88200), 44100)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.datasets import console
from unbraid.datasets.composer import Part, TrackDraw, compose, draw_track
from unbraid.datasets.drumkit import draw_kit
from unbraid.datasets.instruments import CATEGORIES, Family
from unbraid.datasets.singing import draw_singer, sing
from unbraid.datasets.soundfont import Player
from unbraid.datasets.spectral import SAMPLE_RATE, Samples, add_at
from unbraid.datasets.styles import Role
from unbraid.datasets.timbres import TIMBRES
from unbraid.guides.notes import Note

__all__ = ["RenderedStem", "RenderedTrack", "TrackDraw", "draw_track", "render_track"]

_PEAK = 0.9


@dataclass(frozen=True, eq=False)
class RenderedStem:
    """One part of a song as sound: ``samples`` is ``[2, N]`` float32."""

    part: Part
    samples: Samples

    @property
    def category(self) -> str:
        """One of ``vocals drums bass other``."""
        return self.part.instrument.category

    @property
    def notes(self) -> tuple[Note, ...]:
        """What is played."""
        return self.part.notes


@dataclass(frozen=True, eq=False)
class RenderedTrack:
    """A song as sound.

    ``stems`` are named "S00", "S01", …; their sum is the mixture. ``gain`` is the factor that brought the
    song to its final level.
    """

    draw: TrackDraw
    stems: dict[str, RenderedStem]
    gain: float
    sample_rate: int = SAMPLE_RATE

    @property
    def n_samples(self) -> int:
        """Number of samples N of every stem."""
        return round(self.draw.duration * self.sample_rate)

    @property
    def mixture(self) -> Samples:
        """The sum of all stems, ``[2, N]``."""
        return sum_stems(list(self.stems.values()), self.n_samples)

    def category(self, name: str) -> Samples:
        """Return the sum of the stems of one category, ``[2, N]``; silence if there are none."""
        return sum_stems([stem for stem in self.stems.values() if stem.category == name], self.n_samples)

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that sound in this song."""
        present = {stem.category for stem in self.stems.values()}
        return tuple(name for name in CATEGORIES if name in present)


def sum_stems(stems: Sequence[RenderedStem], n_samples: int) -> Samples:
    """Add stems up in their order, ``[2, N]``."""
    total = np.zeros((2, n_samples), np.float32)
    for stem in stems:
        total += stem.samples
    return total


def _play_drums(part: Part, rng: np.random.Generator, n_samples: int) -> Samples:
    electronic = part.draw.instrument in ("Electronic Kit", "Analog Kit")
    kit = draw_kit(rng, electronic=electronic)
    result = np.zeros((1, n_samples), np.float32)
    cache: dict[tuple[int, int, int], Samples] = {}
    for index, note in enumerate(part.notes):
        key = (note.pitch, note.velocity // 8, index % 3)
        if key not in cache:
            cache[key] = kit.hit(note.pitch, (key[1] * 8 + 4) / 127, key[2])
        add_at(result, round(note.start * SAMPLE_RATE), cache[key])
    return result


def _play_tones(part: Part, rng: np.random.Generator, n_samples: int) -> Samples:
    timbre = TIMBRES[part.instrument.family](rng)
    result = np.zeros((1, n_samples), np.float32)
    cache: dict[tuple[int, int, int], Samples] = {}
    for note in part.notes:
        # lengths on a grid of twelve steps per octave: a few percent, so that repeated notes are made once
        step = round(12 * np.log2(max(note.duration, 0.03)))
        key = (note.pitch, note.velocity // 10, step)
        if key not in cache:
            cache[key] = timbre.tone(note.hertz, 2.0 ** (step / 12), (key[1] * 10 + 5) / 127)
        add_at(result, round(note.start * SAMPLE_RATE), cache[key])
    return result


def _play_voice(part: Part, rng: np.random.Generator, n_samples: int) -> Samples:
    doubled = rng.random() < 0.2
    n_voices = (2 if rng.random() < 0.5 else 3) if part.draw.role is Role.BACKING else 1 + int(doubled)
    first = draw_singer(rng, part.instrument)
    result = np.zeros((2, n_samples), np.float32)
    for index in range(n_voices):
        singer = first if index == 0 or doubled else draw_singer(rng, part.instrument)
        late = 0.0 if index == 0 else float(rng.uniform(0.005, 0.025))
        notes = [Note(note.start + late, note.duration, note.pitch, note.velocity) for note in part.notes]
        voice = sing(notes, singer, n_samples=n_samples, seed=int(rng.integers(2**31)))
        angle = np.pi / 4 + (0.0 if n_voices == 1 else float(rng.uniform(-0.5, 0.5)))
        result += voice * np.array([[np.cos(angle)], [np.sin(angle)]], np.float32)
    return result


def _play(part: Part, player: Player | None, n_samples: int) -> Samples:
    rng = np.random.default_rng([4, part.draw.seed])
    if part.instrument.family is Family.VOICE:
        return _play_voice(part, rng, n_samples)
    if player is not None and part.draw.sampled:
        return player.play(part.notes, part.instrument, n_samples=n_samples)
    return _play_drums(part, rng, n_samples) if part.instrument.is_drum else _play_tones(part, rng, n_samples)


def render_track(draw: TrackDraw, *, player: Player | None = None) -> RenderedTrack:
    """Compose a song and make its sound.

    Args:
        draw: from ``draw_track``.
        player: plays the sampled parts (``unbraid.datasets.soundfont.open_player``); without one, everything
            is synthesized. Singing is always synthesized.

    Returns:
        The song at 44.1 kHz in stereo; the mixture and every stem peak at 0.9 or below. The same draw and player
        give the same samples.
    """
    n_samples = round(draw.duration * SAMPLE_RATE)
    sounds: list[tuple[Part, Samples]] = []
    for part in compose(draw):
        rng = np.random.default_rng([5, part.draw.seed])
        dry = part.draw.role is Role.BASS
        strip = console.draw_strip(rng, pan=part.draw.pan, level_db=part.level_db, dry=dry)
        sounds.append((part, console.mix_part(_play(part, player, n_samples), strip)))
    total = np.zeros((2, n_samples), np.float32)
    for _, samples in sounds:
        total += samples
    loud = float(np.random.default_rng([6, draw.seed]).uniform(0.5, 1.0))
    peaks = [float(np.abs(samples).max()) for samples in (total, *(samples for _, samples in sounds))]
    gain = _PEAK * loud / max(*peaks, 1e-6)
    stems = {
        f"S{index:02d}": RenderedStem(part=part, samples=samples * np.float32(gain))
        for index, (part, samples) in enumerate(sounds)
    }
    return RenderedTrack(draw=draw, stems=stems, gain=gain)
