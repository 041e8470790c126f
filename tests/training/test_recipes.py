"""The recipes of the repository: each one is short, loads without data, and builds its network."""

import math
from pathlib import Path

import pytest
import torch

from unbraid.training.recipe import load_recipe

RECIPES = Path(__file__).parents[2] / "recipes"
PATHS = sorted(RECIPES.glob("*.py"))
SETTINGS = {"instglow": {"source": "guitar"}, "instglow_small": {"source": "guitar"}}


def test_there_are_recipes():
    assert {"tuss_debug", "tuss_small", "tuss_medium", "tuss_large", "conventional_small"} <= {p.stem for p in PATHS}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_recipes_are_short_and_load(path):
    assert len(path.read_text().splitlines()) <= 80
    assert load_recipe(path, settings=SETTINGS.get(path.stem)).sample_rate in (16000, 22050, 44100, 48000)


def test_published_settings():
    medium, large = load_recipe(RECIPES / "tuss_medium.py"), load_recipe(RECIPES / "tuss_large.py")
    assert medium.steps == large.steps == 150 * 2500
    assert [medium.schedule.learning_rate(step) for step in (0, 5000, 10_000)] == [0.0, 5e-4, 1e-3]
    assert (medium.clip, medium.n_best, medium.keep_every, medium.seed) == (5.0, 5, 25, 20240618)
    assert (medium.schedule.plateau.factor, medium.schedule.plateau.patience) == (0.5, 5)
    assert medium.schedule.plateau.keep_epochs == 75
    assert (medium.optimizer.eps, large.optimizer.eps) == (1e-8, 1e-4)
    assert medium.optimizer.weight_decay == large.optimizer.weight_decay == 1e-2
    assert (medium.precision, large.precision) == ("bf16", "bf16")
    fine_tuned = load_recipe(RECIPES / "tuss_large_dropout.py")
    assert fine_tuned.steps == 26 * 2500
    assert fine_tuned.schedule.learning_rate(0) == 1.25e-4


def test_the_debug_recipe_needs_no_data():
    recipe = load_recipe(RECIPES / "tuss_debug.py")
    batches = recipe.validation.datasets()["composed"]
    assert any(batch.silent.any() for batch in batches)
    with torch.no_grad():
        scores = recipe.validation.score(recipe.model().eval(), batches[0])
    assert all(math.isfinite(value) for value in scores["loss"])
    assert len(scores["presence"]) == batches[0].silent.numel()
