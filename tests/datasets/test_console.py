from dataclasses import replace

import numpy as np
import pytest

from unbraid.datasets.console import Strip, active_rms_db, draw_strip, mix_part
from unbraid.datasets.spectral import SAMPLE_RATE

PLAIN = Strip((0, 0), (1000, 0), 1.0, 0.0, 0.0, 0.5, 0.0, -20.0, 1)


def noise(n_samples=SAMPLE_RATE, channels=1):
    return np.random.default_rng(0).standard_normal((channels, n_samples)).astype(np.float32) * 0.1


def share(samples, low, high):
    power = np.abs(np.fft.rfft(samples)) ** 2
    frequencies = np.fft.rfftfreq(samples.shape[-1], 1 / SAMPLE_RATE)
    return power[:, (frequencies >= low) & (frequencies < high)].sum() / power.sum()


@pytest.mark.parametrize("channels", [1, 2])
def test_a_plain_strip_only_sets_the_level(channels):
    part = noise(channels=channels)
    mixed = mix_part(part, PLAIN)
    assert mixed.shape == (2, SAMPLE_RATE)
    assert active_rms_db(mixed) == pytest.approx(-20.0, abs=0.01)
    scale = (
        np.sum(mixed * part) / np.sum(mixed * mixed)
        if channels == 2
        else np.sum(mixed[:1] * part) / np.sum(mixed[0] ** 2)
    )
    assert np.allclose(mixed * scale, np.broadcast_to(part, mixed.shape), atol=0.02)


def test_inputs_stay_and_results_replay():
    part = noise()
    before = part.copy()
    strip = draw_strip(np.random.default_rng(3), pan=0.3, level_db=-25.0, dry=False)
    assert np.array_equal(mix_part(part, strip), mix_part(part, strip))
    assert np.array_equal(part, before)


def test_silence_stays_silence():
    assert not mix_part(np.zeros((1, 5000), np.float32), PLAIN).any()
    assert active_rms_db(np.zeros((2, 5000), np.float32)) == float("-inf")


def test_pan_moves_the_sound():
    left = mix_part(noise(), replace(PLAIN, pan=-0.8))
    right = mix_part(noise(), replace(PLAIN, pan=0.8))
    assert np.std(left[0]) > 3 * np.std(left[1])
    assert np.std(right[1]) > 3 * np.std(right[0])


def test_equalizers_lift_and_cut():
    flat = mix_part(noise(), PLAIN)
    bright = mix_part(noise(), replace(PLAIN, shelves=(-6.0, 6.0)))
    dented = mix_part(noise(), replace(PLAIN, bell=(1000.0, -9.0)))
    assert share(bright, 8000, 20000) > share(flat, 8000, 20000)
    assert share(bright, 40, 200) < 0.5 * share(flat, 40, 200)
    assert share(dented, 900, 1100) < 0.3 * share(flat, 900, 1100)


def test_rooms_ring_on_and_compressors_even_out():
    burst = np.zeros((1, SAMPLE_RATE), np.float32)
    burst[:, :4000] = noise(4000)
    dry, wet = mix_part(burst, PLAIN), mix_part(burst, replace(PLAIN, wet=0.5, room=1.0))
    assert np.abs(dry[:, 8000:]).max() < 1e-3 * np.abs(dry).max()
    assert np.std(wet[:, 8000:16000]) > 0.01 * np.std(wet[:, :4000])
    swelling = noise() * np.repeat([0.2, 1.0], SAMPLE_RATE // 2).astype(np.float32)
    pressed = mix_part(swelling, replace(PLAIN, ratio=4.0, threshold_db=-32.0))
    quiet, loud = np.std(pressed[:, : SAMPLE_RATE // 3]), np.std(pressed[:, -SAMPLE_RATE // 3 :])
    assert loud / quiet < 3.0


@pytest.mark.parametrize("n_samples", [1, 100, 441, 70000])
def test_any_length(n_samples):
    mixed = mix_part(noise(n_samples), replace(PLAIN, wet=0.3, ratio=2.5, threshold_db=-30.0))
    assert mixed.shape == (2, n_samples)
    assert np.isfinite(mixed).all()


def test_blocks_do_not_show():
    long = noise(400_000)
    strip = replace(PLAIN, wet=0.3, room=0.3, shelves=(2.0, -2.0))
    whole = mix_part(long, strip)
    impulse = np.abs(np.diff(whole[0]))
    assert impulse.max() < 10 * impulse.mean()


def test_dry_strips_have_no_room():
    assert all(draw_strip(np.random.default_rng(s), pan=0, level_db=-20, dry=True).wet == 0 for s in range(20))
