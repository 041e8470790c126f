import numpy as np
import pytest

from unbraid.datasets.instruments import INSTRUMENTS
from unbraid.datasets.score import Bar, Chord, Section
from unbraid.datasets.styles import KICK, STYLES, Style
from unbraid.datasets.writers import (
    Writing,
    write_arpeggio,
    write_bass,
    write_chords,
    write_drums,
    write_melody,
    write_pad,
    write_percussion,
    write_vocal,
)

C_MAJOR = (0, 2, 4, 5, 7, 9, 11)


def writing(instrument: str, *, style: Style = STYLES["pop"], n_bars: int = 8, harmony: int = 0) -> Writing:
    seconds = style.beats * 0.5
    chords = [Chord(0, (0, 4, 7)), Chord(9, (0, 3, 7))]
    bars = tuple(Bar(index * seconds, chords[index % 2]) for index in range(n_bars))
    section = Section(kind="verse", bars=bars, energy=1.0, resting=frozenset())
    return Writing(style, 120.0, C_MAJOR, INSTRUMENTS[instrument], (section,), harmony)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize(
    ("write", "instrument"),
    [
        (write_drums, "Standard Kit"),
        (write_percussion, "Standard Kit"),
        (write_bass, "Electric Bass (finger)"),
        (write_chords, "Acoustic Grand Piano"),
        (write_arpeggio, "Celesta"),
        (write_melody, "Flute"),
        (write_pad, "Warm Pad"),
        (write_vocal, "Female Voice"),
    ],
)
def test_nothing_to_play_in_no_sections(write, instrument):
    full = writing(instrument)
    assert write(rng(), full)
    assert write(rng(), Writing(full.style, full.tempo, full.scale, full.instrument, ())) == []


def test_steps_hold_and_swing():
    style = Style((60, 120), ("major",), (), (), (), (), (), swing=0.3)
    score = Writing(style, 120.0, C_MAJOR, INSTRUMENTS["Flute"], ())
    steps = list(score.steps("x-.xx---", Bar(2.0, Chord(0, (0, 4, 7)))))
    assert [symbol for symbol, _, _ in steps] == ["x", "x", "x"]
    assert [start for _, start, _ in steps] == pytest.approx([2.0, 2.0 + 3.3 * 0.25, 2.0 + 4 * 0.25])
    assert [length for _, _, length in steps] == pytest.approx([0.5, 0.7 * 0.25, 1.0])


def test_bass_plays_roots_low():
    notes = write_bass(rng(), writing("Electric Bass (finger)", n_bars=16))
    assert all(28 <= note.pitch <= 55 for note in notes)
    firsts = [min(notes, key=lambda note: abs(note.start - 2.0 * bar)).pitch % 12 for bar in range(16)]
    assert firsts == [0, 9] * 8


def test_chords_hold_only_chord_tones():
    notes = write_chords(rng(), writing("Acoustic Grand Piano"))
    for note in notes:
        assert note.pitch % 12 in ((0, 4, 7) if int(note.start // 2.0) % 2 == 0 else (9, 0, 4))


def test_distorted_guitars_play_power_chords():
    notes = write_chords(rng(), writing("Distortion Guitar"))
    assert {note.pitch % 12 for note in notes} == {0, 7, 9, 4}


def test_melodies_stay_in_the_scale():
    for write, instrument in ((write_melody, "Violin"), (write_vocal, "Male Voice")):
        notes = write(rng(), writing(instrument))
        assert {note.pitch % 12 for note in notes} <= set(C_MAJOR)
        assert len({note.pitch for note in notes}) > 3


def test_harmony_lies_two_steps_above():
    lead = write_vocal(rng(), writing("Female Voice"))
    above = write_vocal(rng(), writing("Female Voice", harmony=2))
    assert [note.start for note in lead] == [note.start for note in above]
    steps = [second.pitch - first.pitch for first, second in zip(lead, above, strict=True)]
    assert set(steps) <= {0, 1, 2, 3, 4}  # less only at the upper end of the range
    assert np.mean([step in (3, 4) for step in steps]) > 0.9


def test_returning_sections_bring_the_tune_back():
    full = writing("Flute", n_bars=4)
    verse = full.sections[0]
    shifted = Section("verse", tuple(Bar(bar.start + 100.0, bar.chord) for bar in verse.bars), 1.0, frozenset())
    twice = Writing(full.style, full.tempo, full.scale, full.instrument, (verse, shifted))
    notes = write_melody(rng(), twice)
    first = [(round(note.start, 6), note.pitch) for note in notes if note.start < 100]
    second = [(round(note.start - 100, 6), note.pitch) for note in notes if note.start >= 100]
    assert first == second


def test_drums_kick_in_every_bar_and_fills_come_last():
    notes = write_drums(rng(), writing("Standard Kit", n_bars=8))
    for bar in range(8):
        assert any(note.pitch == KICK and 2.0 * bar <= note.start < 2.0 * bar + 2.0 for note in notes)
