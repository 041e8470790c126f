"""The recipes of LaSAFT: published numbers, and what their variants change."""

import math
from pathlib import Path

import pytest
import torch

from unbraid.audio.signal import Audio
from unbraid.datasets.draws import ChannelChoice
from unbraid.datasets.pack import PackWriter
from unbraid.datasets.stem_mixing import LABELS
from unbraid.training.recipe import load_recipe
from unbraid.training.stopping import Patience

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="module")
def noise(tmp_path_factory) -> Path:
    """Sixteen songs of seven seconds of noise in one pack."""
    folder = tmp_path_factory.mktemp("packs")
    audio = Audio(0.1 * torch.randn(2, 300_000, generator=torch.Generator().manual_seed(0)), 44100)
    with PackWriter(folder / "songs", channel=ChannelChoice.RANDOM) as writer:
        for song in range(16):
            for label in LABELS:
                writer.add(f"{song}/{label}", audio, prompt=label, track=f"{song}")
    return folder


@pytest.fixture
def packs(noise, monkeypatch) -> Path:
    """The pack, where the recipes look for it."""
    monkeypatch.setenv("UNBRAID_PACKS", str(noise))
    return noise


def test_published_settings():
    small, large, v1 = (load_recipe(RECIPES / f"lasaft_{name}.py") for name in ("small", "large", "v1"))
    assert [recipe.schedule.learning_rate(10**6) for recipe in (small, large, v1)] == [5e-4, 1e-4, 1e-3]
    assert all(recipe.schedule.learning_rate(0) == recipe.schedule.peak for recipe in (small, large, v1))
    assert all(recipe.clip == math.inf and recipe.optimizer.weight_decay == 0 for recipe in (small, large, v1))
    assert (small.steps, large.steps, small.seed) == (1_292_000, 2_000_000, 2021)
    assert (v1.schedule.plateau.factor, v1.schedule.plateau.patience) == (0.5, 50)
    assert all(recipe.average is None for recipe in (small, large, v1))
    assert all(recipe.patience == Patience(epochs=300, min_delta=0.05) for recipe in (small, large, v1))
    assert (small.epoch_steps, v1.epoch_steps) == (32_300, 3_230)


def test_published_batches(packs):
    small, large = (load_recipe(RECIPES / f"lasaft_{name}.py") for name in ("small", "large"))
    batch = small.batches()[0]
    assert batch.mixture.shape == (8, 2, 130048)
    assert large.batches().batch_size == 4
    draws = small.batches().draw(0)
    assert all(stem.gain_db == 0 and not stem.swapped for draw in draws for stem in draw.stems)
    window = small.validation.datasets()["songs"][0]
    assert not window.mixture[..., :5120].any()


def test_the_recipe_that_ships_draws_what_it_says(packs, monkeypatch):
    monkeypatch.setenv("UNBRAID_MINUTES", "7")
    recipe = load_recipe(RECIPES / "lasaft_light.py")
    assert recipe.schedule.is_over(0, seconds=420)
    assert recipe.model().config.presence
    batches = [recipe.batches()[index] for index in range(8)]
    assert any(not batch.references.any(dim=-1).any(dim=-1).all() for batch in batches)
    assert {label for batch in batches for row in batch.labels for label in row} == set(LABELS)
    assert recipe.validation.datasets()["songs"][0].references.shape[1] == 4


@pytest.mark.parametrize(("variant", "n_weights"), [("none", 2_347_684), ("v1", 8_424_028), ("latent-4", 1_435_390)])
def test_variants(monkeypatch, variant, n_weights):
    monkeypatch.setenv("UNBRAID_VARIANT", variant)
    recipe = load_recipe(RECIPES / "lasaft_ablation.py")
    assert sum(weight.numel() for weight in recipe.model().parameters()) == pytest.approx(n_weights, rel=0.01)
    assert recipe.schedule.peak == (5e-4 if variant == "latent-4" else 1e-3)


def test_short_transforms_have_short_windows(packs, monkeypatch):
    monkeypatch.setenv("UNBRAID_VARIANT", "fft-512")
    monkeypatch.setenv("UNBRAID_BASE", "lasaft_light")
    monkeypatch.setenv("UNBRAID_STEPS", "100")
    recipe = load_recipe(RECIPES / "lasaft_ablation.py")
    assert recipe.batches()[0].mixture.shape == (1, 2, 256 * 63)
    assert recipe.schedule.is_over(100, seconds=0)


@pytest.mark.parametrize(("asked", "same"), [("self", True), ("other", False)])
def test_recordings_to_ask_with(packs, monkeypatch, asked, same):
    monkeypatch.setenv("UNBRAID_QUERY", asked)
    batch = load_recipe(RECIPES / "lasaft_audio.py").batches()[0]
    assert torch.equal(batch.queries, batch.references) is same
