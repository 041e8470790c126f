"""MIDI files in: the notes of every track in seconds, whatever the format, the tempo map and the clock.

The file format is that of the Standard MIDI Files 1.0 (MIDI Manufacturers Association, 1996).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unbraid.errors import GuideError
from unbraid.guides.notes import Note

DRUM_CHANNEL = 9  # the tenth, as channels are counted from 0
_VOLUME, _EXPRESSION = 7, 11
_FULL_VOLUME = 100
_USUAL_TEMPO = 500_000  # microseconds per beat, until the file says another


@dataclass(frozen=True)
class MidiPart:
    """All notes that one track has on one channel for one program, in the order of their starts.

    Velocities include the volume of the channel, which is 100 where the file does not say.

    Args:
        track: number of the track in the file, from 0.
        name: of the track, or "".
        channel: from 0.
        program: of General MIDI, from 0.
        notes: in seconds of the file.
    """

    track: int
    name: str
    channel: int
    program: int
    notes: tuple[Note, ...]

    @property
    def is_drum(self) -> bool:
        """Whether its pitches are sounds of a drum kit: those of channel 10 are."""
        return self.channel == DRUM_CHANNEL


def read_parts(path: str | os.PathLike[str]) -> tuple[MidiPart, ...]:
    """Read the parts of a MIDI file that have notes; pedals and bends are left out.

    Tempo changes, running status, formats 0 and 1, and clocks of beats and of SMPTE are understood. A note that never
    ends lasts until the last event of the file.

    Args:
        path: of the file.

    Returns:
        Parts in the order of their tracks, channels and programs.

    Raises:
        GuideError: if the file is missing, damaged, no MIDI, or of format 2, whose tracks have no common clock.

    Example:
        >>> import tempfile, mido
        >>> file = mido.MidiFile(tracks=[mido.MidiTrack([mido.Message("note_on", note=69), mido.Message("note_off",
        ...     note=69, time=480)])])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file.save(Path(folder) / "a.mid")
        ...     read_parts(Path(folder) / "a.mid")[0].notes
        (Note(start=0.0, duration=0.5, pitch=69, velocity=64),)
    """
    path = Path(path)
    if not path.is_file():
        raise GuideError(f"{path}: there is no such file: check the path")
    import mido

    try:
        file = mido.MidiFile(path, clip=True)
    except Exception as error:  # of many kinds, down to bare ones, for what is damaged
        why = str(error) or type(error).__name__
        raise GuideError(f"{path}: cannot be read as MIDI ({why}): export it again") from error
    if file.type == 2:
        raise GuideError(f"{path}: is MIDI of format 2, whose tracks have no common clock: save it as format 1")
    if file.ticks_per_beat == 0:
        raise GuideError(f"{path}: says that its clock stands still (0 ticks per beat): export it again")
    reader = _Reader()
    for track, now, message in _messages(file):
        reader.take(track, now, message)
    names = [_name(track) for track in file.tracks]
    return tuple(
        MidiPart(track, names[track], channel, program, notes) for track, channel, program, notes in reader.parts()
    )


def _name(track: Any) -> str:
    """Return what the track, or else its instrument, is called."""
    for kind in ("track_name", "instrument_name"):
        for message in track:
            if message.type == kind and message.name.strip(" \0\t\r\n"):
                return " ".join(message.name.replace("\0", " ").split())
    return ""


def _messages(file: Any) -> Iterator[tuple[int, float, Any]]:
    """Yield number of the track, time in seconds and message, in the order of time."""
    events: list[tuple[int, int, Any]] = []
    for number, track in enumerate(file.tracks):
        ticks = 0
        for message in track:
            ticks += message.time
            events.append((ticks, number, message))
    events.sort(key=lambda event: event[:2])
    clock = _smpte_tick(file.ticks_per_beat)
    tick = clock or _USUAL_TEMPO / 1e6 / file.ticks_per_beat
    last, now = 0, 0.0
    for ticks, number, message in events:
        now += (ticks - last) * tick
        last = ticks
        if message.type == "set_tempo" and clock is None:
            tick = message.tempo / 1e6 / file.ticks_per_beat
        yield number, now, message


def _smpte_tick(division: int) -> float | None:
    """Return the seconds of a tick where the clock counts frames of film: then the division is negative."""
    if division > 0:
        return None
    frames, ticks = 256 - ((division >> 8) & 0xFF), division & 0xFF
    return 1 / ((30 / 1.001 if frames == 29 else frames) * max(1, ticks))


class _Reader:
    """Follows the messages of all channels."""

    def __init__(self) -> None:
        self.now = 0.0
        self.programs = [0] * 16
        self.controls = [{_VOLUME: _FULL_VOLUME, _EXPRESSION: 127} for _ in range(16)]
        self.sounding: dict[tuple[int, int, int], tuple[float, int, int]] = {}
        self.notes: dict[tuple[int, int, int], list[Note]] = {}

    def take(self, track: int, now: float, message: Any) -> None:
        self.now = now
        if message.type == "program_change":
            self.programs[message.channel] = message.program
        elif message.type == "control_change":
            self.controls[message.channel][message.control] = message.value
        elif message.type == "note_on" and message.velocity > 0:
            self.stop(track, message.channel, message.note)
            level = self.controls[message.channel]
            loud = message.velocity * level[_VOLUME] / _FULL_VOLUME * level[_EXPRESSION] / 127
            program = self.programs[message.channel]
            self.sounding[track, message.channel, message.note] = (now, program, min(127, max(1, round(loud))))
        elif message.type in ("note_on", "note_off"):
            self.stop(track, message.channel, message.note)

    def stop(self, track: int, channel: int, pitch: int) -> None:
        begun = self.sounding.pop((track, channel, pitch), None)
        if begun is not None and self.now > begun[0]:
            start, program, velocity = begun
            note = Note(start, self.now - start, pitch, velocity)
            self.notes.setdefault((track, channel, program), []).append(note)

    def parts(self) -> Iterator[tuple[int, int, int, tuple[Note, ...]]]:
        for track, channel, pitch in list(self.sounding):
            self.stop(track, channel, pitch)
        for (track, channel, program), notes in sorted(self.notes.items()):
            yield track, channel, program, tuple(sorted(notes, key=lambda note: (note.start, note.pitch)))
