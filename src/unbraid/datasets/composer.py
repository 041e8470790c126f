"""Songs out of thin air: a small draw in, the notes of every part out.

The draw holds everything random: the song's style, tempo, key and line-up are plain values, everything
else follows from the seeds of the song and of its parts. Composing the same draw gives the same notes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unbraid.datasets import writers
from unbraid.datasets.instruments import INSTRUMENTS, Family, Instrument
from unbraid.datasets.score import Bar, Chord, Section
from unbraid.datasets.seeds import seed_of
from unbraid.datasets.styles import MODES, STYLES, Role, Seat, Style
from unbraid.errors import DatasetError
from unbraid.guides.notes import Note

if TYPE_CHECKING:
    from torch import Generator

MIN_DURATION = 1.0
"""Shortest song in seconds."""

_LEVELS: dict[Role, float] = {
    Role.DRUMS: -19.0,
    Role.PERCUSSION: -30.0,
    Role.BASS: -21.0,
    Role.CHORDS: -25.0,
    Role.ARPEGGIO: -27.0,
    Role.MELODY: -23.0,
    Role.PAD: -28.0,
    Role.LEAD: -19.5,
    Role.BACKING: -26.0,
}
"""Usual level of a part's sounding passages, in dB RMS."""

_RARE: dict[str, frozenset[Role]] = {
    "intro": frozenset({Role.LEAD, Role.BACKING, Role.MELODY}),
    "verse": frozenset({Role.BACKING, Role.MELODY, Role.PERCUSSION}),
    "chorus": frozenset(),
    "bridge": frozenset({Role.DRUMS, Role.BACKING, Role.LEAD}),
    "solo": frozenset({Role.LEAD, Role.BACKING}),
    "breakdown": frozenset({Role.DRUMS, Role.BASS, Role.PERCUSSION}),
}
"""Roles that mostly rest in each kind of section."""

_ENERGIES = {"intro": 0.7, "verse": 0.8, "chorus": 1.0, "bridge": 0.75, "solo": 0.95, "breakdown": 0.6}
_FORM = ("verse", "chorus", "verse", "chorus", "bridge", "solo", "chorus", "breakdown", "chorus")


@dataclass(frozen=True)
class PartDraw:
    """The random numbers of one part.

    ``instrument`` is a name in ``INSTRUMENTS``; ``seed`` decides its notes and its timbre; ``sampled`` says
    whether a SoundFont plays it when there is one; ``gain_db`` is relative to its role's usual level and
    ``pan`` runs from -1 (left) to 1.
    """

    instrument: str
    role: Role
    seed: int
    sampled: bool
    gain_db: float
    pan: float


@dataclass(frozen=True)
class TrackDraw:
    """The random numbers of one song: small, printable, and enough to make every sample again.

    ``duration`` is in seconds, ``tempo`` in beats per minute, ``key`` is the pitch class of the tonic
    (0 = C), ``mode`` a name in ``MODES`` and ``style`` a name in ``STYLES``.
    """

    seed: int
    style: str
    tempo: float
    key: int
    mode: str
    duration: float
    parts: tuple[PartDraw, ...]


@dataclass(frozen=True)
class Part:
    """The notes of one part, in time order, and how it is to be played."""

    draw: PartDraw
    notes: tuple[Note, ...]

    @property
    def instrument(self) -> Instrument:
        """Who plays it."""
        return INSTRUMENTS[self.draw.instrument]

    @property
    def level_db(self) -> float:
        """Level of its sounding passages in dB RMS, before the whole song is scaled."""
        return _LEVELS[self.draw.role] + self.draw.gain_db


def _draw_part(rng: np.random.Generator, seat: Seat) -> PartDraw:
    name = str(rng.choice(seat.instruments))
    narrow = seat.role in (Role.DRUMS, Role.BASS, Role.LEAD)
    return PartDraw(
        instrument=name,
        role=seat.role,
        seed=int(rng.integers(2**62)),
        sampled=bool(rng.random() < 0.8) and INSTRUMENTS[name].family is not Family.VOICE,
        gain_db=round(float(rng.normal(0.0, 2.5)), 2),
        pan=round(float(np.clip(rng.normal(0.0, 0.08 if narrow else 0.45), -0.9, 0.9)), 2),
    )


def draw_track(generator: Generator | int, *, duration: float = 60.0, style: str | None = None) -> TrackDraw:
    """Draw a song.

    Args:
        generator: source of the random numbers, or a seed.
        duration: length in seconds, at least ``MIN_DURATION``.
        style: a name in ``STYLES``; None draws one.

    Raises:
        DatasetError: if the style is unknown or the duration too short.

    Example:
        >>> draw = draw_track(7, duration=30.0)
        >>> draw == draw_track(7, duration=30.0)
        True
    """
    if style is not None and style not in STYLES:
        raise DatasetError(f"unknown style {style!r}: choose one of {', '.join(STYLES)}")
    if not MIN_DURATION <= duration < float("inf"):
        raise DatasetError(f"a song of {duration} s is too short or endless: ask for {MIN_DURATION} s or more")
    seed = seed_of(generator)
    rng = np.random.default_rng([0, seed])
    name = style if style is not None else str(rng.choice(list(STYLES)))
    chosen = STYLES[name]
    seats = [seat for seat in chosen.seats if rng.random() < seat.probability]
    parts = [_draw_part(rng, seat) for seat in seats]
    leads = [part for part in parts if part.role is Role.LEAD]
    if not leads:
        parts = [part for part in parts if part.role is not Role.BACKING]
    return TrackDraw(
        seed=seed,
        style=name,
        tempo=round(float(rng.uniform(*chosen.tempo)), 2),
        key=int(rng.integers(12)),
        mode=str(rng.choice(chosen.modes)),
        duration=duration,
        parts=tuple(parts),
    )


def _chord(rng: np.random.Generator, draw: TrackDraw, style: Style, degree: int) -> Chord:
    scale = MODES[draw.mode]
    steps = [0, 2, 4]
    if rng.random() < style.sevenths:
        steps.append(6)
    elif rng.random() < 0.08:
        steps.append(8)
    pitches = [scale[(degree + step) % 7] + 12 * ((degree + step) // 7) for step in steps]
    return Chord(root=(draw.key + pitches[0]) % 12, intervals=tuple(pitch - pitches[0] for pitch in pitches))


def _plan(rng: np.random.Generator, draw: TrackDraw, style: Style) -> tuple[Section, ...]:
    """Divide the song into sections, from an intro (in long songs) to wherever the time ends."""
    bar_seconds = style.beats * 60.0 / draw.tempo
    n_bars = int(np.ceil(draw.duration / bar_seconds))
    kinds: list[str] = ["intro"] if n_bars > 12 and rng.random() < 0.7 else []
    offset = int(rng.integers(2)) if n_bars > 8 else 1
    progressions = {kind: style.progressions[int(rng.integers(len(style.progressions)))] for kind in _ENERGIES}
    sections: list[Section] = []
    start = 0
    while start < n_bars:
        kind = kinds[0] if not sections and kinds else _FORM[(len(sections) - len(kinds) + offset) % len(_FORM)]
        length = min(4 if kind in ("intro", "breakdown") else 8, n_bars - start)
        progression = progressions[kind]
        chords = [_chord(rng, draw, style, degree) for degree in progression]
        bars = tuple(
            Bar(start=(start + index) * bar_seconds, chord=chords[index % len(chords)]) for index in range(length)
        )
        rare = _RARE[kind] if n_bars > 8 else frozenset[Role]()
        resting = frozenset(
            index for index, part in enumerate(draw.parts) if rng.random() < (0.8 if part.role in rare else 0.07)
        )
        sections.append(Section(kind=kind, bars=bars, energy=_ENERGIES[kind], resting=resting))
        start += length
    return tuple(sections)


_WRITERS: dict[Role, writers.Writer] = {
    Role.DRUMS: writers.write_drums,
    Role.PERCUSSION: writers.write_percussion,
    Role.BASS: writers.write_bass,
    Role.CHORDS: writers.write_chords,
    Role.ARPEGGIO: writers.write_arpeggio,
    Role.MELODY: writers.write_melody,
    Role.PAD: writers.write_pad,
    Role.LEAD: writers.write_vocal,
    Role.BACKING: writers.write_vocal,
}


def _humanize(rng: np.random.Generator, notes: list[Note], style: Style, duration: float) -> tuple[Note, ...]:
    """Move every note a little in time and force, and end the song where it ends."""
    lag = abs(rng.normal(0.0, style.looseness))
    played = []
    for note in notes:
        start = max(0.0, note.start + lag + rng.normal(0.0, style.looseness))
        velocity = int(np.clip(note.velocity + rng.normal(0.0, 5.0), 1, 127))
        length = min(note.duration * float(rng.uniform(0.92, 1.0)), duration - start)
        if length > 0.01:
            played.append(replace(note, start=start, duration=length, velocity=velocity))
    return tuple(sorted(played, key=lambda note: (note.start, note.pitch)))


def _fold(pitch: int, instrument: Instrument) -> int:
    """Move a pitch by octaves into the range of an instrument."""
    while pitch < instrument.low:
        pitch += 12
    while pitch > instrument.high:
        pitch -= 12
    return pitch


def compose(draw: TrackDraw) -> tuple[Part, ...]:
    """Write the notes of every part of a song; parts that turn out to have none are left out.

    Backing singers follow the lead singer, a third higher and in their own octave.

    Example:
        >>> sorted({part.instrument.category for part in compose(draw_track(1, duration=20.0, style="pop"))})
        ['bass', 'drums', 'other', 'vocals']
    """
    style = STYLES[draw.style]
    sections = _plan(np.random.default_rng([1, draw.seed]), draw, style)
    lead = next((part for part in draw.parts if part.role is Role.LEAD), None)
    parts = []
    for index, part in enumerate(draw.parts):
        own = INSTRUMENTS[part.instrument]
        follows = lead if lead is not None and part.role is Role.BACKING else part
        writing = writers.Writing(
            style=style,
            tempo=draw.tempo,
            scale=tuple((draw.key + step) % 12 for step in MODES[draw.mode]),
            instrument=INSTRUMENTS[follows.instrument],
            sections=tuple(section for section in sections if index not in section.resting),
            harmony=2 if part.role is Role.BACKING else 0,
        )
        notes = _WRITERS[part.role](np.random.default_rng([2, follows.seed]), writing)
        notes = notes if own.is_drum else [replace(note, pitch=_fold(note.pitch, own)) for note in notes]
        played = _humanize(np.random.default_rng([3, part.seed]), notes, style, draw.duration)
        if played:
            parts.append(Part(draw=part, notes=played))
    return tuple(parts)
