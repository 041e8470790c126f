"""What music is written with besides notes: chords, bars and sections."""

from __future__ import annotations

from dataclasses import dataclass


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
