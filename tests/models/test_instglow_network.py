"""The prior of InstGlow: sizes, invertibility, determinants, first scales, and learning."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import pytest
import torch
from torch import Tensor

from unbraid.audio.stft import Stft
from unbraid.errors import ModelError
from unbraid.models.instglow_network import (
    PRIORS,
    Latents,
    Prior,
    PriorConfig,
    check_weights,
    negative_log_likelihood,
)

TINY = PriorConfig(n_fft=8, hop_length=2, n_channels=6, n_blocks=2, n_hidden=4, kernel_size=3, n_layers=2, dropout=0.0)


def make(config: PriorConfig, *, spread: float = 0.1) -> Prior:
    """Build a prior whose couplings are not the identity, as they are before training."""
    torch.manual_seed(0)
    prior = Prior(config).eval()
    for block in prior.blocks:
        torch.nn.init.normal_(block.coupling.last.weight, std=spread)
    return prior


def notes(config: PriorConfig, n_samples: int) -> Tensor:
    """Return features of plucked notes with overtones, and a little noise."""
    time = torch.arange(n_samples) / config.sample_rate
    sound = 1e-3 * torch.randn(n_samples, generator=torch.Generator().manual_seed(0))
    for number, pitch in enumerate((110.0, 164.8, 220.0, 329.6)):
        begun = (time - 0.2 * number).clamp_min(0)
        for overtone in range(1, 12):
            sound += 0.2 / overtone * torch.sin(2 * math.pi * pitch * overtone * begun) * (-4 * begun).exp()
    spectrogram = Stft(config.n_fft, config.hop_length, window="hann", reflect=True)(sound[None])
    return torch.nn.functional.pad(spectrogram.abs(), (0, -(spectrogram.shape[-1] % 2), 0, 1))


@pytest.mark.parametrize(
    ("config", "expected"),
    [(PRIORS["published"], 11_695_440), (replace(PRIORS["published"], n_hidden=192), 24_454_992)],
)
def test_published_sizes(config, expected):
    with torch.device("meta"):
        assert sum(weight.numel() for weight in Prior(config).parameters()) == expected


@pytest.mark.parametrize(("name", "limit"), [("small", 2e6), ("debug", 1e4)])
def test_own_sizes(name, limit):
    assert sum(weight.numel() for weight in Prior(PRIORS[name]).parameters()) < limit


@pytest.mark.parametrize("name", PRIORS)
def test_configs_come_back_from_json(name):
    assert PriorConfig.from_dict(json.loads(json.dumps(asdict(PRIORS[name])))) == PRIORS[name]


def test_other_configs_are_refused():
    with pytest.raises(ModelError, match="not the config of a prior"):
        PriorConfig.from_dict({"flux": 1})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"n_blocks": 0}, "n_blocks of a prior must be a whole number above 0, got 0"),
        ({"n_fft": 1023}, "must be even"),
        ({"hop_length": 600}, "at least 2 hops"),
        ({"n_channels": 512}, "do not hold the 513 bins"),
        ({"n_split": 3}, "n_split 3"),
        ({"n_split": 8}, "n_split 8"),
        ({"kernel_size": 4}, "odd"),
        ({"dropout": 1.0}, "below 1"),
    ],
)
def test_impossible_configs_are_refused(values, words):
    with pytest.raises(ModelError, match=words):
        PriorConfig(**values)


@pytest.mark.parametrize("name", PRIORS)
def test_invertible_on_sounds(name):
    prior = make(PRIORS[name])
    features = notes(prior.config, 60 * prior.config.hop_length)
    prior.initialize(features)
    with torch.no_grad():
        latents = prior(features)
        restored, log_determinant = prior.inverse(latents.values)
    assert float((restored - features).abs().max() / features.abs().max()) < 1e-4
    torch.testing.assert_close(log_determinant, -latents.log_determinant, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize(
    "changes", [{}, {"n_squeeze": 1, "n_split": 2}, {"n_squeeze": 3, "n_split": 6, "sigmoid_scale": True}]
)
def test_determinant(changes):
    prior = make(replace(TINY, **changes), spread=0.5)
    features = torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(1))
    prior.initialize(features)
    jacobian = torch.autograd.functional.jacobian(lambda x: prior(x).values, features).reshape(36, 36)
    expected = torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(prior(features).log_determinant[0], expected, rtol=1e-3, atol=1e-3)


def test_padding_changes_nothing():
    prior = make(TINY)
    features = torch.rand(2, 6, 9, generator=torch.Generator().manual_seed(1))
    latents = prior(features, torch.tensor([9, 5]))
    alone = prior(features[1:, :, :5])
    assert latents.mask is not None
    assert latents.mask.sum(dim=(1, 2)).tolist() == [8, 4]
    torch.testing.assert_close(latents.values[1:, :, :4], alone.values)
    torch.testing.assert_close(latents.log_determinant[1:], alone.log_determinant)
    both = prior(features[:, :, :5])
    likelihood = negative_log_likelihood(prior(features, torch.tensor([5, 4])))
    torch.testing.assert_close(likelihood, negative_log_likelihood(Latents(*both[:2], None)))
    restored, _ = prior.inverse(latents.values, torch.tensor([9, 5]))
    torch.testing.assert_close(restored, features[..., :8] * latents.mask, atol=1e-5, rtol=1e-4)


def test_likelihood_is_that_of_a_gaussian():
    prior = Prior(TINY)
    for block in prior.blocks:
        torch.nn.init.eye_(block.mix.weight)
    with torch.no_grad():
        prior.blocks[0].norm.bias.fill_(-2.0)
        prior.blocks[1].norm.log_scale.fill_(math.log(2.0))
    features = torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(1))
    expected = -torch.distributions.Normal(2.0, 0.5).log_prob(features).mean()
    torch.testing.assert_close(negative_log_likelihood(prior(features)), expected)


def test_first_scales_whiten_every_block():
    prior = make(PRIORS["debug"])
    features = notes(prior.config, 600)
    before = negative_log_likelihood(prior(features))
    prior.initialize(features)
    assert negative_log_likelihood(prior(features)) < before
    x = torch.cat([features[..., 0::2], features[..., 1::2]], dim=1)
    for block in prior.blocks:
        normed = block.norm(x, None)[0]
        torch.testing.assert_close(normed.mean(dim=(0, 2)), torch.zeros(68), atol=1e-3, rtol=0)
        x = block(x, None)[0]


def test_it_learns():
    torch.manual_seed(0)
    prior = Prior(replace(PRIORS["debug"], dropout=0.0))
    features = notes(prior.config, 1200)
    prior.initialize(features)
    optimizer = torch.optim.Adam(prior.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        loss = negative_log_likelihood(prior(features))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().item())
    assert losses[-1] < losses[0] - 0.3
    assert all(weight.grad is not None and bool(weight.grad.isfinite().all()) for weight in prior.parameters())


def test_recomputing_gives_the_same_gradients():
    prior, gradients = make(TINY), []
    for recompute in (False, True):
        latents = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
        features, log_determinant = prior.inverse(latents, recompute=recompute)
        gradients.append(torch.autograd.grad(features.square().sum() + log_determinant.sum(), latents)[0])
    torch.testing.assert_close(*gradients)


def test_features_of_magnitudes():
    prior = Prior(TINY)
    features = prior.features(torch.ones(2, 5, 7))
    assert features.shape == (2, 6, 6)
    assert not features[:, 5].any()
    for shape in ((2, 6, 7), (2, 5, 1)):
        with pytest.raises(ModelError, match="takes"):
            prior.features(torch.ones(shape))
    for shape in ((2, 5, 8), (2, 6, 1), (6, 8)):
        with pytest.raises(ModelError, match="a prior takes"):
            prior(torch.ones(shape))


def test_draws_follow_their_seed():
    prior = make(TINY)
    one, same, other = (prior.draw(9, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert one.shape == (1, 6, 8)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    middle, _ = prior.inverse(torch.zeros(1, 6, 8))
    torch.testing.assert_close(prior.draw(8, temperature=0.0), middle.detach())


def untrained() -> Prior:
    torch.manual_seed(0)
    prior = Prior(PRIORS["debug"]).eval()
    for block in prior.blocks:
        torch.nn.init.normal_(block.norm.bias)
        torch.nn.init.normal_(block.coupling.last.weight, std=0.1)
    return prior


@torch.no_grad()
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda prior: prior.blocks[0].norm.log_scale.sub_(10), "far louder than any recording"),
        (lambda prior: prior.blocks[1].norm.bias.add_(1e4), "far louder than any recording"),
        (lambda prior: prior.blocks[0].mix.weight.mul_(1e-4), "far louder than any recording"),
        (lambda prior: prior.blocks[0].coupling.last.weight.fill_(math.nan), "no finite number"),
        (
            lambda prior: (prior.blocks[0].norm.bias.fill_(1e8), prior.blocks[0].norm.log_scale.fill_(25)),
            "other latents",
        ),
    ],
)
def test_weights_that_make_no_prior_are_refused(spoil, words):
    prior = untrained()
    check_weights(prior, "kazoo")
    spoil(prior)
    with pytest.raises(ModelError, match=f"the prior of 'kazoo' is damaged: .*{words}.*: get its file again"):
        check_weights(prior, "kazoo")
