import numpy as np
import pytest

from unbraid.datasets.activity import MOISES_ACTIVITY, MUSDB_ACTIVITY, SOUNDING, active_spans

RATE = 100  # a chunk is 50 samples, a window 800, a step 400


def noise(seconds, level=1.0, seed=0):
    return (np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * level).astype(np.float32)


def test_silence_has_no_span():
    assert active_spans(np.zeros(2000, dtype=np.float32), RATE) == ()
    assert active_spans(np.zeros(0, dtype=np.float32), RATE) == ()


def test_a_short_recording_is_one_span():
    assert active_spans(noise(3), RATE) == ((0, 300),)
    assert active_spans(np.float32([0.5]), RATE) == ((0, 1),)


def test_a_steady_sound_is_active_everywhere():
    assert active_spans(np.ones(2000, dtype=np.float32), RATE) == (
        (0, 800),
        (400, 1200),
        (800, 1600),
        (1200, 2000),
    )


def test_windows_reach_the_end():
    spans = active_spans(noise(21), RATE)
    assert spans[-1] == (1300, 2100)
    assert all(stop - start == 800 for start, stop in spans)


def test_silent_stretches_are_left_out():
    samples = np.concatenate([noise(8), np.zeros(2400, dtype=np.float32), noise(8, seed=1)])
    # Half a window of sound is enough, none is not.
    assert active_spans(samples, RATE) == ((0, 800), (400, 1200), (2800, 3600), (3200, 4000))


def test_quiet_stretches_count_by_the_minimum_of_the_rule():
    samples = np.concatenate([noise(8), noise(16, level=0.02, seed=1)])
    assert max(stop for _, stop in active_spans(samples, RATE, rule=MUSDB_ACTIVITY)) <= 1200
    # Power 4e-4 / peak² is above the lower minimum of MoisesDB; the loudest 85 % of chunks count.
    assert max(stop for _, stop in active_spans(samples, RATE, rule=MOISES_ACTIVITY)) == 2400


def test_level_of_the_whole_recording_does_not_matter():
    samples = np.concatenate([noise(8), noise(16, level=0.02, seed=1)])
    assert active_spans(samples * np.float32(1e-3), RATE) == active_spans(samples, RATE)


def test_any_sound_counts_for_ambiences():
    samples = np.zeros(2400, dtype=np.float32)
    samples[100] = 1.0
    assert active_spans(samples, RATE, rule=SOUNDING) == ((0, 800),)
    assert active_spans(samples, RATE) == ()


@pytest.mark.parametrize("rule", [MUSDB_ACTIVITY, MOISES_ACTIVITY, SOUNDING])
@pytest.mark.parametrize("n_samples", [1, 49, 51, 799, 800, 801, 1234])
def test_spans_lie_inside(rule, n_samples):
    spans = active_spans(noise(n_samples / RATE), RATE, rule=rule)
    assert spans
    assert all(0 <= start < stop <= n_samples for start, stop in spans)
