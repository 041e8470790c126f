"""Bands: the norm over features and frames, and masks in the order of the bins."""

from __future__ import annotations

import torch
from torch import nn

from unbraid.models.layers.bands import BandDecoder, BandNorm


def test_norm_is_the_formula_also_far_from_zero():
    norm = BandNorm(3, 4)
    nn.init.normal_(norm.gain)
    nn.init.normal_(norm.bias)
    x = torch.randn(2, 7, 3, 4) + torch.tensor([0.0, 100.0, -3.0])[:, None]
    variance, mean = torch.var_mean(x.double(), dim=(1, 3), keepdim=True, correction=0)
    expected = (x - mean) / (variance + 1e-5).sqrt() * norm.gain + norm.bias
    torch.testing.assert_close(norm(x), expected.float(), rtol=1e-3, atol=1e-4)


def test_masks_are_in_the_order_of_bins():
    decoder = BandDecoder((2, 2, 3), 4, expansion=2, n_outputs=2)
    x = torch.randn(1, 5, 3, 4)
    masks = decoder(x)
    assert masks.shape == (1, 2, 5, 7)
    assert masks.dtype == torch.complex64
    changed = x.clone()
    changed[:, :, 1] = torch.randn(1, 5, 4)  # the second band: bins 2 and 3
    moved = (decoder(changed) - masks).abs().amax(dim=(0, 2)) > 1e-6  # [S, F]
    assert moved.tolist() == [[False, False, True, True, False, False, False]] * 2


def test_real_and_imaginary_parts_of_a_mask():
    decoder = BandDecoder((2,), 4, expansion=2, n_outputs=1)
    run = decoder.runs[0]
    with torch.no_grad():
        run.third.weight.zero_()
        run.third.bias.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0, 50.0, 50.0, 50.0, 50.0]))  # values, then open gates
    torch.testing.assert_close(decoder(torch.randn(1, 1, 1, 4)).flatten(), torch.tensor([1 + 3j, 2 + 4j]))
