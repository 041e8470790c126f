import numpy as np
import pytest

from unbraid.datasets.spectral import (
    SAMPLE_RATE,
    add_at,
    apply_response,
    band,
    colored_noise,
    decay,
    fft_size,
    level_to_one,
    low_pass,
    resonances,
    slow_noise,
    tilt,
    times,
)


def power(samples, low, high):
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    return spectrum[(frequencies >= low) & (frequencies < high)].sum()


def sine(hertz, n_samples=SAMPLE_RATE):
    return np.sin(2 * np.pi * hertz * np.arange(n_samples) / SAMPLE_RATE).astype(np.float32)


@pytest.mark.parametrize("n_samples", [1, 17, 1000, 44100, 3_000_001])
def test_fft_sizes_hold_the_samples_and_have_small_factors(n_samples):
    size = fft_size(n_samples)
    assert n_samples <= size <= max(16, 1.4 * n_samples)
    for factor in (2, 3, 5):
        while size % factor == 0:
            size //= factor
    assert size == 1


def test_a_response_of_one_changes_nothing():
    noise = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    assert np.allclose(apply_response(noise, np.ones_like), noise, atol=1e-5)


def test_filters_pass_and_stop():
    inside, outside = sine(1000), sine(8000)
    response = band(500, 2000)
    assert np.sqrt(np.mean(apply_response(inside, response)[5000:-5000] ** 2)) > 0.6
    assert np.sqrt(np.mean(apply_response(outside, response)[5000:-5000] ** 2)) < 0.05
    assert low_pass(1000, order=4)(np.array([1000.0], np.float32))[0] == pytest.approx(0.5)
    assert times(low_pass(1000, order=4), low_pass(1000, order=4))(np.array([1000.0], np.float32))[0] == 0.25


def test_colored_noise_has_unit_level_and_the_slope_asked_for():
    pink = colored_noise(np.random.default_rng(1), 200_000, tilt(-3.0103))
    assert np.sqrt(np.mean(pink**2)) == pytest.approx(1.0, abs=1e-3)
    assert 10 * np.log10(power(pink, 500, 1000) / power(pink, 4000, 8000)) == pytest.approx(0.0, abs=1.0)
    assert colored_noise(np.random.default_rng(1), 0, tilt(0)).shape == (0,)


def test_resonances_peak_at_their_centers():
    frequencies = np.arange(100, 4000, 10, dtype=np.float32)
    gains = resonances([500, 2000], [60, 90], [1.0, 0.5])(frequencies)
    assert abs(frequencies[np.argmax(gains)] - 500) <= 10
    assert abs(frequencies[frequencies > 1000][np.argmax(gains[frequencies > 1000])] - 2000) <= 10


def test_slow_noise_is_slow_and_bounded():
    curve = slow_noise(np.random.default_rng(2), SAMPLE_RATE, 2.0)
    assert curve.dtype == np.float32
    assert np.abs(curve).max() <= 1.0
    assert np.abs(np.diff(curve)).max() < 1e-3
    assert np.ptp(curve) > 0.1


def test_decay_falls_by_sixty_decibels():
    curve = decay(SAMPLE_RATE, 0.5)
    assert curve[0] == 0
    assert 20 * np.log10(curve[SAMPLE_RATE // 2]) == pytest.approx(-60, abs=0.1)


def test_adding_is_cut_at_both_ends():
    target = np.zeros(10, np.float32)
    add_at(target, -3, np.ones(5, np.float32))
    add_at(target, 8, np.ones(5, np.float32), gain=2.0)
    add_at(target, 50, np.ones(5, np.float32))
    add_at(target, -50, np.ones(5, np.float32))
    assert target.tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 2, 2]


def test_levels():
    assert np.sqrt(np.mean(level_to_one(sine(440) * 0.01) ** 2)) == pytest.approx(1.0, abs=1e-4)
    assert not level_to_one(np.zeros(5)).any()
    assert len(level_to_one(np.zeros(0))) == 0
