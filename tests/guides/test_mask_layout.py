"""Paintings of any size come to lie where they belong, or are refused."""

import pytest
import torch

from unbraid.errors import GuideError
from unbraid.guides.mask_layout import fits, lay, stretch


def test_eighty_rows_are_on_the_grid():
    painting = torch.rand(80, 100, generator=torch.Generator().manual_seed(0))
    assert torch.equal(lay(painting, 100), painting)
    assert torch.equal(lay(painting, 90), painting[:, :90])
    longer = lay(painting, 110)
    assert torch.equal(longer[:, :100], painting)
    assert float(longer[:, 100:].abs().max()) == 0


@pytest.mark.parametrize("n_frames", [83, 117, 1000])
def test_eighty_rows_of_another_length_are_of_another_song(n_frames):
    with pytest.raises(GuideError, match=r"another song: it lasts 1\.58 s"):
        lay(torch.ones(80, 100), n_frames)


def test_changed_axes_are_told():
    with pytest.raises(GuideError, match="turn it"):
        lay(torch.ones(200, 80), 200)


def test_two_per_cent_are_taken():
    assert fits(5100, 5000)
    assert not fits(5101, 5000)


def test_other_sizes_are_stretched():
    painting = torch.zeros(8, 10)
    painting[2, 5] = 0.75
    laid = lay(painting, 100)
    expected = torch.zeros(80, 100)
    expected[20:30, 50:60] = 0.75
    torch.testing.assert_close(laid, expected)


def test_larger_ones_are_averaged():
    painting = torch.rand(160, 300, generator=torch.Generator().manual_seed(0))
    expected = painting.reshape(80, 2, 100, 3).mean(dim=(1, 3))
    torch.testing.assert_close(lay(painting, 100), expected)


def test_cells_that_are_cut_count_by_their_share():
    laid = stretch(torch.tensor([[1.0, 0.0, 1.0]]), 2)
    torch.testing.assert_close(laid[0], torch.tensor([2 / 3, 2 / 3]))


def test_behind_the_end_of_a_painting_is_nothing():
    laid = stretch(torch.ones(4, 4), 10, columns_per_frame=0.5)
    assert laid[0].tolist() == [1] * 8 + [0] * 2
