import mido
import pytest

from unbraid.datasets.instruments import INSTRUMENTS
from unbraid.datasets.midi import write_midi
from unbraid.datasets.midi_songs import read_midi
from unbraid.errors import DatasetError
from unbraid.guides.notes import Note


def test_written_notes_are_read(tmp_path):
    melody = [Note(0.5, 0.5, 60, 100), Note(1.0, 0.25, 62, 80)]
    beat = [Note(0.0, 0.1, 36, 120), Note(0.0, 0.1, 42, 60)]
    write_midi(tmp_path / "a.mid", [(INSTRUMENTS["Flute"], melody), (INSTRUMENTS["Jazz Kit"], beat)], tempo=90.0)
    flute, drums = read_midi(tmp_path / "a.mid")
    assert (flute.program, flute.is_drum, drums.program, drums.is_drum) == (73, False, 32, True)
    found = [(round(note.start, 2), round(note.duration, 2), note.pitch, note.velocity) for note in flute.notes]
    assert found == [(0.5, 0.5, 60, 100), (1.0, 0.25, 62, 80)]
    assert drums.instrument.is_drum
    assert not flute.instrument.is_drum
    assert [note.pitch for note in flute.cut(0.9, 2.0).notes] == [62]
    assert flute.cut(0.9, 2.0).notes[0].start == pytest.approx(0.1, abs=0.01)


def test_programs_volumes_and_notes_that_never_end(tmp_path):
    file, track = mido.MidiFile(), mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.Message("note_on", channel=3, note=60, velocity=100, time=0))
    track.append(mido.Message("note_on", channel=3, note=60, velocity=0, time=480))
    track.append(mido.Message("program_change", channel=3, program=40, time=0))
    track.append(mido.Message("control_change", channel=3, control=7, value=50, time=0))
    track.append(mido.Message("note_on", channel=3, note=62, velocity=100, time=0))
    track.append(mido.Message("note_on", channel=3, note=62, velocity=80, time=480))
    track.append(mido.Message("note_on", channel=3, note=64, velocity=80, time=480 * 60))
    track.append(mido.MetaMessage("end_of_track", time=480))
    file.save(tmp_path / "a.mid")
    piano, violin = read_midi(tmp_path / "a.mid")
    assert (piano.program, violin.program) == (0, 40)
    assert [note.velocity for note in piano.notes + violin.notes] == [100, 50, 40, 40]
    assert [note.duration for note in violin.notes] == [0.5, 12.0, 0.5]


def test_what_is_no_midi(tmp_path):
    (tmp_path / "a.mid").write_bytes(b"MThd")
    with pytest.raises(DatasetError, match="take it out"):
        read_midi(tmp_path / "a.mid")
