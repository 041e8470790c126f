import numpy as np
import pytest
import torch

from unbraid.datasets.song_windows import SongWindows
from unbraid.datasets.stem_mixing import LABELS, StemSettings
from unbraid.datasets.track import SourcePool
from unbraid.errors import DatasetError

SETTINGS = StemSettings(sample_rate=8000, n_samples=2000)


@pytest.fixture
def songs(source) -> SourcePool:
    """A song of 4500 samples with two guitars, and one of 1000 samples that has drums alone."""
    names = [*LABELS, "other-2"]
    rng = np.random.default_rng(0)
    stems = [source(name, name.split("-")[0], rng.standard_normal((2, 4500)), track="long") for name in names]
    return SourcePool([*stems, source("beat", "drums", rng.standard_normal((1, 1000)), track="short")])


def test_cores_follow_one_another_between_zeros(songs):
    windows = SongWindows(songs, SETTINGS, trim=300)
    assert len(windows) == 4 + 1  # cores of 1400 in 4500 and in 1000 samples
    cores = torch.cat([window.references[0, :, :, 300:-300] for window in windows[:4]], dim=-1)
    for window in windows:
        assert window.mixture.shape == (1, 2, 2000)
        assert window.labels == [LABELS]
        assert not window.mixture[..., :300].any()
        assert not window.mixture[..., -300:].any()
        torch.testing.assert_close(window.references.sum(dim=1), window.mixture)
        assert torch.equal(window.queries, window.references)
    assert not cores[..., 4500:].any()
    for index, label in enumerate(LABELS[:3]):
        for channel in range(2):
            np.testing.assert_array_equal(cores[index, channel, :4500], songs[label].read(0, 4500, channel))
    guitars = sum(torch.from_numpy(songs[name].read(0, 4500)) for name in ("other", "other-2"))
    torch.testing.assert_close(cores[3, 0, :4500], guitars)


def test_stems_that_a_song_lacks_are_silent(songs):
    references = SongWindows(songs, SETTINGS, trim=300)[4].references[0]
    assert references.abs().amax(dim=(1, 2)).gt(0).tolist() == [False, True, False, False]
    assert torch.equal(references[1, 0], references[1, 1])  # one channel stands in the middle


def test_a_part_of_the_windows_is_evenly_spread(songs):
    every, some = SongWindows(songs, SETTINGS, trim=300), SongWindows(songs, SETTINGS, trim=300, per_song=2)
    assert len(some) == 3
    for one, index in zip(some, (0, 2, 4), strict=True):
        assert torch.equal(one.mixture, every[index].mixture)


def test_songs_that_lack_stems_can_be_left_out(songs):
    assert len(SongWindows(songs, SETTINGS, trim=300, min_labels=2)) == 4


def test_the_published_layout():
    assert (StemSettings().n_samples - 2 * SongWindows.trim) == 119808


def test_songs_without_stems_are_an_error(source):
    with pytest.raises(DatasetError, match="no song has 1 or more of vocals"):
        SongWindows(SourcePool([source("a", "sfx")]), SETTINGS)
