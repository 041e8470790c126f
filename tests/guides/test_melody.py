"""Melodies are heard however the recording is cut, and found again flat, in other octaves, loose, or in part."""

import random

import pytest
import torch

from unbraid.guides.melody import FRAME_RATE, align, melody_of
from unbraid.guides.melody_salience import LOWEST, PITCHES_PER_SEMITONE
from unbraid.guides.notes import Note
from unbraid.guides.tones import render_tones

RATE = 16000


def tune(seed, *, seconds=30.0, low=60):
    chance = random.Random(seed)
    notes, now = [], 0.0
    while now < seconds:
        length = chance.choice([0.2, 0.3, 0.4, 0.6])
        notes.append(Note(now, length, low + chance.choice([0, 2, 3, 5, 7, 8, 10, 12]), chance.randint(70, 110)))
        now += length
    return notes


def moved(notes, *, start=0.0, stop=99.0, up=0, stretch=1.0, loose=0.0):
    chance = random.Random(9)
    return [
        Note(max(0.0, (one.start - start) * stretch + chance.gauss(0, loose)), one.duration, one.pitch + up, 90)
        for one in notes
        if start <= one.start < stop
    ]


def sound(notes, rate=RATE):
    return render_tones(notes, sample_rate=rate)[None]


def heard(samples, rate=RATE):
    return melody_of([samples], rate)


LEAD = tune(1)
SONG_SAMPLES = sound(LEAD + tune(2, low=36) + tune(3, low=72))
SONG = heard(SONG_SAMPLES)


def test_the_pitch_of_each_note_is_the_strongest():
    melody = heard(sound(LEAD))
    for note in LEAD[:20]:
        frame = melody.salience[round((note.start + note.duration / 2) * FRAME_RATE)]
        assert LOWEST + int(frame.argmax()) / PITCHES_PER_SEMITONE == pytest.approx(note.pitch, abs=0.4)


def test_blocks_rates_channels_and_levels_do_not_matter():
    samples = SONG_SAMPLES[:, : 6 * RATE + 77]
    whole = heard(samples)
    pieces = melody_of(iter(samples.split([5, 1, 70001, 0, samples.shape[1] - 70007], dim=1)), RATE)
    torch.testing.assert_close(pieces.salience, whole.salience)
    assert pieces.duration == whole.duration == samples.shape[1] / RATE
    assert len(whole.salience) == int(whole.duration * FRAME_RATE) + 1
    torch.testing.assert_close(heard(torch.cat([samples, samples])).salience, whole.salience)
    quiet = heard(0.01 * samples).salience
    assert float((quiet - whole.salience).abs().mean()) < 0.01
    other = heard(sound(moved(LEAD, stop=6.0), 44100), 44100)
    assert align(other, heard(sound(moved(LEAD, stop=6.0)))).offset == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize(
    ("changes", "semitones", "tolerance"),
    [
        ({}, 0, 0.02),
        ({"up": 12}, -12, 0.03),
        ({"up": -12}, 12, 0.03),
        ({"up": 1}, -1, 0.03),
        ({"loose": 0.04}, 0, 0.05),
        ({"stretch": 1.03}, 0, 0.2),
    ],
)
def test_a_part_is_found_in_the_song(changes, semitones, tolerance):
    start = LEAD[20].start
    hum = heard(sound(moved(LEAD, start=start, stop=start + 8, **changes)))
    found = align(hum, SONG)
    assert found.offset == pytest.approx(start, abs=tolerance)
    assert found.semitones == pytest.approx(semitones, abs=0.4)
    assert found.is_clear
    assert 0.2 < found.likeness <= 1


def test_fifty_cents_flat():
    start = LEAD[20].start
    part = sound(moved(LEAD, start=start, stop=start + 8), round(RATE * 2 ** (50 / 1200)))
    found = align(heard(part * 0.1), SONG)  # at a higher rate, played slower: flat and 3 % longer
    assert found.offset == pytest.approx(start, abs=0.2)
    assert found.semitones == pytest.approx(0.5, abs=0.2)


def test_any_offset_is_told_within_20_ms():
    chance = random.Random(4)
    for _ in range(3):
        start = chance.randrange(0, 20 * RATE)
        hum = heard(sound(LEAD)[:, start : start + 6 * RATE])
        assert align(hum, SONG).offset == pytest.approx(start / RATE, abs=0.02)


def test_a_mimicry_may_begin_before_the_mixture_and_end_after_it():
    late = heard(SONG_SAMPLES[:, 3 * RATE :])
    early = heard(SONG_SAMPLES[:, : 10 * RATE])
    hum = heard(sound(moved(LEAD, stop=8.0)))
    assert align(hum, late).offset == pytest.approx(-3, abs=0.03)
    end = LEAD[15].start
    assert align(heard(sound(moved(LEAD, start=end, stop=end + 8))), early).offset == pytest.approx(end, abs=0.03)
    whole = align(heard(sound(LEAD)), heard(SONG_SAMPLES[:, 8 * RATE : 18 * RATE]))
    assert whole.offset == pytest.approx(-8, abs=0.03)


def test_another_key_is_found_when_asked_for():
    start = LEAD[20].start
    hum = heard(sound(moved(LEAD, start=start, stop=start + 8, up=5)))
    found = align(hum, SONG, any_key=True)
    assert found.offset == pytest.approx(start, abs=0.03)
    assert found.semitones == pytest.approx(-5, abs=0.4)


def test_another_tune_has_no_clear_place():
    strangers = [align(heard(sound(tune(seed, seconds=8.0))), SONG) for seed in range(50, 54)]
    assert sum(one.is_clear for one in strangers) <= 1


def test_what_is_played_twice_is_not_clear():
    verse = moved(LEAD, stop=8.0)
    song = heard(sound(verse + [Note(one.start + 9.0, one.duration, one.pitch, 90) for one in verse] + tune(2, low=36)))
    found = align(heard(sound(verse)), song)
    assert not found.is_clear
    assert {round(found.offset), round(found.rival)} == {0, 9}


def test_silence_and_nothing_have_no_place():
    assert align(heard(torch.zeros(1, RATE)), SONG) is None
    assert align(SONG, heard(torch.zeros(1, RATE))) is None
    assert align(melody_of([], RATE), SONG) is None


def test_long_mixtures_are_searched_in_pieces(monkeypatch):
    hum = heard(sound(moved(LEAD, start=LEAD[20].start, stop=LEAD[20].start + 5)))
    whole = align(hum, SONG)
    monkeypatch.setattr("unbraid.guides.melody._STEP", 200)
    pieces = align(hum, SONG)
    assert pieces.offset == pytest.approx(whole.offset, abs=1e-3)
    assert pieces.height == pytest.approx(whole.height, rel=1e-3)


def noise(color, seconds=3):
    white = torch.fft.rfft(torch.randn(1, seconds * RATE, generator=torch.Generator().manual_seed(0)))
    shaped = torch.fft.irfft(white / (torch.arange(white.shape[1]) + 20) ** color)
    return 0.1 * shaped / shaped.std()


def test_what_has_a_pitch():
    hum = sound(moved(LEAD, stop=3.0))[:, : 3 * RATE]
    hum = hum / hum.std()
    whistle = torch.sin(2 * torch.pi * 2500 * torch.arange(RATE) / RATE)[None]
    bass = sound([Note(0, 1, 28, 100), Note(1, 1, 31, 100)])
    breathy = hum + noise(0)[:, : hum.shape[1]] / 0.1
    for one in (hum, 0.001 * hum, whistle, bass, breathy, SONG_SAMPLES):
        assert heard(one).has_pitch
    click = torch.zeros(1, RATE)
    click[0, 5000] = 1
    for one in (noise(0), noise(0.5), noise(1), click, torch.zeros(1, RATE), torch.zeros(1, 0), whistle[:, :1000]):
        assert not heard(one).has_pitch
