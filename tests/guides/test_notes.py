import pytest

from unbraid.guides.notes import Note


def test_notes_stop_and_sound_where_they_should():
    note = Note(1.0, 0.5, 57, 90)
    assert note.stop == 1.5
    assert note.hertz == pytest.approx(220.0)
