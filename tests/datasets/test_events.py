import numpy as np
import pytest

from unbraid.datasets.events import EVENTS
from unbraid.datasets.spectral import SAMPLE_RATE


@pytest.mark.parametrize("name", EVENTS)
def test_events_sound_and_vary(name):
    sounds = [EVENTS[name](np.random.default_rng(seed)) for seed in range(4)]
    for sound in sounds:
        assert sound.ndim == 1
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() > 1e-3
        assert 0.03 < len(sound) / SAMPLE_RATE < 15.0
    assert len({sound.tobytes() for sound in sounds}) == 4
    assert np.array_equal(sounds[0], EVENTS[name](np.random.default_rng(0)))


def centroid(name):
    values = []
    for seed in range(6):
        power = np.abs(np.fft.rfft(EVENTS[name](np.random.default_rng(seed)))) ** 2
        values.append((power * np.linspace(0, SAMPLE_RATE / 2, len(power))).sum() / power.sum())
    return np.mean(values)


def test_low_things_are_low_and_high_things_high():
    assert centroid("explosion") < 600
    assert centroid("thunder") < 1200
    assert centroid("glass") > 2500
    assert centroid("bird") > 1500
