"""The search of InstGlow: what it finds, what it leaves alone, when it ends, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from unbraid.errors import Cancelled, ModelError, SettingsError
from unbraid.models.instglow_network import Prior, PriorConfig
from unbraid.models.instglow_search import (
    FIRST_MASKED,
    PATIENCE,
    SEARCHES,
    SearchConfig,
    misfit,
    read_search,
    search,
)

CONFIG = PriorConfig(n_fft=16, hop_length=4, n_channels=10, n_blocks=1, n_hidden=4, kernel_size=3, n_layers=2)


def make(bins: slice, *, seed: int = 0) -> Prior:
    """Build a prior of sounds that are in some bins: loud there, and almost silent elsewhere."""
    torch.manual_seed(seed)
    prior = Prior(CONFIG)
    for block in prior.blocks:
        torch.nn.init.eye_(block.mix.weight)
        torch.nn.init.normal_(block.coupling.last.weight, std=0.01)
    with torch.no_grad():
        norm = prior.blocks[0].norm
        loud = torch.zeros(CONFIG.n_channels)
        loud[bins] = 1
        loud = loud.repeat(CONFIG.n_squeeze)[None, :, None]
        norm.log_scale.copy_(6 * (1 - loud))
        norm.bias.copy_(-loud)
    return prior


@pytest.fixture
def priors() -> dict[str, Prior]:
    return {"low": make(slice(0, 5)), "high": make(slice(5, 9), seed=1)}


@pytest.fixture(scope="module")
def mixture() -> Tensor:
    return torch.rand(2, 9, 7, generator=torch.Generator().manual_seed(0)) + 0.2


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ["mle", "map"])
def test_sources_go_where_their_priors_are(priors, mixture, name):
    config = replace(SEARCHES[name], learning_rate=0.05, n_iterations=50)
    found = search(priors, mixture, config=config, generator=seeded())
    assert found.sources.shape == found.latents.shape == (2, 2, 10, 6)
    assert len(found.objectives) == 50
    assert found.objectives[-1] < 0.02 * found.objectives[0]
    low, high = found.sources[:, 0], found.sources[:, 1]
    torch.testing.assert_close(low[:, :5], mixture[:, :5, :6], atol=0.1, rtol=0)
    torch.testing.assert_close(high[:, 5:9], mixture[:, 5:, :6], atol=0.1, rtol=0)
    assert bool((low[:, 5:9].abs().max() < 0.05) & (high[:, :5].abs().max() < 0.05))


def test_sources_are_what_the_latents_stand_for(priors, mixture):
    found = search(priors, mixture, config=SearchConfig(n_iterations=5))
    for number, prior in enumerate(priors.values()):
        source, _ = prior.eval().inverse(found.latents[:, number])
        torch.testing.assert_close(found.sources[:, number], source.detach())


def test_a_prior_that_weighs_more_keeps_latents_shorter(priors, mixture):
    energies = []
    for weight in (0.0, 0.1, 10.0):
        config = replace(SEARCHES["map-latent"], prior_weight=weight, spread=0.0, learning_rate=0.05, n_iterations=20)
        energies.append(float(search(priors, mixture, config=config).latents.square().mean()))
    assert energies[0] > 1.1 * energies[1] > 1.21 * energies[2]


def test_the_objective_in_data_space_is_a_likelihood(priors, mixture):
    config = SearchConfig(data_weight=0.0, prior_weight=1.0, space="data", spread=1.0, n_iterations=1)
    found = search(priors, mixture, config=config, generator=seeded())
    features, expected = found.sources, 0.0
    for number, prior in enumerate(priors.values()):
        one = prior(features[:, number])
        energy = 0.5 * one.values.square().sum(dim=(1, 2)) - one.log_determinant
        expected += float(energy.detach().mean()) / one.values[0].numel() + 0.9189385
    assert found.objectives[0] == pytest.approx(expected, rel=1e-4)


def test_windows_do_not_disturb_each_other(priors, mixture):
    config = SearchConfig(n_iterations=20)
    together = search(priors, mixture, config=config).sources
    for number in range(2):
        alone = search(priors, mixture[number : number + 1], config=config).sources
        torch.testing.assert_close(together[number], alone[0], atol=1e-3, rtol=1e-3)


def test_nothing_is_modified(priors, mixture):
    priors["low"].blocks[0].norm.bias.requires_grad_(requires_grad=False)
    priors["high"].eval()
    copies = {name: {key: value.clone() for key, value in prior.state_dict().items()} for name, prior in priors.items()}
    given, start = mixture.clone(), torch.full((2, 2, 10, 6), 0.1)
    search(priors, given, config=SearchConfig(n_iterations=3), start=start)
    assert torch.equal(given, mixture)
    assert bool((start == 0.1).all())
    for name, prior in priors.items():
        assert all(torch.equal(value, copies[name][key]) for key, value in prior.state_dict().items())
    assert priors["low"].training
    assert not priors["high"].training
    frozen = [key for key, weight in priors["low"].named_parameters() if not weight.requires_grad]
    assert frozen == ["blocks.0.norm.bias"]
    assert all(weight.grad is None for weight in priors["low"].parameters())


def test_it_works_where_nobody_asks_for_gradients(priors, mixture):
    expected = search(priors, mixture, config=SearchConfig(n_iterations=5)).sources
    with torch.inference_mode():
        found = search(priors, mixture + 0, config=SearchConfig(n_iterations=5)).sources
    assert torch.equal(found, expected)


def test_products_may_be_in_bfloat16(priors, mixture):
    config = SearchConfig(n_iterations=20)
    wide = search(priors, mixture, config=config)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrow = search(priors, mixture, config=config)
    assert narrow.sources.dtype == torch.float32
    assert not torch.equal(narrow.sources, wide.sources)
    assert narrow.objectives[-1] == pytest.approx(wide.objectives[-1], rel=0.02)
    assert float((narrow.sources - wide.sources).norm() / wide.sources.norm()) < 0.02


def test_memory_for_one_prior_brings_the_same(priors, mixture):
    for name in ("mle", "map"):
        config = replace(SEARCHES[name], n_iterations=4)
        plain, frugal = (
            search(priors, mixture, config=replace(config, recompute=recompute), generator=seeded())
            for recompute in (False, True)
        )
        assert torch.equal(frugal.sources, plain.sources)


def test_steps_grow_smaller_along_half_a_cosine(priors, mixture):
    config = SearchConfig(learning_rate=0.05, slowing=0.1, n_iterations=5)
    assert [round(config.pace(number), 4) for number in range(5)] == [1.0, 0.8682, 0.55, 0.2318, 0.1]
    seen = []
    search(priors, mixture, config=config, watch=lambda now: seen.append(now.latents))
    steps = [float((after - before).abs().median()) for before, after in pairwise(seen)]
    assert steps == sorted(steps, reverse=True)
    assert steps[0] == pytest.approx(0.05, rel=0.01)  # the first step of Adam


def test_a_power_lets_quiet_bins_count():
    heard = torch.tensor([1.0, 0.01]).view(1, 2, 1)
    for power, ratio in ((1.0, 1.0), (0.5, 10.0)):
        data, total, gradient = misfit(2 * heard[None], heard, None, power=power, n_bins=2)
        assert total.flatten().tolist() == pytest.approx([2.0, 0.02], rel=1e-5)
        assert float(data) > 0
        assert float(gradient[0, 0, 1] / gradient[0, 0, 0]) == pytest.approx(ratio, rel=1e-3)


def test_it_can_begin_where_another_ended(priors, mixture):
    first = search(priors, mixture, config=SearchConfig(n_iterations=100))
    second = search(priors, mixture, config=SearchConfig(n_iterations=2), start=first.latents)
    assert second.objectives[0] == pytest.approx(first.objectives[-1], rel=1e-3)


def test_draws_follow_their_seed(priors, mixture):
    config = SearchConfig(spread=0.5, n_iterations=1)
    one, same, other = (search(priors, mixture, config=config, generator=seeded(seed)).latents for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert float(one.std()) == pytest.approx(0.5, rel=0.1)


def test_it_ends_when_nothing_changes(priors, mixture):
    config = replace(SEARCHES["mle"], learning_rate=0.03, n_iterations=100)
    whole = search(priors, mixture, config=config)
    early = search(priors, mixture, config=replace(config, tolerance=2e-4))
    assert 10 < len(early.objectives) < 80
    difference = (early.sources - whole.sources)[:, :, :9]
    assert float(difference.norm() / whole.sources.norm()) < 0.1


def test_a_search_by_curvature_ends_early_and_finds_the_same(priors, mixture):
    config = SEARCHES["curvature"]
    whole = search(priors, mixture, config=replace(config, tolerance=0.0))
    early = search(priors, mixture, config=config)
    assert len(early.objectives) < len(whole.objectives) == config.n_iterations
    assert float((early.sources - whole.sources)[:, :, :9].norm() / whole.sources.norm()) < 0.05


@pytest.mark.parametrize("name", ["default", "curvature"])
def test_what_was_heard_before_ends_sooner(priors, mixture, name):
    config = SEARCHES[name]
    cold = search(priors, mixture, config=config)
    warm = search(priors, mixture, config=config, start=cold.latents)
    assert PATIENCE < len(warm.objectives) < 0.8 * len(cold.objectives)
    assert warm.objectives[-1] < cold.objectives[-1] + 1e-5 * cold.objectives[0]


def test_curvature_needs_fewer_iterations(priors, mixture):
    published = search(priors, mixture, config=replace(SEARCHES["mle"], n_iterations=150))
    config = replace(SEARCHES["curvature"], tolerance=0.0, slowing=1.0)
    assert search(priors, mixture, config=config).objectives[-1] < published.objectives[-1]


def test_every_iteration_is_told(priors, mixture):
    seen = []

    def watch(progress):
        seen.append((progress.iteration, progress.objective))
        if progress.iteration == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        search(priors, mixture, config=SearchConfig(), watch=watch)
    assert [iteration for iteration, _ in seen] == [0, 1, 2, 3]
    assert seen[3][1] < seen[0][1]
    assert all(weight.requires_grad for prior in priors.values() for weight in prior.parameters())


def test_quiet_sources_are_made_quieter(priors, mixture):
    config = SearchConfig(n_iterations=FIRST_MASKED + 1)
    for scale, is_quieter in ((10.0, True), (0.01, False)):  # of the mixture; the sources begin at the same loudness
        plain, masked = (
            search(priors, scale * mixture, config=replace(config, masked=masked)).sources for masked in (False, True)
        )
        ratio = plain.sum(dim=2, keepdim=True) / (scale * mixture[:, None, :, :6]).sum(dim=2, keepdim=True)
        assert bool((ratio < 1).all()) == is_quieter
        torch.testing.assert_close(masked, plain * ratio.clamp_max(1), atol=1e-5, rtol=1e-3)


def test_wiener_sources_add_up_to_the_mixture(priors, mixture):
    found = search(priors, mixture, config=SearchConfig(n_iterations=5, wiener=True))
    torch.testing.assert_close(found.sources.sum(dim=1)[:, :9], mixture[..., :6], atol=1e-4, rtol=1e-4)


def test_a_search_that_diverges_says_where(priors, mixture):
    with torch.no_grad():
        priors["high"].blocks[0].norm.log_scale.fill_(-1000.0)
    with pytest.raises(ModelError, match=r"diverged at the source high in iteration 1: use a lower"):
        search(priors, mixture, config=SearchConfig(spread=0.1))
    assert all(weight.requires_grad for weight in priors["high"].parameters())


def test_priors_must_hear_the_same(priors, mixture):
    with pytest.raises(ModelError, match="needs at least one prior"):
        search({}, mixture, config=SearchConfig())
    other = Prior(replace(CONFIG, sample_rate=44100))
    with pytest.raises(ModelError, match=r"'low' and 'other' hear different spectrograms .* \(44100, 16"):
        search({**priors, "other": other}, mixture, config=SearchConfig())
    wider = Prior(replace(CONFIG, n_blocks=1, n_hidden=6))
    assert search({**priors, "other": wider}, mixture, config=SearchConfig(n_iterations=1)).sources.shape[1] == 3


def test_shapes_must_fit(priors, mixture):
    with pytest.raises(ModelError, match=r"start from latents of shape \(2, 2, 10, 6\), not \(1, 2, 10, 6\)"):
        search(priors, mixture, config=SearchConfig(), start=torch.zeros(1, 2, 10, 6))
    with pytest.raises(ModelError, match=r"takes \[B, 9, T\]"):
        search(priors, mixture[:, 1:], config=SearchConfig())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"space": "time"}, "space must be one of latent, data"),
        ({"prior_weight": -1.0}, "prior_weight"),
        ({"spread": float("nan")}, "spread"),
        ({"tolerance": float("inf")}, "tolerance"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"n_iterations": 0}, "n_iterations"),
        ({"memory": -1}, "memory -1 is out of range"),
        ({"power": 0.0}, "power 0.0 and slowing 1.0 must be parts of 1"),
        ({"slowing": 1.5}, "slowing 1.5"),
        ({"exponent": 0.0}, "exponent 0.0 is out of range"),
        ({"anchor": 1.5}, "anchor 1.5 is out of range"),
    ],
)
def test_impossible_settings_are_refused(values, words):
    with pytest.raises(SettingsError, match=words):
        SearchConfig(**values)


def test_settings_follow_the_name_of_a_search():
    assert read_search("quick") == SEARCHES["quick"]
    changed = read_search("map,space=latent,masked=true,memory=3,prior_weight=1e-2")
    assert changed == replace(SEARCHES["map"], space="latent", masked=True, memory=3, prior_weight=0.01)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no such search, only default"),
        ("n_iterations=5", "there is no such search, only default"),
        ("mle,", "no setting '', only prior_weight, space"),
        ("mle,gamma=1", "no setting 'gamma', only prior_weight"),
        ("mle,n_iterations", "'n_iterations' gives no value: write it such as n_iterations=150"),
        ("mle,n_iterations=5.5", "'n_iterations=5.5' gives no value"),
        ("mle,wiener=1", "write it such as wiener=false"),
        ("mle,n_iterations=0", "n_iterations at least 1"),
        ("mle,spread=nan", "spread nan is out of range"),
    ],
)
def test_other_words_for_a_search_are_refused(text, words):
    with pytest.raises(SettingsError, match=words):
        read_search(text)
