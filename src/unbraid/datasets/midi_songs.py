"""Existing songs in MIDI files, played with a SoundFont: multitracks whose stems are known (extra ``render``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unbraid.datasets.instruments import Family, Instrument
from unbraid.errors import DatasetError
from unbraid.guides.notes import Note

DRUM_CHANNEL = 9
VOLUME, EXPRESSION = 7, 11
FULL_VOLUME = 100
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
    """Read the parts of a MIDI file of General MIDI; pedals and bends are left out.

    Args:
        path: of the file.

    Returns:
        Parts that have notes; drums are those of channel 10.

    Raises:
        DatasetError: if mido is not installed, or the file cannot be read.
    """
    try:
        import mido
    except ImportError as error:
        raise DatasetError("reading MIDI needs mido: pip install 'unbraid[render]'") from error
    reader = _Reader()
    try:
        for message in mido.MidiFile(path, clip=True):
            reader.take(message)
    except (OSError, ValueError, EOFError, KeyError, IndexError) as error:
        raise DatasetError(f"{path}: cannot be read as MIDI ({error}): take it out") from error
    return reader.parts()


class _Reader:
    """Follows the messages of all channels."""

    def __init__(self) -> None:
        self.now = 0.0
        self.programs = [0] * 16
        self.controls = [{VOLUME: FULL_VOLUME, EXPRESSION: 127} for _ in range(16)]
        self.sounding: dict[tuple[int, int], tuple[float, int, int]] = {}
        self.notes: dict[tuple[int, int], list[Note]] = {}

    def take(self, message: Any) -> None:
        self.now += message.time
        if message.type == "program_change":
            self.programs[message.channel] = message.program
        elif message.type == "control_change":
            self.controls[message.channel][message.control] = message.value
        elif message.type == "note_on" and message.velocity > 0:
            self.stop(message.channel, message.note)
            level = self.controls[message.channel]
            loud = message.velocity * level[VOLUME] / FULL_VOLUME * level[EXPRESSION] / 127
            program = self.programs[message.channel]
            self.sounding[message.channel, message.note] = (self.now, program, min(127, max(1, round(loud))))
        elif message.type in ("note_on", "note_off"):
            self.stop(message.channel, message.note)

    def stop(self, channel: int, pitch: int) -> None:
        begun = self.sounding.pop((channel, pitch), None)
        if begun is not None and self.now > begun[0]:
            start, program, velocity = begun
            note = Note(start, min(self.now - start, LONGEST_NOTE), pitch, velocity)
            self.notes.setdefault((channel, program), []).append(note)

    def parts(self) -> tuple[MidiPart, ...]:
        for channel, pitch in list(self.sounding):
            self.stop(channel, pitch)
        return tuple(
            MidiPart(program, channel == DRUM_CHANNEL, tuple(sorted(notes, key=lambda note: note.start)))
            for (channel, program), notes in sorted(self.notes.items())
        )
