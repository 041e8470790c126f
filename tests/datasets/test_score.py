import pytest

from unbraid.datasets.score import Chord, Note


def test_notes_stop_and_sound_where_they_should():
    note = Note(1.0, 0.5, 57, 90)
    assert note.stop == 1.5
    assert note.hertz == pytest.approx(220.0)


def test_chord_tones_are_pitch_classes():
    assert Chord(9, (0, 3, 7, 10)).tones == (9, 0, 4, 7)
