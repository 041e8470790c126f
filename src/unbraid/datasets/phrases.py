"""Phrases and rhythms put together from single notes and hits, for instruments that were only sampled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.datasets.dice import Dice
from unbraid.datasets.track import Samples

FADE = 0.02
STEPS_PER_BAR = 16
BEATS = (0.25, 0.5, 0.5, 1.0, 1.0, 2.0)
SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_NOTE = re.compile(r"(?<![a-z])([a-g])(#|s(?=_?\d)|b(?=_?\d)|_)?_?(\d)(?![0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class Note:
    """A recorded note or hit ``[N]``; ``pitch`` is its MIDI number, None where it has none or none is known."""

    samples: Samples
    pitch: int | None = None


def pitch_of(name: str) -> int | None:
    """Return the MIDI number of the last note that a file name spells, or None.

    Example:
        >>> pitch_of("guitar_Fs3"), pitch_of("killer_bass_gb2_vl1"), pitch_of("kick")
        (54, 42, None)
    """
    found = _NOTE.findall(name)
    if not found:
        return None
    letter, accidental, octave = found[-1]
    shift = {"": 0, "#": 1, "s": 1, "_": 1, "b": -1}[accidental.lower()]
    return 12 * (int(octave) + 1) + SEMITONES[letter.lower()] + shift


def play_phrase(
    notes: Sequence[Note], *, dice: Dice, sample_rate: int, seconds: float, chords: bool = False
) -> Samples:
    """Play notes of one instrument one after another, on a beat, as a melody or with chords.

    A phrase keeps to notes within an octave and a half of each other, and repeats its figure with changes.

    Args:
        notes: to choose from, at the sample rate.
        dice: the random numbers.
        sample_rate: in hertz.
        seconds: length of the phrase.
        chords: whether two or three notes may sound together.

    Returns:
        Samples ``[N]`` with a peak of 1 at most.
    """
    phrase = np.zeros(round(seconds * sample_rate), dtype=np.float32)
    near = _neighborhood(notes, dice)
    beat = 60 / dice.between(70, 160)
    figure = [(BEATS[dice.integer(len(BEATS))], dice.integer(len(near)), dice.uniform()) for _ in range(8)]
    legato = dice.between(0.6, 1.4)
    time, index = dice.between(0, beat), 0
    while time < seconds:
        length, choice, accent = figure[index % len(figure)]
        if dice.chance(0.25):
            choice = dice.integer(len(near))
        n_voices = 1 + dice.integer(3) if chords and accent > 0.6 else 1
        if not dice.chance(0.12):
            for voice in range(n_voices):
                note = near[(choice + 2 * voice) % len(near)].samples
                held = _hold(note, round(length * beat * legato * sample_rate), sample_rate)
                _add(phrase, held, round(time * sample_rate), gain_db=dice.between(-8, 0))
        time += length * beat
        index += 1
    return _at_most_one(phrase)


def play_rhythm(hits: Sequence[Note], *, dice: Dice, sample_rate: int, seconds: float) -> Samples:
    """Play a few hits in a pattern of sixteen steps that repeats with changes.

    Args:
        hits: to choose from, at the sample rate.
        dice: the random numbers.
        sample_rate: in hertz.
        seconds: length of the rhythm.

    Returns:
        Samples ``[N]`` with a peak of 1 at most.
    """
    rhythm = np.zeros(round(seconds * sample_rate), dtype=np.float32)
    step = 60 / dice.between(70, 170) / 4
    voices = [hits[dice.integer(len(hits))] for _ in range(3 + dice.integer(4))]
    patterns = [_pattern(dice) for _ in voices]
    levels = [dice.between(-12, 0) for _ in voices]
    swing = dice.between(0, 0.2) * step
    for number in range(int(seconds / step)):
        start = round((number * step + (number % 2) * swing) * sample_rate)
        for hit, pattern, level in zip(voices, patterns, levels, strict=True):
            if pattern[number % STEPS_PER_BAR] != dice.chance(0.05):
                _add(rhythm, hit.samples, start, gain_db=level + dice.between(-4, 0))
    return _at_most_one(rhythm)


def _pattern(dice: Dice) -> list[bool]:
    """Return which of the sixteen steps are struck: a period, or a few steps at random."""
    period = (1, 2, 4, 8, 0)[dice.integer(5)]
    shift = dice.integer(max(period, 1))
    density = dice.between(0.1, 0.4)
    if period:
        return [step % period == shift for step in range(STEPS_PER_BAR)]
    return [dice.chance(density) for _ in range(STEPS_PER_BAR)]


def _neighborhood(notes: Sequence[Note], dice: Dice) -> list[Note]:
    """Return up to seven notes near a random one, in the order of their pitches."""
    center = notes[dice.integer(len(notes))]
    if center.pitch is None:
        near = [notes[dice.integer(len(notes))] for _ in range(7)]
    else:
        near = [note for note in notes if note.pitch is not None and abs(note.pitch - center.pitch) <= 9]
    while len(near) > 7:
        near.pop(dice.integer(len(near)))
    return sorted(near, key=lambda note: note.pitch or 0)


def _hold(note: Samples, n_samples: int, sample_rate: int) -> Samples:
    """Return the beginning of a note, faded out."""
    held = note[: max(n_samples, 1)].copy()
    n_fade = min(len(held), round(FADE * sample_rate))
    held[len(held) - n_fade :] *= np.linspace(1, 0, n_fade, dtype=np.float32)
    return held


def _add(target: Samples, samples: Samples, start: int, *, gain_db: float) -> None:
    piece = samples[: max(0, len(target) - start)]
    target[start : start + len(piece)] += np.float32(10 ** (gain_db / 20)) * piece


def _at_most_one(samples: Samples) -> Samples:
    peak = float(np.abs(samples).max(initial=0.0))
    return samples / np.float32(peak) if peak > 1 else samples
