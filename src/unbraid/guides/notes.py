"""What is played: notes in seconds and semitones."""

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
