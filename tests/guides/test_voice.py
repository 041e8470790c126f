from dataclasses import replace

import numpy as np
import pytest

from unbraid.errors import GuideError, SettingsError
from unbraid.guides.notes import Note
from unbraid.guides.voice import follow, imitate
from unbraid.guides.voice_draws import KINDS, N_VOWELS, SungNote, VoiceSettings, draw_voice

MELODY = [Note(0.2, 0.6, 57, 90), Note(0.9, 0.6, 60, 90), Note(1.6, 0.8, 55, 90)]
AS_WRITTEN = SungNote(missing=False, semitones=0, cents=0.0, late=0.0, scoop=0.0, fall=0.0, vowel=0, gain_db=0.0)
ONLY = {"hum": (1, 0, 0), "vowel": (0, 1, 0), "whistle": (0, 0, 1)}
RATE = 16000


def drawn(seed=0, melody=MELODY, **settings):
    return draw_voice(melody, np.random.default_rng(seed), settings=VoiceSettings(**settings))


def plain(kind="vowel", *, notes=None, melody=MELODY, **changes):
    """A voice without any weakness, in a dry and quiet room."""
    calm = {"vibrato": 0.0, "drift": 0.0, "jitter": 0.0, "stretch": 1.0, "bridge": 0.0, "swell_db": 0.0, "accent": 0.0}
    dry = {"breath_db": -90.0, "floor_db": -120.0, "room_db": -90.0, "low_cut": 20.0, "high_cut": 20000.0}
    shape = {"glide": 0.05, "attack": 0.02, "release": 0.03, "dip_db": 0.0, "decay_db": 0.0, "throat": 1.0}
    notes = notes or (AS_WRITTEN,) * len(melody)
    voice = drawn(melody=melody, kinds=ONLY[kind])
    return replace(voice, **{**calm, **dry, **shape, "notes": tuple(notes), **changes})


def curves(voice, melody=MELODY, duration=2.6):
    result = follow(melody, voice, duration=duration, sample_rate=RATE)
    return 69 + 12 * np.log2(result.hertz / 440), result.level, np.arange(len(result.hertz)) * result.hop / RATE


def sing(voice, melody=MELODY, duration=2.6, rate=RATE):
    return imitate(melody, voice, duration=duration, sample_rate=rate)


def spectrum(samples, rate=RATE):
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 4 * len(samples))) ** 2
    return np.fft.rfftfreq(4 * len(samples), 1 / rate), power


def rms(samples):
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def share(samples, low, high):
    frequencies, power = spectrum(samples)
    return power[(frequencies > low) & (frequencies < high)].sum() / power.sum()


def test_the_pitch_follows_the_notes():
    pitch, level, time = curves(plain())
    for note in MELODY:
        inside = (time > note.start + 0.08) & (time < note.stop - 0.05)
        np.testing.assert_allclose(pitch[inside], note.pitch, atol=0.02)
        assert level[inside].min() > 0.5
    assert level[(time > 2.55) | (time < 0.19)].max() < 0.05


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_the_sound_has_the_pitch_of_the_notes(kind, rate):
    samples = sing(plain(kind), rate=rate)
    for note in MELODY:
        piece = samples[round((note.start + 0.1) * rate) : round((note.stop - 0.05) * rate)]
        frequencies, power = spectrum(piece, rate)
        near = (frequencies > note.hertz * 0.9) & (frequencies < note.hertz * 1.1)
        assert abs(1200 * np.log2(frequencies[near][np.argmax(power[near])] / note.hertz)) < 8


def test_notes_glide_into_each_other():
    def passing(glide):
        pitch, _, time = curves(plain(glide=glide, bridge=1.0))
        return np.sum((pitch > 57.2) & (pitch < 59.8) & (time < 1.2)) / 250

    assert passing(0.03) < 0.025
    assert 0.04 < passing(0.15) < 0.12


def test_scoops_and_falls_come_from_below():
    voice = plain(notes=(replace(AS_WRITTEN, scoop=2.0, fall=1.0), AS_WRITTEN, AS_WRITTEN))
    pitch, _, time = curves(voice)
    assert pitch[(time > 0.2) & (time < 0.24)].min() == pytest.approx(55.2, abs=0.5)
    assert pitch[(time > 0.45) & (time < 0.65)].min() > 56.9
    assert pitch[(time > 0.7) & (time < 0.85)].min() < 56.5


def test_vibrato_has_its_depth_rate_and_onset():
    melody = [Note(0.0, 3.0, 57, 90)]
    voice = plain(melody=melody, vibrato=50.0, vibrato_rate=5.0, vibrato_onset=0.5)
    pitch, _, time = curves(voice, melody, duration=3.0)
    late = pitch[(time > 1.0) & (time < 2.9)] - 57
    assert np.abs(pitch[time < 0.5] - 57).max() < 0.01
    assert late.max() == pytest.approx(0.5, abs=0.03)
    assert np.sum(np.diff(np.sign(late)) != 0) / 1.9 / 2 == pytest.approx(5.0, abs=0.8)


def test_late_missing_and_wrong_notes():
    notes = (
        replace(AS_WRITTEN, late=0.1),
        replace(AS_WRITTEN, missing=True),
        replace(AS_WRITTEN, cents=40.0, semitones=12),
    )
    pitch, level, time = curves(plain(notes=notes))
    assert level[time < 0.29].max() == 0
    assert level[(time > 0.33) & (time < 0.85)].min() > 0.5
    assert level[(time > 1.1) & (time < 1.55)].max() < 0.01
    np.testing.assert_allclose(pitch[(time > 1.75) & (time < 2.3)], 55 + 12 + 0.4, atol=0.02)


def test_tempo_is_stretched_around_the_middle():
    _, level, time = curves(plain(stretch=1.05, attack=0.004))
    assert time[np.argmax(level > 0.1)] == pytest.approx(1.3 + (0.2 - 1.3) * 1.05, abs=0.02)


def test_legato_voices_sing_through_rests():
    _, parted, time = curves(plain(release=0.02))
    _, bridged, _ = curves(plain(release=0.02, bridge=0.3))
    rest = (time > 0.86) & (time < 0.89)
    assert parted[rest].max() < 0.2
    assert bridged[rest].min() > 0.9


def test_hums_are_dark_and_whistles_nearly_pure():
    def above(kind, hertz):
        return share(sing(plain(kind, tilt=-40.0 if kind == "whistle" else -9.0)), hertz, 8000)

    assert above("hum", 800) < 0.1 * above("vowel", 800)
    assert share(sing(plain("whistle", tilt=-40.0)), 180, 280) > 0.99


def test_vowels_put_their_formants_in_different_places():
    def formant(vowel, low, high):
        notes = (replace(AS_WRITTEN, vowel=vowel),) * len(MELODY)
        return share(sing(plain(notes=notes, tilt=-6.0)), low, high)

    ah, ee, oo = 0, 1, 2
    assert formant(ah, 550, 1300) > 2 * formant(ee, 550, 1300)
    assert formant(ee, 1900, 3300) > 5 * formant(oo, 1900, 3300)


def test_breath_room_and_microphone():
    quiet = sing(plain())
    assert not np.abs(quiet[:2000]).max() > 1e-4
    assert rms(sing(plain(floor_db=-20.0))[:2000]) == pytest.approx(0.1, rel=0.3)
    assert rms(sing(plain(room=0.3, room_db=-10.0))[40000:]) > 20 * rms(quiet[40000:])
    assert share(sing(plain("whistle", breath_db=-10.0)), 300, 8000) > 20 * share(sing(plain("whistle")), 300, 8000)
    assert share(sing(plain(high_cut=1000.0)), 2000, 8000) < 0.2 * share(quiet, 2000, 8000)


@pytest.mark.parametrize("rate", [8000, 16000])
def test_nothing_folds_back_at_the_nyquist_frequency(rate):
    melody = [Note(0.0, 1.0, 83, 100)]
    voice = plain(melody=melody, tilt=0.0)
    samples = sing(voice, melody, duration=1.0, rate=rate)[rate // 5 : rate * 9 // 10]
    frequencies, power = spectrum(samples, rate)
    order = frequencies / melody[0].hertz
    off = np.abs(order - np.round(order)) * melody[0].hertz > 60
    assert power[off].max() < 1e-5 * power.max()


def test_voices_have_a_level_of_one():
    samples = sing(plain())
    assert rms(samples[6000:12000]) == pytest.approx(1.0, rel=0.2)


def test_it_replays_and_seeds_differ():
    voice = drawn(3)
    first = sing(voice)
    assert first.dtype == np.float32
    assert first.shape == (round(2.6 * RATE),)
    assert np.array_equal(first, sing(voice))
    assert not np.array_equal(first, sing(replace(voice, seed=voice.seed + 1)))


def test_melodies_move_by_octaves_into_the_range_of_the_voice():
    for pitch in (28, 40, 60, 90):
        melody = [Note(0.5 * index, 0.4, pitch + index % 5, 90) for index in range(8)]
        for seed in range(60):
            voice = drawn(seed, melody, p_off_key=0.0, kinds=(1, 1, 0))
            sung = [note.pitch + by.semitones for note, by in zip(melody, voice.notes, strict=True)]
            assert all(by.semitones % 12 == 0 for by in voice.notes)
            assert min(sung) >= 28
            assert max(sung) <= 88
    whistled = [60 + drawn(seed, kinds=(0, 0, 1)).notes[0].semitones for seed in range(40)]
    assert min(whistled) >= 66


def test_probabilities_of_notes_are_as_stated():
    melody = [Note(0.1 * index, 0.1, 60, 90) for index in range(4001)]
    voice = drawn(1, melody, p_missing=0.1, p_scoop=0.4, p_jump=0.05, p_off_key=0.0)
    later = voice.notes[1:]
    assert np.mean([note.missing for note in later]) == pytest.approx(0.1, abs=0.02)
    assert np.mean([note.scoop > 0 for note in later]) == pytest.approx(0.4, abs=0.03)
    assert np.mean([note.fall > 0 for note in later]) == pytest.approx(0.2, abs=0.03)
    lateness = [note.late for note in later]
    assert min(lateness) >= -0.05
    assert max(lateness) <= 0.15
    semitones = np.array([note.semitones for note in voice.notes])
    assert 60 < np.sum(np.diff(semitones) != 0) < 340
    assert not any(drawn(seed, melody[:3], p_missing=1.0).notes[0].missing for seed in range(20))


def test_wrong_keys_and_kinds_come_as_often_as_asked():
    voices = [drawn(seed, p_off_key=0.25, p_jump=0.0) for seed in range(1500)]
    off = np.array([voice.notes[0].semitones % 12 for voice in voices])
    assert np.mean(off != 0) == pytest.approx(0.25, abs=0.04)
    assert set(off) == {0, 1, 2, 3, 4, 8, 9, 10, 11}
    for kind, weight in zip(KINDS, VoiceSettings().kinds, strict=True):
        assert np.mean([voice.kind == kind for voice in voices]) == pytest.approx(weight, abs=0.05)


def test_draws_stay_in_their_ranges():
    for seed in range(500):
        voice = drawn(seed)
        assert 0.03 <= voice.glide <= 0.15
        assert voice.vibrato == 0 or 10 <= voice.vibrato <= 60
        assert 4 <= voice.vibrato_rate <= 7
        assert abs(voice.stretch - 1) <= 0.02
        assert all(abs(note.cents) <= 100 and 0 <= note.vowel < N_VOWELS for note in voice.notes)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "melody",
    [
        [Note(0.0, 0.01, 20, 1)],
        [Note(0.0, 1.0, 120, 127)],
        [Note(0.2, 0.3, 55, 90), Note(0.21, 0.3, 60, 90), Note(0.3, 0.3, 90, 90)],
        [Note(0.999, 0.001, 70, 90)],
    ],
)
def test_awkward_melodies(seed, melody):
    samples = sing(drawn(seed, melody), melody, duration=1.0)
    assert samples.shape == (RATE,)
    assert np.isfinite(samples).all()


def test_a_note_that_comes_after_the_end_leaves_silence():
    melody = [Note(0.98, 0.02, 60, 90)]
    assert not sing(plain(melody=melody, notes=[replace(AS_WRITTEN, late=0.1)]), melody, duration=1.0).any()


def test_what_makes_no_sense_is_refused():
    with pytest.raises(GuideError, match="drawn for 3 notes, and 2"):
        sing(drawn(), MELODY[:2])
    for wrong in ({"p_jump": 2.0}, {"max_late": -1.0}, {"kinds": (0, 0, 0)}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            VoiceSettings(**wrong)
