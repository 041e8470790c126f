"""Existing songs in MIDI files, played with a SoundFont: multitracks whose stems are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from unbraid.datasets.instruments import Family, Instrument
from unbraid.errors import DatasetError, GuideError
from unbraid.guides import midi
from unbraid.guides.notes import Note

LONGEST_NOTE = 12.0
ALL_PITCHES = (0, 127)


@dataclass(frozen=True)
class MidiPart:
    """All notes that one program plays on one channel, in the order of their starts.

    Velocities include the volume of the channel, which is 100 where the file does not say.
    """

    program: int
    is_drum: bool
    notes: tuple[Note, ...]

    @property
    def instrument(self) -> Instrument:
        """What a SoundFont player needs to know."""
        name = "drums" if self.is_drum else f"program {self.program}"
        return Instrument(name, self.program, Family.DRUMS if self.is_drum else Family.LEAD, *ALL_PITCHES)

    def cut(self, start: float, stop: float) -> MidiPart:
        """Return the notes that begin from start to stop (seconds), counted from start."""
        kept = [note for note in self.notes if start <= note.start < stop]
        moved = tuple(Note(note.start - start, note.duration, note.pitch, note.velocity) for note in kept)
        return MidiPart(self.program, self.is_drum, moved)


def read_midi(path: Path) -> tuple[MidiPart, ...]:
    """Read the parts of a MIDI file of General MIDI; pedals and bends are left out, and notes end after 12 s.

    Args:
        path: of the file.

    Returns:
        Parts that have notes, by channel and program whatever their tracks; drums are those of channel 10.

    Raises:
        DatasetError: if the file cannot be read.
    """
    try:
        parts = midi.read_parts(path)
    except GuideError as error:
        raise DatasetError(f"{error}, or take it out") from error
    joined: dict[tuple[int, int], list[Note]] = {}
    for part in parts:
        joined.setdefault((part.channel, part.program), []).extend(map(_ended, part.notes))
    return tuple(
        MidiPart(program, channel == midi.DRUM_CHANNEL, tuple(sorted(notes, key=lambda note: note.start)))
        for (channel, program), notes in sorted(joined.items())
    )


def _ended(note: Note) -> Note:
    return note if note.duration <= LONGEST_NOTE else replace(note, duration=LONGEST_NOTE)
