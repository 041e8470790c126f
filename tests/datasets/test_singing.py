from dataclasses import replace

import numpy as np
import pytest

from unbraid.datasets.instruments import INSTRUMENTS
from unbraid.datasets.singing import draw_singer, sing
from unbraid.datasets.spectral import SAMPLE_RATE
from unbraid.guides.notes import Note

SECOND = SAMPLE_RATE


def singer(name="Male Voice", seed=1, **changes):
    return replace(draw_singer(np.random.default_rng(seed), INSTRUMENTS[name]), **changes)


def steady(name="Male Voice", vowel=0, **changes):
    plain = {"vibrato": (5.0, 0.0, 1.0), "drift": 0.0, "scoop": 0.0, "clarity": 0.0, "breath": 0.0, "air": 0.0}
    return singer(name, vowels=(vowel,), **{**plain, **changes})


def spectrum(samples):
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    return np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE), power


def rms(samples):
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


@pytest.mark.parametrize(("name", "pitch"), [("Male Voice", 50), ("Female Voice", 67), ("Child Voice", 74)])
def test_notes_are_in_tune(name, pitch):
    note = Note(0.2, 1.5, pitch, 100)
    voice = sing([note], steady(name), n_samples=2 * SECOND, seed=1)[SECOND // 2 : SECOND * 3 // 2]
    frequencies, power = spectrum(voice)
    near = (frequencies > note.hertz * 0.9) & (frequencies < note.hertz * 1.1)
    assert abs(1200 * np.log2(frequencies[near][np.argmax(power[near])] / note.hertz)) < 30


def test_sound_is_harmonic():
    note = Note(0.2, 1.5, 57, 100)
    frequencies, power = spectrum(sing([note], steady(), n_samples=2 * SECOND, seed=1)[SECOND // 2 : SECOND])
    harmonic = np.abs(frequencies / 220.0 - np.round(frequencies / 220.0)) < 0.12
    assert power[harmonic].sum() > 0.9 * power.sum()


def test_vowels_put_their_formants_in_different_places():
    def share(vowel, low, high):
        voice = sing([Note(0.2, 1.5, 48, 100)], steady(vowel=vowel), n_samples=2 * SECOND, seed=1)
        frequencies, power = spectrum(voice[SECOND // 2 : SECOND])
        return power[(frequencies > low) & (frequencies < high)].sum() / power[frequencies < 4000].sum()

    ah, ee, oo = 0, 1, 2
    assert share(ah, 550, 1300) > 2 * share(ee, 550, 1300)
    assert share(ee, 1900, 3300) > 5 * share(oo, 1900, 3300)


def test_vibrato_sways_around_the_note():
    notes = [Note(0.1, 2.8, 57, 100)]
    calm = sing(notes, steady(), n_samples=3 * SECOND, seed=1)
    swaying = sing(notes, steady(vibrato=(5.5, 70.0, 0.1)), n_samples=3 * SECOND, seed=1)

    def spread(voice):
        frequencies, power = spectrum(voice[SECOND : SECOND * 5 // 2])
        near = (frequencies > 4 * 200) & (frequencies < 4 * 240)
        weight = power[near] / power[near].sum()
        mean = (weight * frequencies[near]).sum()
        return np.sqrt((weight * (frequencies[near] - mean) ** 2).sum())

    assert spread(swaying) > 2 * spread(calm)


def test_rests_are_silent_and_voices_have_their_level():
    notes = [Note(0.5, 1.0, 57, 100), Note(3.0, 1.0, 60, 100)]
    voice = sing(notes, steady(), n_samples=5 * SECOND, seed=2)
    assert not voice[2 * SECOND : int(2.5 * SECOND)].any()
    assert rms(voice[int(0.7 * SECOND) : int(1.3 * SECOND)]) == pytest.approx(0.2, rel=0.5)


def test_consonants_add_noise_above_the_voice():
    notes = [Note(0.3 * index, 0.28, 55, 100) for index in range(1, 12)]
    plain = sing(notes, steady(), n_samples=4 * SECOND, seed=3)
    spoken = sing(notes, steady(clarity=1.0), n_samples=4 * SECOND, seed=3)

    def high(voice):
        frequencies, power = spectrum(voice)
        return power[frequencies > 5000].sum() / power.sum()

    assert high(spoken) > 3 * high(plain)


def test_it_replays_and_seeds_differ():
    notes = [Note(0.1, 0.8, 55, 90)]
    first = sing(notes, singer(), n_samples=SECOND, seed=4)
    assert first.dtype == np.float32
    assert np.array_equal(first, sing(notes, singer(), n_samples=SECOND, seed=4))
    assert not np.array_equal(first, sing(notes, singer(), n_samples=SECOND, seed=5))
    assert not np.array_equal(first, sing(notes, singer(seed=2), n_samples=SECOND, seed=4))


def test_small_throats_for_high_voices():
    def mean(name):
        return np.mean([singer(name, seed).formants for seed in range(40)])

    assert mean("Male Voice") < mean("Female Voice") < mean("Child Voice")


@pytest.mark.parametrize(
    "notes",
    [
        [],
        [Note(0.0, 0.3, 55, 1)],
        [Note(0.0, 5.0, 55, 127)],
        [Note(0.2, 0.3, 55, 90), Note(0.21, 0.3, 60, 90), Note(0.3, 0.3, 60, 90)],
        [Note(0.96, 0.04, 70, 90)],
        [Note(0.2, 0.011, 55, 90)],
    ],
)
def test_awkward_melodies(notes):
    voice = sing(notes, singer(clarity=1.0), n_samples=SECOND, seed=1)
    assert voice.shape == (SECOND,)
    assert np.isfinite(voice).all()
    assert voice.any() == bool(notes)
