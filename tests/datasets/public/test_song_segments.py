from itertools import pairwise

import numpy as np
import pytest

from unbraid.datasets.public.dataset import Recording, Stem, Track
from unbraid.datasets.public.song_segments import cut_segments, is_silent, segments_of
from unbraid.errors import DatasetError


@pytest.mark.parametrize("seconds", [1, 59, 60, 61, 119, 120, 121, 300.5])
def test_segments_cover_a_song_and_none_but_the_last_is_longer_than_a_minute(seconds):
    rate = 22050
    n_samples = round(seconds * rate)
    segments = cut_segments(n_samples, rate)
    assert segments[0][0] == 0
    assert segments[-1][1] == n_samples
    assert all(stop == start for (_, stop), (start, _) in pairwise(segments))
    assert all(stop - start == 60 * rate for start, stop in segments[:-1])
    last = segments[-1][1] - segments[-1][0]
    assert last < 120 * rate
    assert last >= min(n_samples, 60 * rate)


def test_a_track_is_cut_at_its_own_rate(tmp_path):
    stem = Stem("a", "drums", (Recording(tmp_path / "a.wav", 8000, 8000 * 130, 1),))
    assert segments_of(Track("t", "musdb18", "test", (stem,))) == ((0, 480_000), (480_000, 1_040_000))


def test_nothing_is_not_cut():
    with pytest.raises(DatasetError, match="cannot be cut"):
        cut_segments(0, 22050)


def test_the_energy_of_the_published_rule_is_that_of_mono():
    at = np.sqrt(20 / 1000) * np.ones(1000)
    assert is_silent(at * 0.999)
    assert not is_silent(at * 1.001)
    assert not is_silent(np.stack([at, at]) * 1.001)
    assert is_silent(np.stack([at, -at]))
    assert is_silent(np.array([np.nan, 100.0]))
