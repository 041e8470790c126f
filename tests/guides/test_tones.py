"""The synthesizer plays the pitches, times and levels that the notes say, fast and always the same."""

import time

import pytest
import torch

from unbraid.guides.notes import Note
from unbraid.guides.tones import render_tones

RATE = 16000


def loudest(samples, rate=RATE):
    spectrum = torch.fft.rfft(samples * torch.hann_window(len(samples))).abs()
    return int(spectrum.argmax()) * rate / len(samples)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("pitch", [33, 57, 69, 93])
def test_pitch(rate, pitch):
    note = Note(0.0, 1.0, pitch, 100)
    assert loudest(render_tones([note], sample_rate=rate)[:rate], rate) == pytest.approx(note.hertz, abs=1.0)


def test_notes_sound_when_they_should():
    samples = render_tones([Note(0.5, 0.25, 60, 100), Note(1.5, 0.25, 64, 100)], sample_rate=RATE)
    assert len(samples) == round(1.81 * RATE)
    assert samples.dtype == torch.float32
    silent = [samples[:8000], samples[round(0.81 * RATE) : 24000]]
    assert all(float(part.abs().max()) == 0 for part in silent)
    assert float(samples[8400:11000].abs().max()) > 0.05
    assert float(samples[-5:].abs().max()) < 1e-4


def test_level_goes_with_the_square_of_the_velocity():
    loud, soft = (render_tones([Note(0, 1, 60, velocity)], sample_rate=RATE) for velocity in (120, 60))
    torch.testing.assert_close(loud, 4 * soft)
    assert float(loud.abs().max()) < 0.25


def test_chords_add_up_and_order_does_not_matter():
    notes = [Note(0, 1, pitch, 100) for pitch in (48, 52, 55)]
    chord = render_tones(notes, sample_rate=RATE)
    alone = sum(render_tones([note], sample_rate=RATE) for note in notes)
    torch.testing.assert_close(chord, alone)
    torch.testing.assert_close(chord, render_tones(notes[::-1], sample_rate=RATE))
    assert torch.equal(chord, render_tones(notes, sample_rate=RATE))


def test_nothing_folds_back_from_above_half_the_rate():
    samples = render_tones([Note(0, 1, 100, 127)], sample_rate=RATE)[:RATE]  # 2637 Hz: 2 harmonics fit
    spectrum = torch.fft.rfft(samples * torch.hann_window(RATE)).abs()
    heard = (spectrum > 1e-3 * spectrum.max()).nonzero()[:, 0]
    near = (heard[:, None] - torch.tensor([2637, 5274])).abs().min(dim=1).values
    assert int(near.max()) < 20
    assert not len(render_tones([], sample_rate=RATE))
    assert float(render_tones([Note(0, 1, 127, 127)], sample_rate=RATE).abs().max()) == 0


def test_a_given_length_is_kept():
    notes = [Note(0, 1, 60, 100), Note(5, 1, 60, 100)]
    short = render_tones(notes, sample_rate=RATE, n_samples=8000)
    torch.testing.assert_close(short, render_tones(notes, sample_rate=RATE)[:8000])


def test_two_minutes_take_about_a_second_at_most():
    notes = [Note(0.25 * at, 0.5, 40 + at % 40, 100) for at in range(480)]
    began = time.process_time()
    render_tones(notes, sample_rate=RATE)
    assert time.process_time() - began < 1.2
