"""The recipes of few-shot separation: published numbers, and what their variants change."""

from pathlib import Path

import numpy as np
import pytest

from unbraid.audio.signal import Audio
from unbraid.datasets.multitrack_packing import Stem, pack_multitracks
from unbraid.models.film_unet import PRESETS
from unbraid.training.film_unet_step import by_class
from unbraid.training.recipe import load_recipe
from unbraid.training.stopping import Patience

RECIPES = Path(__file__).parents[2] / "recipes"
LABELS = ("vocals", "drums", "piano", "brass")


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Return packs of sixteen songs and sixteen solos of noise, twelve seconds each."""
    folder = tmp_path_factory.mktemp("packs")
    audio = Audio.from_array(0.1 * np.random.default_rng(0).standard_normal(12 * 22050).astype(np.float32), 22050)
    songs = [(f"song-{one}", [Stem(label, label, audio) for label in LABELS]) for one in range(16)]
    solos = [(f"solo-{one}", [Stem("0", LABELS[one % 4], audio)]) for one in range(16)]
    pack_multitracks(songs, folder / "synth_songs")
    pack_multitracks(solos, folder / "solo_phrases")
    return folder


@pytest.fixture
def load(noise, monkeypatch):
    """Return a function that loads a recipe of these packs, with variables set."""

    def loaded(name, **variables):
        monkeypatch.setenv("UNBRAID_PACKS", str(noise))
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        return load_recipe(RECIPES / f"{name}.py")

    return loaded


def test_published_settings(load):
    recipe = load("few_shot")
    assert (recipe.schedule.learning_rate(0), recipe.schedule.learning_rate(10**6)) == (1e-3, 1e-3)
    assert (recipe.optimizer.weight_decay, recipe.clip, recipe.n_best) == (0.0, float("inf"), 1)
    assert (recipe.patience, recipe.epoch_steps) == (Patience(epochs=20), 1000)
    assert recipe.model().config == PRESETS["few-shot"]
    batches = recipe.batches()
    assert set(batches.datasets) == {"synth", "solo"}
    batch = batches[0]
    assert len(batch.mixture) == len(batch.references) == 16
    assert len(batch.examples) == 80
    assert not batch.negative.any()


def test_variants_change_one_thing(load):
    negatives, classes, held_out = (load(f"few_shot_{name}") for name in ("negatives", "classes", "held_out"))
    settings = negatives.batches().settings
    assert (settings.n_positive, settings.n_negative, settings.p_without_negative) == ((5, 5), (5, 5), 0.1)
    assert negatives.model().neg is not None
    assert classes.loss.__self__.querying is by_class
    assert classes.model().vocabulary
    drawn = held_out.batches()
    assert not {"vocals", "drums", "bass"} & {target.label for one in drawn.draw(0) for target in one.targets}
    assert len(drawn.settings.targets) == 15
    baseline = load("few_shot_held_out", UNBRAID_BASE="few_shot_classes")
    assert baseline.model().vocabulary
    assert baseline.batches().settings.targets == drawn.settings.targets


def test_the_one_that_ships(load):
    recipe = load("few_shot_small", UNBRAID_MINUTES="30")
    assert (recipe.schedule.decay.minutes, recipe.patience) == (30, None)
    batch = recipe.batches()[0]
    assert len(batch.references) == 8 > len(batch.mixture)
    uses = int((batch.positive > 0).sum() + (batch.negative > 0).sum())
    assert len(batch.examples) < uses  # examples are shared


@pytest.mark.parametrize("variant", ["1-shot", "classes", "negatives", "mixed"])
def test_claims(load, variant):
    recipe = load("few_shot_claims", UNBRAID_VARIANT=variant, UNBRAID_HELD_OUT="1", UNBRAID_STEPS="50")
    settings = recipe.batches().settings
    assert recipe.steps == recipe.epoch_steps == 50
    assert "vocals" not in settings.targets
    assert (settings.p_mixed > 0) == (variant == "mixed")
    assert settings.n_positive == ((1, 1) if variant in ("1-shot", "classes") else (5, 5))
    assert (settings.n_negative == (5, 5)) == (variant == "negatives")
