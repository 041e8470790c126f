"""The recipe on public datasets: a few steps of the smallest network on miniatures of all of them."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from unbraid.errors import DatasetError
from unbraid.training.loop import Place, train
from unbraid.training.recipe import load_recipe

sys.path.insert(0, str(Path(__file__).parents[1] / "datasets" / "public"))
from miniatures import make_fma_medium, make_musdb18_hq
from speech_miniatures import (
    make_demand,
    make_dnr,
    make_fsd50k,
    make_fuss,
    make_vctk,
    make_vctk_demand,
    make_wham,
)

RECIPE = Path(__file__).parents[2] / "recipes" / "tuss_public.py"


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    folder = tmp_path / "datasets"
    folder.mkdir()
    monkeypatch.setenv("UNBRAID_DATASETS", str(folder))
    monkeypatch.setenv("UNBRAID_PRESET", "tuss-debug")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return load_recipe(RECIPE)


def test_a_few_steps_and_a_validation_on_the_five_tasks(recipe, tmp_path):
    folder = tmp_path / "datasets"
    for name, make in {"vctk": make_vctk, "fsd50k": make_fsd50k, "demand": make_demand, "dnr": make_dnr}.items():
        make(folder / name)
    make_fma_medium(folder / "fma-medium")
    make_musdb18_hq(folder / "musdb18-hq")
    make_vctk_demand(folder / "vctk-demand")
    make_wham(folder / "whamr-anechoic", reverb=True)
    make_fuss(folder / "fuss")
    short = replace(recipe, steps=3, epoch_steps=3, n_workers=0, precision="fp32")
    outcome = train(short, tmp_path / "run", place=Place("cpu"))
    assert outcome.finished
    sets = recipe.validation.datasets()
    assert set(sets) == {"vctk-demand", "musdb18-hq", "dnr", "whamr-anechoic", "fuss"}
    scores = recipe.validation.score(recipe.model().eval(), sets["fuss"][0])
    assert math.isfinite(scores["loss"][0])


def test_without_datasets_it_tells_where_they_go(recipe):
    with pytest.raises(DatasetError, match="put each into a folder of its name"):
        recipe.batches()


def test_what_cannot_be_drawn_is_told(recipe, tmp_path):
    make_vctk(tmp_path / "datasets" / "vctk")
    with pytest.raises(DatasetError, match=r"no source of .*sfx"):
        recipe.batches()
