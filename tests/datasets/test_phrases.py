import numpy as np
import pytest
import torch

from unbraid.datasets.dice import Dice
from unbraid.datasets.phrases import Note, pitch_of, play_phrase, play_rhythm

RATE = 8000


def throw(seed):
    return Dice(torch.Generator().manual_seed(seed))


def tone(pitch, seconds=1.0):
    time = np.arange(round(seconds * RATE)) / RATE
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    return Note(np.sin(2 * np.pi * frequency * time).astype(np.float32) * 0.5, pitch)


@pytest.mark.parametrize(
    ("name", "pitch"),
    [
        ("FF_A5", 81),
        ("Mf_A_6", 94),
        ("guitar-acoustic_Fs2", 42),
        ("green_hammer_hammer_db4_rr1", 61),
        ("MartinGM2_046_Bb2_1", 46),
        ("MartinGM2_040__E2_1", 40),
        ("A_045__A2_3", 45),
        ("027-D_1-FF", 27),
        ("VS_TremStr_G_0", 20),
        ("killer_bass_gb2_vl1", 42),
        ("e2_p_rr1_cnd", 40),
        ("Upright1_Sus_C4_vl3_rr1", 60),
        ("F_2v16", 42),
        ("Shn07", None),
        ("bass_dnb_f", None),
        ("Kick_4", None),
    ],
)
def test_pitches_of_file_names(name, pitch):
    assert pitch_of(name) == pitch


@pytest.mark.parametrize("chords", [False, True])
def test_phrases_are_as_long_as_asked_and_never_too_loud(chords):
    notes = [tone(pitch) for pitch in range(48, 72)]
    for seed in range(10):
        phrase = play_phrase(notes, dice=throw(seed), sample_rate=RATE, seconds=6.0, chords=chords)
        assert phrase.shape == (6 * RATE,)
        assert phrase.dtype == np.float32
        assert 0.1 < np.abs(phrase).max() <= 1.0
        assert np.square(phrase[RATE:]).mean() > 1e-3


def test_phrases_keep_to_neighboring_notes():
    # Low notes are positive, high ones negative: a phrase has one kind only.
    notes = [Note(np.full(100, 40.5 - pitch, dtype=np.float32), pitch) for pitch in (30, 34, 50, 52)]
    signs = set()
    for seed in range(20):
        phrase = play_phrase(notes, dice=throw(seed), sample_rate=RATE, seconds=8.0)
        signs.add((phrase.max() > 0, phrase.min() < 0))
    assert signs == {(True, False), (False, True)}


def test_notes_end_without_a_click():
    phrase = play_phrase([Note(np.ones(8 * RATE, dtype=np.float32))], dice=throw(0), sample_rate=RATE, seconds=8.0)
    falls = np.diff(phrase)
    assert falls.min() > -0.05


def test_rhythms_strike_several_hits():
    hits = [Note(np.eye(1, 200, dtype=np.float32)[0] * level) for level in (0.2, 0.5, 1.0)]
    for seed in range(10):
        rhythm = play_rhythm(hits, dice=throw(seed), sample_rate=RATE, seconds=8.0)
        assert rhythm.shape == (8 * RATE,)
        assert np.abs(rhythm).max() <= 1.0
        assert np.count_nonzero(rhythm) > 8


def test_the_same_seed_plays_the_same():
    notes = [tone(pitch) for pitch in (60, 62, 64)]
    for play in (play_phrase, play_rhythm):
        first = play(notes, dice=throw(4), sample_rate=RATE, seconds=2.0)
        np.testing.assert_array_equal(first, play(notes, dice=throw(4), sample_rate=RATE, seconds=2.0))
        assert not np.array_equal(first, play(notes, dice=throw(5), sample_rate=RATE, seconds=2.0))


def test_notes_are_not_changed():
    note = tone(60)
    before = note.samples.copy()
    play_phrase([note], dice=throw(0), sample_rate=RATE, seconds=2.0)
    np.testing.assert_array_equal(note.samples, before)
