from dataclasses import replace

import numpy as np
import pytest
import torch

from unbraid.errors import GuideError
from unbraid.guides.mimicry_draws import BentNote, MimicrySettings, draw_mimicry
from unbraid.guides.notes import Note
from unbraid.guides.render import (
    TIMBRES,
    Synthesizer,
    amplitude_entropy,
    both_sound,
    draw_audible,
    playable_ranges,
    render_mimicry,
)

MELODY = [Note(0.1, 0.5, 60, 90), Note(0.7, 0.5, 64, 100), Note(1.4, 0.4, 62, 80)]
STILL = MimicrySettings(p_bend=0, p_shift=0, p_velocity=0, p_octave=0)
RANGES = playable_ranges([Synthesizer()])
WINDOW = {"start": 0.0, "duration": 2.0}


def draw(seed=0, *, notes=MELODY, settings=None, ranges=RANGES):
    generator = torch.Generator().manual_seed(seed)
    return draw_mimicry(notes, generator, ranges=ranges, settings=settings, **WINDOW)


def play(instrument, *notes, rate=16000, seconds=1.0, variant=1):
    return Synthesizer().play(
        notes, instrument=instrument, variant=variant, sample_rate=rate, n_samples=round(rate * seconds)
    )


def power_of(samples, rate):
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples))) ** 2
    return np.fft.rfftfreq(8 * len(samples), 1 / rate), power


def strongest(samples, rate, near):
    frequencies, power = power_of(samples, rate)
    inside = (frequencies > near * 0.94) & (frequencies < near * 1.06)
    return frequencies[inside][np.argmax(power[inside])]


def cents(one, other):
    return 1200 * np.log2(one / other)


class Recorder:
    """A player that keeps what it was given."""

    def __init__(self, *ranges, sound=1.0):
        self.ranges = ranges
        self.sound = sound
        self.given = None

    def play(self, notes, *, instrument, variant, sample_rate, n_samples):
        self.given = (list(notes), instrument, variant, sample_rate, n_samples)
        return np.full(n_samples, self.sound, np.float32)


@pytest.mark.parametrize("instrument", range(len(TIMBRES)), ids=[timbre.name for timbre in TIMBRES])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_instruments_are_in_tune_at_every_rate(instrument, rate):
    note = BentNote(0.0, 1.0, 69, 100, bend=0.3)
    samples = play(instrument, note, rate=rate)
    assert abs(cents(strongest(samples[: rate * 9 // 10], rate, note.hertz), note.hertz)) < 3


def test_bends_of_single_notes_are_heard():
    notes = [BentNote(0.0, 1.0, 60, 100, -0.4), BentNote(1.0, 1.0, 60, 100, 0.4)]
    samples = play(10, *notes, seconds=2.0)
    first, second = strongest(samples[:15000], 16000, 261.6), strongest(samples[17000:], 16000, 261.6)
    assert cents(second, first) == pytest.approx(80, abs=2)


@pytest.mark.parametrize("instrument", [0, 1, 4, 10, 11])
@pytest.mark.parametrize("pitch", [71, 95])
def test_nothing_folds_back_at_the_nyquist_frequency(instrument, pitch):
    rate = 8000
    note = BentNote(0.0, 1.0, pitch, 127, bend=0.37)
    samples = play(instrument, note, rate=rate)
    frequencies, power = power_of(samples[1000:7500], rate)
    order = frequencies / note.hertz
    tonal = np.abs(order - np.round(order)) * note.hertz < 100  # vibrato and all
    assert power[tonal].max() > 1e5 * power[~tonal].max()
    assert power[frequencies > 0.497 * rate].max() < 1e-5 * power.max()


def test_notes_above_the_nyquist_frequency_are_silent():
    assert not play(10, BentNote(0.0, 0.5, 127, 127), rate=8000).any()


def test_timbres_differ():
    assert len(TIMBRES) >= 8
    shapes = []
    for index in range(len(TIMBRES)):
        frequencies, power = power_of(play(index, BentNote(0.0, 1.5, 69, 100), seconds=2.0), 16000)
        bands = np.array(
            [power[(frequencies > 440 * k - 40) & (frequencies < 440 * k + 40)].sum() for k in range(1, 9)]
        )
        shapes.append(np.log(bands / bands.sum() + 1e-6))
    apart = [np.abs(one - other).max() for i, one in enumerate(shapes) for other in shapes[:i]]
    assert min(apart) > 0.2


def test_notes_sound_where_they_are():
    samples = play(8, BentNote(0.25, 0.5, 69, 100))
    assert not samples[:4000].any()
    assert not samples[round(0.81 * 16000) :].any()
    assert np.abs(samples[6000:11000]).max() > 0.1


def test_held_notes_overlap_and_louder_ones_are_louder():
    together = play(8, BentNote(0.0, 1.0, 60, 100), BentNote(0.5, 0.5, 67, 100))
    alone = [play(8, BentNote(0.0, 1.0, 60, 100)), play(8, BentNote(0.5, 0.5, 67, 100))]
    np.testing.assert_allclose(together, sum(alone), atol=1e-6)
    soft, loud = (np.abs(play(8, BentNote(0.0, 1.0, 60, velocity))).max() for velocity in (40, 120))
    assert loud > 3 * soft


def test_struck_notes_die_away_and_held_ones_do_not():
    def fall(instrument):
        samples = play(instrument, BentNote(0.0, 2.0, 60, 100), seconds=2.0)
        return np.abs(samples[28000:]).max() / np.abs(samples[3000:7000]).max()

    assert fall(2) < 0.05
    assert fall(8) > 0.9


def test_variants_differ():
    note = BentNote(0.0, 1.0, 60, 100)
    assert np.array_equal(play(0, note, variant=3), play(0, note, variant=3))
    assert not np.array_equal(play(0, note, variant=3), play(0, note, variant=4))


@pytest.mark.parametrize("p_voice", [0.0, 1.0])
def test_a_replay_gives_identical_samples(p_voice):
    settings = MimicrySettings(p_voice=p_voice)
    drawn = draw(5, settings=settings)
    again = type(drawn).from_json(drawn.to_json())
    first = render_mimicry(MELODY, drawn, sample_rate=16000, **WINDOW)
    assert first.dtype == np.float32
    assert first.shape == (32000,)
    assert np.array_equal(first, render_mimicry(MELODY, again, sample_rate=16000, **WINDOW))
    other = render_mimicry(MELODY, draw(6, settings=settings), sample_rate=16000, **WINDOW)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("p_voice", [0.0, 1.0])
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 48000])
def test_mimicry_has_a_peak_of_one(p_voice, rate):
    drawn = draw(2, settings=MimicrySettings(p_voice=p_voice))
    samples = render_mimicry(MELODY, drawn, sample_rate=rate, **WINDOW)
    assert np.abs(samples).max() == pytest.approx(1.0, abs=1e-6)
    assert len(samples) == 2 * rate


def test_the_octave_is_heard():
    drawn = replace(draw(1, settings=STILL), instrument=10)
    written = render_mimicry(MELODY, drawn, sample_rate=16000, **WINDOW)
    above = render_mimicry(MELODY, replace(drawn, octave=1), sample_rate=16000, **WINDOW)
    span = slice(2000, 9000)
    low, high = strongest(written[span], 16000, 261.63), strongest(above[span], 16000, 523.25)
    assert cents(high, low) == pytest.approx(1200, abs=3)


def test_instruments_count_through_all_players():
    players = [Recorder((0, 127), (0, 127)), Recorder((0, 127))]
    assert playable_ranges(players) == ((0, 127),) * 3
    drawn = replace(draw(settings=STILL, ranges=playable_ranges(players)), instrument=2)
    render_mimicry(MELODY, drawn, sample_rate=100, players=players, **WINDOW)
    notes, *given = players[1].given
    assert given == [0, drawn.variant, 100, 200]
    assert [note.pitch for note in notes] == [60, 64, 62]
    assert players[0].given is None
    with pytest.raises(GuideError, match="instrument 3 was drawn and there are 3"):
        render_mimicry(MELODY, replace(drawn, instrument=3), sample_rate=100, players=players, **WINDOW)


def test_silent_instruments_are_drawn_again():
    players = [Recorder((0, 127), sound=0.0), Synthesizer()]
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        drawn, samples = draw_audible(MELODY, generator, sample_rate=16000, players=players, **WINDOW)
        assert drawn.instrument > 0
        assert amplitude_entropy(samples) >= 1.5
    with pytest.raises(GuideError, match="no instrument makes"):
        draw_audible(MELODY, torch.Generator(), sample_rate=16000, players=players[:1], **WINDOW)


def test_entropy_is_that_of_the_values():
    assert amplitude_entropy(np.zeros(1000)) == 0.0
    assert amplitude_entropy(np.tile([0.0, 0.5, -0.5, 1.0], 100)) == pytest.approx(np.log(4))
    assert amplitude_entropy(np.repeat([0.0, 0.25], [300, 100])) == pytest.approx(0.75 * np.log(4 / 3) + np.log(4) / 4)
    assert amplitude_entropy(np.zeros(0)) == 0.0


def test_windows_with_a_silent_side_are_not_trained_on():
    def few(n_values):  # as many values as often: the entropy is the logarithm of their number
        return np.tile(np.linspace(-1, 1, n_values), 60)

    assert both_sound(few(3), few(5))
    assert not both_sound(few(3), few(4))
    assert not both_sound(few(2), few(9))
    assert not both_sound(few(9), few(2))
