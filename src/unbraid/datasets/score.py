"""What music is written with: notes, chords, bars and sections."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """One note: start and duration in seconds, MIDI pitch and velocity (1..127)."""

    start: float
    duration: float
    pitch: int
    velocity: int

    @property
    def stop(self) -> float:
        """Where the key is let go, in seconds."""
        return self.start + self.duration

    @property
    def hertz(self) -> float:
        """Frequency of the pitch, with A4 = 440 Hz.

        Example:
            >>> Note(0.0, 1.0, 69, 100).hertz
            440.0
        """
        return float(440.0 * 2.0 ** ((self.pitch - 69) / 12))


@dataclass(frozen=True)
class Chord:
    """A root as pitch class (0 = C) and intervals above it in semitones."""

    root: int
    intervals: tuple[int, ...]

    @property
    def tones(self) -> tuple[int, ...]:
        """Pitch classes of the chord."""
        return tuple((self.root + interval) % 12 for interval in self.intervals)


@dataclass(frozen=True)
class Bar:
    """One bar: where it starts, in seconds, and its chord."""

    start: float
    chord: Chord


@dataclass(frozen=True)
class Section:
    """Some bars that belong together; ``resting`` holds the indices of the parts that are silent."""

    kind: str
    bars: tuple[Bar, ...]
    energy: float
    resting: frozenset[int]
