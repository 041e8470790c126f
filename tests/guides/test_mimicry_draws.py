import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from unbraid.errors import GuideError, SettingsError
from unbraid.guides.mimicry_draws import (
    BentNote,
    MimicryDraw,
    MimicrySettings,
    NoteDraw,
    crop_notes,
    draw_mimicry,
    let_go,
    perturb,
)
from unbraid.guides.notes import Note

EVERYTHING = ((0, 127),)
STILL = MimicrySettings(p_bend=0, p_shift=0, p_velocity=0, p_octave=0)


def line(n_notes, *, step=0.5, length=0.4, pitch=60, velocity=90):
    return [Note(index * step, length, pitch, velocity) for index in range(n_notes)]


def draw(notes, seed=0, *, start=0.0, duration=4.0, ranges=EVERYTHING, settings=None):
    generator = torch.Generator().manual_seed(seed)
    return draw_mimicry(notes, generator, start=start, duration=duration, ranges=ranges, settings=settings)


def drawn_for(*notes, octave=0, strict=False, monophony=True):
    return MimicryDraw(notes, octave, 0, 0, monophony=monophony, strict=strict, voice=None, seed=0)


def many(settings, n_notes=20000):
    return draw(line(n_notes), duration=n_notes, settings=settings).notes


def close(share, probability, n):
    return abs(share - probability) < 4 * np.sqrt(probability * (1 - probability) / n)


def test_defaults_are_the_published_ones():
    plain = MimicrySettings()
    assert (plain.p_bend, plain.max_bend, plain.p_shift, plain.max_shift) == (0.5, 0.4, 0.4, 0.03)
    assert (plain.p_velocity, plain.max_velocity, plain.p_octave, plain.octaves) == (0.3, 5, 0.5, (-1, 0, 1))
    assert (plain.p_voice, plain.monophony, plain.strict) == (0.0, True, False)


def test_notes_are_bent_as_often_and_as_far_as_stated():
    bends = np.array([note.bend for note in many(MimicrySettings(bends_last=False))])
    bent = bends[bends != 0]
    assert close(len(bent) / len(bends), 0.5, len(bends))
    assert np.abs(bent).max() <= 0.4
    assert np.std(bent) == pytest.approx(0.4 / np.sqrt(3), rel=0.03)
    assert abs(bent.mean()) < 0.01


def test_a_bend_lasts_until_the_next():
    bends = np.array([note.bend for note in many(MimicrySettings())])
    assert close(np.mean(bends[1:] == bends[:-1]), 0.5, len(bends))
    assert np.mean(bends == 0) < 0.01


def test_notes_are_moved_as_often_and_as_far_as_stated():
    notes = [draw(line(1), seed).notes[0] for seed in range(4000)]
    moves = np.array([(note.onset, note.offset) for note in notes])
    moved = moves[moves[:, 0] != 0]
    assert close(len(moved) / len(moves), 0.4, len(moves))
    assert np.abs(moved).max() <= 0.03
    assert np.abs(moved).max() > 0.029
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.1


@pytest.mark.parametrize("following", [True, False])
def test_moves_add_up_for_those_that_follow(following):
    notes = many(MimicrySettings(shift_following=following), 5000)
    onsets = np.array([note.onset for note in notes])
    selected = np.array([note.onset != note.offset for note in notes])
    assert close(selected.mean(), 0.4, len(notes))
    last = 0.0
    for onset, chosen in zip(onsets, selected, strict=True):
        if chosen:
            assert abs(onset - last) <= 0.03 + 1e-9
            last = onset
        else:
            assert onset == (pytest.approx(last) if following else 0.0)
    assert abs(onsets[selected]).max() > 0.1


def test_velocities_change_as_often_and_as_far_as_stated():
    changes = np.array([note.velocity for note in many(MimicrySettings(p_velocity=1.0))])
    counts = np.bincount(changes + 5, minlength=11)
    assert set(changes) == set(range(-5, 6))
    assert counts.max() / counts.min() < 1.2
    some = np.array([note.velocity for note in many(MimicrySettings())])
    assert close(np.mean(some != 0), 0.3 * 10 / 11, len(some))


def test_a_third_of_melodies_move_by_an_octave():
    octaves = np.array([draw(line(1), seed).octave for seed in range(6000)])
    for octave in (-1, 1):
        assert close(np.mean(octaves == octave), 1 / 6, len(octaves))
    assert set(octaves) == {-1, 0, 1}


def test_voices_come_as_often_as_asked():
    settings = MimicrySettings(p_voice=0.3)
    voices = [draw(line(2), seed, settings=settings) for seed in range(2000)]
    assert close(np.mean([one.voice is not None for one in voices]), 0.3, 2000)
    assert all(not one.notes for one in voices if one.voice is not None)
    assert all(draw(line(2), seed).voice is None for seed in range(50))


def test_instruments_are_those_that_can_play_the_melody_before_it_moves():
    ranges = ((60, 72), (40, 60), (0, 127), (60, 71))
    melody = [Note(0, 1, 60, 90), Note(1, 1, 72, 90)]
    chosen = np.array([draw(melody, seed, ranges=ranges).instrument for seed in range(600)])
    assert set(chosen) == {0, 2}
    assert close(np.mean(chosen == 0), 0.5, 600)


def test_what_nobody_can_play_is_refused():
    with pytest.raises(GuideError, match="pitch 60 to 60"):
        draw(line(1), ranges=((61, 127),))
    with pytest.raises(GuideError, match="no note sounds"):
        draw(line(1), start=5.0)


@pytest.mark.parametrize("p_voice", [0.0, 1.0])
def test_a_draw_goes_through_json(p_voice):
    drawn = draw(line(5), 3, settings=MimicrySettings(p_voice=p_voice))
    assert MimicryDraw.from_json(drawn.to_json()) == drawn
    assert json.loads(drawn.to_json())["seed"] == drawn.seed
    assert draw(line(5), 3, settings=MimicrySettings(p_voice=p_voice)) == drawn
    assert draw(line(5), 4, settings=MimicrySettings(p_voice=p_voice)) != drawn


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"notes": [], "voice": null}'])
def test_what_is_no_draw_is_refused(text):
    with pytest.raises(GuideError, match="not the draw of a mimicry"):
        MimicryDraw.from_json(text)


@pytest.mark.parametrize("wrong", [{"p_bend": 1.1}, {"p_voice": -0.1}, {"max_shift": -1.0}, {"octaves": ()}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        MimicrySettings(**wrong)


def test_windows_clip_notes_at_both_edges():
    notes = [Note(0, 1.5, 60, 90), Note(1.2, 0.2, 62, 90), Note(2.5, 9, 64, 90), Note(3.0, 1, 65, 90)]
    cropped = crop_notes(notes, start=1.0, duration=2.0)
    assert [(note.start, note.stop, note.pitch) for note in cropped] == [
        (0, 0.5, 60),
        (pytest.approx(0.2), pytest.approx(0.4), 62),
        (1.5, 2.0, 64),
    ]


def test_one_note_stays_for_each_onset_and_may_be_held_under_the_next():
    notes = [Note(0, 2, 60, 90), Note(0, 1, 67, 90), Note(0, 1, 64, 90), Note(0.5, 1, 62, 90)]
    mono = crop_notes(notes, start=0, duration=4)
    assert [note.pitch for note in mono] == [67, 62]
    assert mono[0].stop > mono[1].start
    assert [note.pitch for note in crop_notes(notes, start=0, duration=4, monophony=False)] == [67, 64, 60, 62]


def test_nothing_drawn_changes_nothing():
    notes = line(5)
    played = perturb(notes, draw(notes, settings=STILL), start=0, duration=4)
    assert played == [BentNote(note.start, pytest.approx(note.duration), 60, 90) for note in notes]


def test_everything_drawn_is_applied():
    notes = [Note(1.0, 0.5, 60, 90)]
    drawn = drawn_for(NoteDraw(0.25, 0.02, -0.01, 3), octave=-1)
    assert perturb(notes, drawn, start=0, duration=4) == [BentNote(1.02, pytest.approx(0.47), 48, 93, 0.25)]


def test_onsets_velocities_and_pitches_stay_in_their_ranges():
    notes = [Note(0.01, 0.5, 125, 126)]
    (note,) = perturb(notes, drawn_for(NoteDraw(0, -0.03, 0, 5), octave=1), start=0, duration=4)
    assert (note.start, note.stop, note.pitch, note.velocity) == (0.0, pytest.approx(0.51), 127, 127)


def test_a_move_that_would_turn_a_note_round_is_skipped():
    notes = [Note(1.0, 0.03, 60, 90), Note(2.0, 1.0, 60, 90)]
    moved = NoteDraw(0, 0.02, -0.02, 0)
    first, second = perturb(notes, drawn_for(moved, moved), start=0, duration=4)
    assert (first.start, first.stop) == (1.0, 1.03)
    assert (second.start, second.stop) == (2.02, 2.98)


def test_strict_melodies_let_go_of_held_notes():
    notes = [Note(0, 3, 60, 90), Note(0.5, 1, 62, 90)]
    still = NoteDraw(0, 0, 0, 0)
    held = perturb(notes, drawn_for(still, still), start=0, duration=4)
    strict = perturb(notes, drawn_for(still, still, strict=True), start=0, duration=4)
    assert [note.stop for note in held] == [3.0, 1.5]
    assert [note.stop for note in strict] == [0.5, 1.5]
    assert let_go([BentNote(1, 1, 60, 90), BentNote(1, 2, 62, 90)]) == [BentNote(1, 2, 62, 90)]


def test_a_draw_for_other_notes_is_refused():
    notes = line(3)
    with pytest.raises(GuideError, match="made for 3 notes, and 2"):
        perturb(notes[:2], draw(notes), start=0, duration=4)
    voice = draw(notes, settings=MimicrySettings(p_voice=1.0))
    with pytest.raises(GuideError, match="made for a voice"):
        perturb(notes, voice, start=0, duration=4)


def test_polyphony_is_drawn_where_asked():
    chord = [Note(0, 1, pitch, 90) for pitch in (60, 64, 67)]
    drawn = draw(chord, settings=replace(STILL, monophony=False))
    assert [note.pitch for note in perturb(chord, drawn, start=0, duration=4)] == [67, 64, 60]
