"""Writing notes as MIDI files (extra ``render``)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from unbraid.datasets.instruments import Instrument
from unbraid.guides.notes import Note

TICKS_PER_BEAT = 480
_DRUM_CHANNEL = 9


def write_midi(
    path: str | os.PathLike[str], parts: Sequence[tuple[Instrument, Sequence[Note]]], *, tempo: float
) -> None:
    """Write a format 1 file: a track with the tempo, then one track per part; drums on channel 10.

    Args:
        path: of the file.
        parts: who plays what.
        tempo: in beats per minute.
    """
    import mido

    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    head = mido.MidiTrack()
    head.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo)))
    file.tracks.append(head)
    channels = [channel for channel in range(16) if channel != _DRUM_CHANNEL]
    pitched = 0
    for instrument, notes in parts:
        channel = _DRUM_CHANNEL if instrument.is_drum else channels[pitched % len(channels)]
        pitched += not instrument.is_drum
        file.tracks.append(_part_track(mido, instrument, notes, channel=channel, tempo=tempo))
    file.save(os.fspath(path))


def _part_track(mido: Any, instrument: Instrument, notes: Sequence[Note], *, channel: int, tempo: float) -> Any:
    ticks_per_second = TICKS_PER_BEAT * tempo / 60
    events = []
    for note in notes:
        start = round(note.start * ticks_per_second)
        stop = max(start + 1, round(note.stop * ticks_per_second))
        events += [(start, 1, note.pitch, note.velocity), (stop, 0, note.pitch, 0)]
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("track_name", name=instrument.name))
    track.append(mido.Message("program_change", channel=channel, program=instrument.program))
    now = 0
    for at, pressed, pitch, velocity in sorted(events):
        kind = "note_on" if pressed else "note_off"
        track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=at - now))
        now = at
    return track
