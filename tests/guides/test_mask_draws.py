"""Masks for training: drawn, rendered, replayed, against the vectors of the published implementation."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from unbraid.errors import GuideError
from unbraid.guides.mask_draws import MaskDraw, draw_mask, simulate_mask
from unbraid.guides.mask_grid import blur, hear_mel
from unbraid.guides.pseudo_masks import to_one

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "guidesep" / "frontend.safetensors"
MEL = torch.rand(80, 64, generator=torch.Generator().manual_seed(0)) ** 6


@dataclass(frozen=True)
class OrderedDraw(MaskDraw):
    """A draw whose order is given."""

    given: tuple[int, ...] = ()

    def order(self, n_bins: int) -> Tensor:
        assert n_bins == len(self.given)
        return torch.tensor(self.given)


@pytest.mark.skipif(not GOLDEN.exists(), reason="the vectors of the published implementation are not here")
def test_golden_mask():
    content = load_file(GOLDEN)
    share, sigma = float(content["in.sim_drop_frac"]), float(content["in.sim_sigma"])
    draw = OrderedDraw(0.12, share, sigma, 0, tuple(content["in.sim_order"].tolist()))
    mask = simulate_mask(hear_mel(content["in.wav"])[0], draw)
    torch.testing.assert_close(mask, content["out.sim_mask"], atol=1e-6, rtol=1e-5)


def test_patches_of_four_by_four_are_missing_also_at_the_borders():
    draw = OrderedDraw(0.5, 2 / 6400, 0.1, 0, (0, 40 * 80 + 50, *range(1, 40 * 80 + 50), *range(40 * 80 + 51, 6400)))
    mask = simulate_mask(torch.ones(80, 80), draw)
    expected = torch.ones(80, 80)
    expected[0:2, 0:2] = 0
    expected[38:42, 48:52] = 0
    torch.testing.assert_close(mask, expected)


def test_without_patches_it_is_the_blurred_outline():
    mask = simulate_mask(MEL, MaskDraw(0.12, 0.0, 4.5, 7))
    torch.testing.assert_close(mask, to_one(blur((MEL / MEL.max() > 0.12).float(), 4.5)))


def test_the_same_draw_makes_the_same_mask_at_any_level():
    draw = draw_mask(torch.Generator().manual_seed(3))
    again = MaskDraw.from_json(draw.to_json())
    assert again == draw
    assert torch.equal(simulate_mask(MEL, draw), simulate_mask(MEL, again))
    torch.testing.assert_close(simulate_mask(MEL, draw), simulate_mask(4 * MEL, draw))
    other = MaskDraw(draw.threshold, draw.share, draw.sigma, draw.seed + 1)
    assert not torch.equal(simulate_mask(MEL, draw), simulate_mask(MEL, other))
    assert float(simulate_mask(torch.zeros(80, 64), draw).abs().max()) == 0


def test_draws_cover_the_published_ranges():
    generator = torch.Generator().manual_seed(0)
    draws = [draw_mask(generator) for _ in range(400)]
    shares, sigmas = ([getattr(draw, name) for draw in draws] for name in ("share", "sigma"))
    assert (min(shares), max(shares)) == pytest.approx((0, 0.4), abs=0.01)
    assert (min(sigmas), max(sigmas)) == pytest.approx((4, 6), abs=0.05)
    assert len({draw.seed for draw in draws}) == 400
    assert {draw.threshold for draw in draws} == {0.12}
    assert draw_mask(generator, negative=True).threshold == 0.10


@pytest.mark.parametrize("text", ["", "[]", '{"threshold": 1}', '{"threshold": 2, "share": 0, "sigma": 4, "seed": 0}'])
def test_what_is_no_draw(text):
    with pytest.raises(GuideError):
        MaskDraw.from_json(text)
