import mido

from unbraid.datasets.instruments import INSTRUMENTS
from unbraid.datasets.midi import write_midi
from unbraid.guides.notes import Note


def test_notes_read_back(tmp_path):
    melody = [Note(0.5, 0.5, 60, 100), Note(1.0, 0.25, 62, 80), Note(1.25, 1.0, 60, 1)]
    beat = [Note(0.0, 0.1, 36, 120), Note(0.0, 0.1, 42, 60)]
    write_midi(tmp_path / "a.mid", [(INSTRUMENTS["Flute"], melody), (INSTRUMENTS["Jazz Kit"], beat)], tempo=90.0)
    file = mido.MidiFile(tmp_path / "a.mid")
    assert len(file.tracks) == 3
    now, started, found = 0.0, {}, []
    for message in file:
        now += message.time
        if message.type == "note_on":
            started[message.channel, message.note] = now, message.velocity
        elif message.type == "note_off":
            start, velocity = started.pop((message.channel, message.note))
            found.append((message.channel, round(start, 2), round(now - start, 2), message.note, velocity))
    assert not started
    assert sorted(found) == sorted(
        [(0, note.start, note.duration, note.pitch, note.velocity) for note in melody]
        + [(9, note.start, note.duration, note.pitch, note.velocity) for note in beat]
    )
    programs = {message.channel: message.program for message in file if message.type == "program_change"}
    assert programs == {0: 73, 9: 32}


def test_many_parts_never_take_the_drum_channel(tmp_path):
    write_midi(tmp_path / "a.mid", [(INSTRUMENTS["Flute"], [Note(0, 1, 60, 90)])] * 20, tempo=120.0)
    channels = [message.channel for message in mido.MidiFile(tmp_path / "a.mid") if message.type == "note_on"]
    assert len(channels) == 20
    assert 9 not in channels
