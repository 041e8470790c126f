import numpy as np
import pytest

from unbraid.datasets.spectral import SAMPLE_RATE
from unbraid.datasets.textures import TEXTURES, scatter


@pytest.mark.parametrize("name", TEXTURES)
def test_textures_are_level_and_go_on(name):
    sounds = [TEXTURES[name](np.random.default_rng(seed), 2 * SAMPLE_RATE) for seed in range(3)]
    for sound in sounds:
        assert sound.shape == (2 * SAMPLE_RATE,)
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(1.0, abs=1e-3)
    assert not np.array_equal(sounds[0], sounds[1])
    assert np.array_equal(sounds[0], TEXTURES[name](np.random.default_rng(0), 2 * SAMPLE_RATE))


def test_grains_are_scattered_at_their_rate():
    grain = np.ones(1, np.float32)
    sound = scatter(np.random.default_rng(1), 20 * SAMPLE_RATE, 50.0, lambda rng: grain)
    assert np.count_nonzero(sound) == pytest.approx(1000, rel=0.15)
