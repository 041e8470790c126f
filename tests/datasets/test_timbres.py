import numpy as np
import pytest

from unbraid.datasets.instruments import Family
from unbraid.datasets.spectral import SAMPLE_RATE
from unbraid.datasets.timbres import TIMBRES, Envelope

PITCHED = [family for family in TIMBRES if family is not Family.BELL]


def draw(family, seed=1):
    return TIMBRES[family](np.random.default_rng(seed))


def cents_off(tone, hertz):
    """Find the period by the autocorrelation around the expected one."""
    spectrum = np.abs(np.fft.rfft(tone, 2 * len(tone))) ** 2
    correlation = np.fft.irfft(spectrum)
    lags = np.arange(int(SAMPLE_RATE / hertz / 1.06), int(SAMPLE_RATE / hertz * 1.06) + 2)
    best = lags[np.argmax(correlation[lags])]
    left, mid, right = correlation[best - 1 : best + 2]
    fine = best + 0.5 * (left - right) / (left - 2 * mid + right)
    return 1200 * np.log2(SAMPLE_RATE / fine / hertz)


@pytest.mark.parametrize("family", TIMBRES)
def test_tones_are_finite_audible_and_end_in_silence(family):
    for seed in range(4):
        for hertz in (55.0, 440.0, 1760.0):
            tone = draw(family, seed).tone(hertz, 0.3, 0.8)
            assert tone.dtype == np.float32
            assert np.isfinite(tone).all()
            assert 0.005 < np.abs(tone).max() < 8.0
            assert len(tone) >= 0.3 * SAMPLE_RATE
            assert np.abs(tone[-20:]).max() < 0.05 * np.abs(tone).max()


@pytest.mark.parametrize("family", PITCHED)
def test_tones_are_in_tune(family):
    for seed in range(3):
        for hertz in (82.41, 220.0, 659.26):
            tone = draw(family, seed).tone(hertz, 0.6, 0.8)[4000:26000].astype(np.float64)
            assert abs(cents_off(tone, hertz)) < 25


@pytest.mark.parametrize("family", TIMBRES)
def test_timbres_replay_and_differ(family):
    tones = [draw(family, seed).tone(220.0, 0.2, 0.7)[:8000] for seed in range(3)]
    assert np.array_equal(tones[0], draw(family, 0).tone(220.0, 0.2, 0.7)[:8000])
    assert not np.allclose(tones[0], tones[1], atol=1e-3)
    assert not np.allclose(tones[1], tones[2], atol=1e-3)


@pytest.mark.parametrize("family", TIMBRES)
def test_force_is_loudness(family):
    timbre = draw(family)
    soft, hard = (np.sqrt(np.mean(timbre.tone(220.0, 0.3, force) ** 2)) for force in (0.2, 1.0))
    assert hard > 1.5 * soft


def test_envelopes():
    curve = Envelope(attack=0.1, decay=1.0, sustain=1.0, release=0.2).curve(0.5)
    assert len(curve) == round(0.7 * SAMPLE_RATE)
    assert curve[0] == 0
    assert curve[int(0.3 * SAMPLE_RATE)] == pytest.approx(1.0)
    assert curve[-1] == pytest.approx(0.0, abs=1e-6)
    assert Envelope(0.01, 0.2, 0.0, 0.1).curve(2.0)[SAMPLE_RATE] < 1e-3


def test_string_basses_are_low():
    for seed in range(4):
        tone = draw(Family.BASS_STRING, seed).tone(55.0, 0.8, 0.8)
        power = np.abs(np.fft.rfft(tone)) ** 2
        frequencies = np.fft.rfftfreq(len(tone), 1 / SAMPLE_RATE)
        assert power[frequencies < 300].sum() > 0.7 * power.sum()
