import numpy as np
import pytest

from unbraid.datasets import styles
from unbraid.datasets.drumkit import draw_kit
from unbraid.datasets.spectral import SAMPLE_RATE

DRUMS = sorted(
    {drum for style in styles.STYLES.values() for groove in style.grooves for drum in groove}
    | {styles.CLAVES, styles.CRASH, styles.HIGH_CONGA, styles.LOW_CONGA, styles.LOW_TOM, styles.HIGH_TOM}
)


def centroid(samples):
    power = np.abs(np.fft.rfft(samples)) ** 2
    return float((power * np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)).sum() / power.sum())


@pytest.mark.parametrize("drum", DRUMS)
@pytest.mark.parametrize("electronic", [False, True])
def test_every_drum_sounds(drum, electronic):
    for seed in range(3):
        kit = draw_kit(np.random.default_rng(seed), electronic=electronic)
        hit = kit.hit(drum, 0.9, 0)
        assert hit.dtype == np.float32
        assert np.isfinite(hit).all()
        assert 0.02 < np.abs(hit).max() < 3.0
        assert np.array_equal(hit, kit.hit(drum, 0.9, 0))
        assert np.abs(kit.hit(drum, 0.3, 0)).max() < np.abs(hit).max()


def test_kicks_are_low_cymbals_high_and_snares_between():
    for seed in range(6):
        kit = draw_kit(np.random.default_rng(seed), electronic=seed % 2 == 0)
        kick, snare, hat = (centroid(kit.hit(drum, 0.9, 0)) for drum in (styles.KICK, styles.SNARE, styles.HAT))
        assert kick < 700 < snare < 6000 < hat


def test_strokes_and_kits_differ():
    first, second = (draw_kit(np.random.default_rng(seed), electronic=False) for seed in (1, 2))
    assert not np.array_equal(first.hit(styles.SNARE, 0.9, 0), first.hit(styles.SNARE, 0.9, 1))
    assert first != second
