"""The decoder of a prior: the same way as `Prior.inverse`, and the gradient of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from unbraid.models.instglow_decoder import Decoder
from unbraid.models.instglow_network import Prior, PriorConfig

PLAIN = PriorConfig(n_fft=16, hop_length=4, n_channels=10, n_blocks=2, n_hidden=4, kernel_size=5, n_layers=2)
CONFIGS = {
    "plain": PLAIN,
    "sigmoid": replace(PLAIN, sigmoid_scale=True, n_layers=1),
    "other groups": replace(PLAIN, n_channels=12, n_squeeze=3, n_split=6),
    "dilated beyond the ends": replace(PLAIN, kernel_size=3, dilation_base=4, n_layers=3),
}


def make(config: PriorConfig) -> Prior:
    torch.manual_seed(0)
    prior = Prior(config).eval()
    for block in prior.blocks:
        for weight in (block.coupling.last.weight, block.norm.log_scale, block.norm.bias):
            torch.nn.init.normal_(weight, std=0.2)
    return prior


@pytest.mark.parametrize("name", CONFIGS)
def test_it_goes_the_way_of_the_prior_and_back(name):
    config = CONFIGS[name]
    prior = make(config)
    latents = torch.randn(2, config.n_channels, 12, requires_grad=True)
    features, determinant = prior.inverse(latents)
    towards = torch.randn_like(features)
    (expected,) = torch.autograd.grad((features * towards).sum() + 0.3 * determinant.sum(), latents)
    decoder = Decoder(prior)
    tape = decoder.tape(2, 12 // config.n_squeeze)
    for _ in range(2):  # memory is used again
        found, stretch = decoder.decode(decoder.arrange(latents.detach()), tape)
        torch.testing.assert_close(found, features.detach(), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(stretch, determinant.detach(), atol=1e-4, rtol=1e-4)
        gradient = decoder.restore(decoder.gradient(towards, tape, determinant=0.3))
        torch.testing.assert_close(gradient, expected, atol=1e-5, rtol=1e-4)


def test_layouts_come_back():
    decoder = Decoder(make(PLAIN))
    values = torch.randn(2, 10, 6)
    assert torch.equal(decoder.restore(decoder.arrange(values)), values)


def test_without_a_way_back_less_memory_will_do():
    decoder = Decoder(make(PLAIN))
    latents = decoder.arrange(torch.randn(1, 10, 6))
    whole, short = decoder.tape(1, 3), decoder.tape(1, 3, keep=False)
    assert (len(whole.steps), len(short.steps)) == (2, 1)
    assert torch.equal(decoder.decode(latents, whole)[0], decoder.decode(latents, short)[0])


def test_products_in_bfloat16_are_close():
    prior = make(replace(PLAIN, n_blocks=4))
    latents, towards = torch.randn(1, 10, 40), torch.randn(1, 10, 40)
    answers = []
    for dtype in (torch.float32, torch.bfloat16):
        decoder = Decoder(prior, dtype)
        tape = decoder.tape(1, 20)
        features, _ = decoder.decode(decoder.arrange(latents), tape)
        answers.append((features, decoder.gradient(towards, tape).clone()))
    for wide, narrow in zip(*answers, strict=True):
        assert narrow.dtype == torch.float32
        assert 0 < float((narrow - wide).norm() / wide.norm()) < 0.02


def test_later_weights_are_those_of_a_new_decoder():
    prior = make(PLAIN)
    before = Decoder(prior)
    with torch.no_grad():
        prior.blocks[0].norm.bias.add_(1.0)
    latents = before.arrange(torch.randn(1, 10, 6))
    old, new = (one.decode(latents, one.tape(1, 3))[0] for one in (before, Decoder(prior)))
    assert not torch.allclose(old, new)
