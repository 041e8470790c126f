"""One writer per role: sections in, notes out.

Every writer takes a random generator and a ``Writing`` and returns notes in no special order, exactly on
the grid (with swing); the composer humanizes them afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from unbraid.datasets.instruments import Instrument
from unbraid.datasets.score import Bar, Chord, Section
from unbraid.datasets.styles import (
    CLAP,
    COWBELL,
    CRASH,
    HIGH_CONGA,
    HIGH_TOM,
    KICK,
    LOW_CONGA,
    LOW_TOM,
    MID_TOM,
    SHAKER,
    SNARE,
    TAMBOURINE,
    Groove,
    Style,
)
from unbraid.guides.notes import Note

_ACCENTS = {"X": 112, "x": 92, "o": 48}
_PERCUSSION: tuple[Groove, ...] = (
    {HIGH_CONGA: "..x.x...x..x....", LOW_CONGA: "x.....x......xx."},
    {SHAKER: "XoxoXoxoXoxoXoxo"},
    {TAMBOURINE: "..x...x...x...x."},
    {TAMBOURINE: "....X.......X...", SHAKER: "x.x.x.x.x.x.x.x."},
    {COWBELL: "x...x...x...x...", HIGH_CONGA: "..xx..x...xx..x."},
    {CLAP: "....x..x....x..."},
)


@dataclass(frozen=True)
class Writing:
    """What a writer needs to know: the song, its own instrument, and the sections that it plays in.

    ``scale`` holds the key's pitch classes, ``tempo`` is in beats per minute, ``harmony`` is the number of
    scale steps by which a backing singer lies above the lead.
    """

    style: Style
    tempo: float
    scale: tuple[int, ...]
    instrument: Instrument
    sections: tuple[Section, ...]
    harmony: int = 0

    @property
    def bar_seconds(self) -> float:
        """Length of a bar in seconds."""
        return self.style.beats * 60.0 / self.tempo

    def steps(self, pattern: str, bar: Bar) -> Iterator[tuple[str, float, float]]:
        """Walk through a bar's pattern: the symbol, its start, and its length with the holds after it."""
        step = self.bar_seconds / len(pattern)
        for index, symbol in enumerate(pattern):
            if symbol in ".-":
                continue
            held = 1
            while index + held < len(pattern) and pattern[index + held] == "-":
                held += 1
            late = self.style.swing * step if index % 2 else 0.0
            yield symbol, bar.start + index * step + late, held * step - late


Writer = Callable[[np.random.Generator, Writing], list[Note]]


def _choose(rng: np.random.Generator, patterns: tuple[str, ...]) -> str:
    return patterns[int(rng.integers(len(patterns)))]


def _velocity(base: float, section: Section) -> int:
    return int(np.clip(base * (0.75 + 0.25 * section.energy), 1, 127))


def _nearest(pitch_class: int, target: float, low: int, high: int) -> int:
    """Return the pitch of the class that is nearest to the target, within low..high."""
    candidates = [pitch for pitch in range(low, high + 1) if pitch % 12 == pitch_class]
    return min(candidates, key=lambda pitch: abs(pitch - target))


def _fill(rng: np.random.Generator, writing: Writing, bar: Bar, section: Section) -> list[Note]:
    """Write a drum fill over the last beats of a bar."""
    beats = int(rng.integers(1, 3))
    start = bar.start + writing.bar_seconds * (1.0 - beats / writing.style.beats)
    n_hits = beats * int(rng.choice([2, 3, 4]))
    step = (bar.start + writing.bar_seconds - start) / n_hits
    drums = np.sort(rng.choice([SNARE, HIGH_TOM, MID_TOM, LOW_TOM], size=n_hits))
    order = drums if rng.random() < 0.3 else np.concatenate([drums[drums == SNARE], drums[drums != SNARE][::-1]])
    return [
        Note(start + index * step, step * 0.9, int(drum), _velocity(80 + 30 * index / n_hits, section))
        for index, drum in enumerate(order)
    ]


def _play_groove(rng: np.random.Generator, writing: Writing, groove: Groove, bar: Bar, section: Section) -> list[Note]:
    notes = []
    for drum, pattern in groove.items():
        for symbol, start, length in writing.steps(pattern, bar):
            if symbol == "o" and rng.random() < 0.3:
                continue
            notes.append(Note(start, min(length, 0.25), drum, _velocity(_ACCENTS[symbol], section)))
    return notes


def write_drums(rng: np.random.Generator, writing: Writing) -> list[Note]:
    """Play a groove for each kind of section, with fills at section ends and a crash after them."""
    grooves = writing.style.grooves
    by_kind: dict[str, Groove] = {}
    notes: list[Note] = []
    for section in writing.sections:
        groove = by_kind.setdefault(section.kind, grooves[int(rng.integers(len(grooves)))])
        for index, bar in enumerate(section.bars):
            played = _play_groove(rng, writing, groove, bar, section)
            last = index == len(section.bars) - 1
            if last and rng.random() < 0.75:
                fill = _fill(rng, writing, bar, section)
                played = [note for note in played if note.start < fill[0].start - 0.01 or note.pitch == KICK] + fill
            if index == 0 and rng.random() < 0.6:
                played.append(Note(bar.start, 0.5, CRASH, _velocity(105, section)))
            notes += played
    return notes


def write_percussion(rng: np.random.Generator, writing: Writing) -> list[Note]:
    """Play one pattern of hand percussion through the song."""
    groove = _PERCUSSION[int(rng.integers(len(_PERCUSSION)))]
    return [
        note
        for section in writing.sections
        for bar in section.bars
        for note in _play_groove(rng, writing, groove, bar, section)
    ]


def _bass_pitch(rng: np.random.Generator, symbol: str, chord: Chord, following: Chord, previous: int) -> int:
    """Turn a symbol of a bass pattern into a pitch near the previous one (28..55)."""
    low, high = 28, 55
    root = _nearest(chord.root, 36, low, 40)
    if symbol == "8":
        return root + 12
    if symbol in "357":
        index = "1357".index(symbol)
        interval = chord.intervals[index] if index < len(chord.intervals) else 10
        return root + interval
    if symbol == "a":
        target = _nearest(following.root, previous, low, high)
        return int(np.clip(target + rng.choice([-1, 1, -2, 2]), low, high))
    if symbol == "w":
        tones = [pitch for pitch in range(low, high) if pitch % 12 in chord.tones and 0 < abs(pitch - previous) <= 7]
        return int(rng.choice(tones)) if tones else root
    return root


def write_bass(rng: np.random.Generator, writing: Writing) -> list[Note]:
    """Follow the chords with one pattern for each kind of section."""
    by_kind: dict[str, str] = {}
    bars = [(section, bar) for section in writing.sections for bar in section.bars]
    notes: list[Note] = []
    previous = 36
    for index, (section, bar) in enumerate(bars):
        pattern = by_kind.setdefault(section.kind, _choose(rng, writing.style.basses))
        following = bars[(index + 1) % len(bars)][1].chord
        for symbol, start, length in writing.steps(pattern, bar):
            previous = _bass_pitch(rng, symbol, bar.chord, following, previous)
            notes.append(Note(start, length * 0.95, previous, _velocity(rng.uniform(85, 105), section)))
    return notes


def _voicing(chord: Chord, center: float, instrument: Instrument) -> list[int]:
    """Place the chord's tones as near as possible to the center."""
    pitches = {_nearest(tone, center, instrument.low, instrument.high) for tone in chord.tones}
    return sorted(pitches)


def write_chords(rng: np.random.Generator, writing: Writing) -> list[Note]:
    """Strike the chords in one rhythm for each kind of section; plucked ones are strummed."""
    by_kind: dict[str, str] = {}
    instrument = writing.instrument
    power = "Distortion" in instrument.name or "Overdriven" in instrument.name
    center = float(rng.uniform(50, 57) if power else rng.uniform(56, 67))
    strum = float(rng.uniform(0.004, 0.022)) if "Guitar" in instrument.name else 0.0
    low_root = bool(rng.random() < 0.4) and not power
    notes = []
    for section in writing.sections:
        pattern = by_kind.setdefault(section.kind, _choose(rng, writing.style.compings))
        for bar in section.bars:
            chord = Chord(bar.chord.root, (0, 7, 12)) if power else bar.chord
            pitches = [_nearest(chord.root, center - 7, instrument.low, instrument.high)] if power or low_root else []
            pitches += [pitches[0] + 7, pitches[0] + 12] if power else _voicing(chord, center, instrument)
            for symbol, start, length in writing.steps(pattern, bar):
                hold = min(length, 0.12) if symbol == "s" else length * 0.97
                force = _velocity(rng.uniform(72, 98), section)
                order = pitches if rng.random() < 0.7 else pitches[::-1]
                notes += [Note(start + i * strum, hold, pitch, force) for i, pitch in enumerate(order)]
    return notes


def write_arpeggio(rng: np.random.Generator, writing: Writing) -> list[Note]:
    """Run through the chord's tones one by one."""
    pattern = _choose(rng, writing.style.arpeggios)
    instrument = writing.instrument
    center = float(np.clip(rng.uniform(58, 76), instrument.low + 6, instrument.high - 12))
    hold = float(rng.uniform(0.5, 1.6))
    notes = []
    for section in writing.sections:
        for bar in section.bars:
            pitches = _voicing(bar.chord, center, instrument)
            ladder = pitches + [pitch + 12 for pitch in pitches]
            for symbol, start, length in writing.steps(pattern, bar):
                pitch = min(ladder[int(symbol) % len(ladder)], instrument.high)
                notes.append(Note(start, length * hold, pitch, _velocity(rng.uniform(68, 92), section)))
    return notes


def write_pad(rng: np.random.Generator, writing: Writing) -> list[Note]:
    """Hold every chord for its bar."""
    center = float(np.clip(rng.uniform(54, 70), writing.instrument.low + 6, writing.instrument.high - 6))
    return [
        Note(bar.start, writing.bar_seconds * 0.98, pitch, _velocity(80, section))
        for section in writing.sections
        for bar in section.bars
        for pitch in _voicing(bar.chord, center, writing.instrument)
    ]


_Rhythm = tuple[tuple[float, float], ...]  # (start, length) in beats, over two bars


def _motif(rng: np.random.Generator, beats: int, density: float) -> _Rhythm:
    """Draw a rhythm of two bars that leaves time to breathe at its end."""
    total = 2.0 * beats
    position = float(rng.choice([0.0, 0.0, 0.5, 1.0]))
    end = total - float(rng.choice([0.5, 1.0, 1.5, 2.0]))
    lengths = np.array([0.25, 0.5, 1.0, 1.5, 2.0])
    weights = np.array([0.15 * density, 0.45 * density, 0.3, 0.1, 0.15 / density])
    rhythm = []
    while position < end:
        length = float(rng.choice(lengths, p=weights / weights.sum()))
        length = min(length, total - position)
        if rng.random() > 0.1:
            rhythm.append((position, length))
        position += length
    return tuple(rhythm)


def _sing(rng: np.random.Generator, writing: Writing, section: Section, motif: _Rhythm, center: float) -> list[Note]:
    """Put a motif on the chords of a section: chord tones on strong beats, scale steps between."""
    low, high = writing.instrument.low, writing.instrument.high
    scale = [pitch for pitch in range(low, high + 1) if pitch % 12 in writing.scale]
    beat = 60.0 / writing.tempo
    notes = []
    position = min(range(len(scale)), key=lambda index: abs(scale[index] - center))
    for first in range(0, len(section.bars), 2):
        bars = section.bars[first : first + 2]
        for start, length in motif:
            step = int(
                rng.choice([-4, -3, -2, -1, 0, 1, 2, 3, 4], p=[0.03, 0.06, 0.15, 0.22, 0.12, 0.2, 0.13, 0.06, 0.03])
            )
            pull = round((center - scale[position]) / 6.0)
            position = int(np.clip(position + step + pull, 0, len(scale) - 1))
            bar_index = int(start // writing.style.beats)
            if bar_index >= len(bars):
                break
            tones = bars[bar_index].chord.tones
            if start % 1.0 == 0.0 or length >= 1.0:
                near = [i for i, pitch in enumerate(scale) if pitch % 12 in tones]
                position = min(near, key=lambda index: abs(index - position)) if near else position
            pitch = scale[int(np.clip(position + writing.harmony, 0, len(scale) - 1))]
            velocity = _velocity(rng.uniform(82, 108), section)
            notes.append(Note(bars[0].start + start * beat, length * beat * 0.96, pitch, velocity))
    return notes


def _tune(rng: np.random.Generator, writing: Writing, density: float) -> list[Note]:
    low, high = writing.instrument.low, writing.instrument.high
    center = float(rng.uniform(low + 0.3 * (high - low), low + 0.7 * (high - low)))
    by_kind: dict[str, tuple[_Rhythm, int, float]] = {}
    notes = []
    for section in writing.sections:
        lift = 3.0 if section.kind == "chorus" else 0.0
        drawn = (_motif(rng, writing.style.beats, density), int(rng.integers(2**31)), center + lift)
        motif, seed, height = by_kind.setdefault(section.kind, drawn)
        notes += _sing(np.random.default_rng(seed), writing, section, motif, height)
    return notes


def write_melody(rng: np.random.Generator, writing: Writing) -> list[Note]:
    """Write a tune for an instrument: a motif for each kind of section, the same when it returns."""
    return _tune(rng, writing, float(rng.uniform(0.8, 2.0)))


def write_vocal(rng: np.random.Generator, writing: Writing) -> list[Note]:
    """Write a tune for a singer: syllables of half a beat and longer, with time to breathe."""
    return _tune(rng, writing, float(rng.uniform(0.7, 1.4)))
