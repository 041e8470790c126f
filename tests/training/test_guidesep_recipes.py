"""The recipes of GuideSep: published numbers, what the one that ships changes, and that the twins hear the same."""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from unbraid.datasets import mimicry_packing
from unbraid.datasets.guided_draws import Balance, GuidedSettings
from unbraid.datasets.melody_songs import ComposedSong, Solo
from unbraid.datasets.mimicry_packing import ImitationSettings, pack_melodies
from unbraid.guides.render import Synthesizer
from unbraid.models.guidesep import PRESETS, Guidesep
from unbraid.training.checkpoints import LAST, load_checkpoint
from unbraid.training.loop import Place, train
from unbraid.training.recipe import load_recipe

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    """Return a folder of a pack to train with and one to validate with, of synthesized songs."""
    folder = tmp_path_factory.mktemp("packs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mimicry_packing, "_players", lambda: (Synthesizer(),))
        patch.setattr("unbraid.datasets.melody_songs._player", lambda: None)
        for name, seed in (("composed_train", 1), ("composed_valid", 5)):
            songs = [ComposedSong(seed + one, duration=5.0) for one in range(2)]
            pack_melodies(songs, folder / name, settings=ImitationSettings(n_windows=1), jobs=1)
    return folder


@pytest.fixture
def load(packs, monkeypatch):
    """Return a function that loads a recipe of these packs, with variables set."""

    def loaded(name, **variables):
        monkeypatch.setenv("UNBRAID_PACKS", str(packs))
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        return load_recipe(RECIPES / f"{name}.py")

    return loaded


def test_published_settings(load):
    recipe, mask = load("guidesep"), load("guidesep_mask")
    assert (recipe.schedule.learning_rate(0), recipe.schedule.learning_rate(10**6)) == (1e-4, 1e-4)
    assert (recipe.optimizer.weight_decay, recipe.optimizer.betas) == (0.0, (0.9, 0.99))
    assert (recipe.clip, recipe.steps, recipe.average) == (1.0, 300_000, None)
    assert recipe.model.args == (PRESETS["guidesep"],)
    assert mask.model.args == (PRESETS["guidesep-mask"],)
    assert (mask.steps, mask.schedule, mask.optimizer) == (recipe.steps, recipe.schedule, recipe.optimizer)
    data = recipe.batches()
    assert (data.batch_size, data.settings.n_samples, data.settings.n_background) == (36, 65280, (3, 5))
    assert data.settings.balance is Balance.UNIFORM
    assert all(draw.rest is None and draw.shift == 0 and draw.tilt_db == 0 for draw in data.draw(0))
    assert load("guidesep", UNBRAID_AVERAGE="0.999").average == 0.999


def test_training_and_validation_have_no_track_in_common(load):
    recipe = load("guidesep")
    learned = {melody.source.track for melody in recipe.batches().melodies}
    tested = {melody.source.track for melody in sys.modules["unbraid_recipe_guidesep"].melodies("valid")[0]}
    assert {track.split("/")[0] for track in learned} == {"composed_train"}
    assert {track.split("/")[0] for track in tested} == {"composed_valid"}
    assert recipe.validation.datasets()["windows"][0].mixture.shape == (8, 65280)


@pytest.mark.parametrize("pair", [("guidesep", "guidesep_mask"), ("guidesep_small", "guidesep_mask_small")])
def test_twins_hear_the_same(load, pair):
    first, second = (load(name).batches() for name in pair)
    assert first.draw(7) == second.draw(7)


def test_the_one_that_ships(load):
    recipe = load("guidesep_small", UNBRAID_MINUTES="30")
    assert recipe.schedule.decay.minutes == 30
    assert load("guidesep_small", UNBRAID_STEPS="500").schedule.is_over(500, seconds=0)
    settings = recipe.batches().settings
    assert min(settings.p_same_song, settings.p_rest, settings.p_silent, settings.max_shift) > 0
    batch = recipe.batches()[0]
    assert batch.mixture.shape[-1] == 65280
    assert torch.isfinite(batch.positive).all()
    assert set(recipe.validation.datasets()) == {"windows", "songs"}


def test_a_run_that_was_stopped_equals_one_that_was_not(load, tmp_path):
    recipe = load("guidesep_small", UNBRAID_STEPS="4")
    data = replace(recipe.batches(), settings=GuidedSettings(n_samples=4096), batch_size=2)
    short = replace(
        recipe, model=partial(Guidesep, PRESETS["guidesep-debug"]), batches=lambda: data, validation=None, n_best=1
    )
    place = Place("cpu")
    train(short, tmp_path / "whole", place=place)
    train(replace(short, steps=2), tmp_path / "parts", place=place)
    train(short, tmp_path / "parts", place=place, resume=True)
    whole, parts = (load_checkpoint(tmp_path / name / LAST) for name in ("whole", "parts"))
    assert whole.progress.step == parts.progress.step == 4
    assert all(torch.equal(weight, parts.weights[name]) for name, weight in whole.weights.items())
    assert all(torch.equal(weight, parts.average[name]) for name, weight in whole.average.items())


def test_programs_of_solos_need_a_soundfont(monkeypatch):
    monkeypatch.setattr("unbraid.datasets.melody_songs._player", lambda: None)
    with pytest.raises(Exception, match="SoundFont"):
        Solo(0, 1).make()
