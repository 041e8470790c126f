import pytest
import torch
from torch import nn

from unbraid.errors import DatasetError, RecipeError
from unbraid.training.recipe import Recipe, load_recipe
from unbraid.training.schedule import Plateau, Schedule
from unbraid.training.stopping import Patience

PARTS = {"model": lambda: nn.Linear(1, 1), "batches": list, "loss": lambda m, b: (torch.zeros(()), {})}

SOURCE = """
from torch import nn
from unbraid.training.recipe import Recipe

made = Recipe(model=lambda: nn.Linear(1, 1), batches=list, loss=None, sample_rate=8000)
"""


def write(folder, text):
    path = folder / "my_recipe.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": "fp16"}, "precision must be one of fp32, bf16, got 'fp16'"),
        ({"sample_rate": 0}, "sample_rate must be positive"),
        ({"accumulation": 0}, "accumulation must be positive"),
        ({"epoch_steps": 0}, "epoch_steps must be positive"),
        ({"clip": 0.0}, "clip must be positive"),
        ({"n_workers": -1}, "must not be negative"),
        ({"steps": -1}, "must not be negative"),
        ({"average": 1.0}, "average must lie between"),
        ({"schedule": Schedule(plateau=Plateau())}, "plateau needs a validation"),
        ({"patience": Patience(3)}, "patience needs a validation"),
    ],
)
def test_recipe_refuses_what_makes_no_sense(change, message):
    with pytest.raises(RecipeError, match=message):
        Recipe(**{**PARTS, "sample_rate": 8000, **change})


@pytest.mark.parametrize("ending", ["recipe = made", "def recipe():\n    return made"])
def test_a_recipe_is_a_value_or_a_function(tmp_path, ending):
    assert load_recipe(write(tmp_path, SOURCE + ending)).sample_rate == 8000


NAMED = "def recipe(*, source, data=()):\n    return Recipe(**vars(made) | {'sample_rate': len(source)})"


def test_a_function_takes_settings_by_name(tmp_path):
    path = write(tmp_path, SOURCE + NAMED)
    assert load_recipe(path, settings={"source": "bass"}).sample_rate == 4
    with pytest.raises(RecipeError, match="this recipe needs --source: add it"):
        load_recipe(path)
    with pytest.raises(RecipeError, match="this recipe takes no --size: it takes --source, --data"):
        load_recipe(path, settings={"source": "bass", "size": "small"})


@pytest.mark.parametrize("ending", ["recipe = made", "def recipe():\n    return made"])
def test_settings_that_nobody_takes_are_refused(tmp_path, ending):
    with pytest.raises(RecipeError, match="this recipe takes no --source: it takes none"):
        load_recipe(write(tmp_path, SOURCE + ending), settings={"source": "bass"})


def test_recipes_may_define_dataclasses(tmp_path):
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    text += SOURCE + "@dataclass\nclass Own:\n    n: int\nrecipe = made"
    assert isinstance(load_recipe(write(tmp_path, text)), Recipe)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "names no recipe"),
        ("recipe = 3", "names no recipe"),
        ("def recipe():\n    return 3", "names no recipe"),
        ("recipe = (", r"my_recipe.py: line 1: "),
        ("\n\nrecipe = 1 / 0", "my_recipe.py: line 3: ZeroDivisionError: division by zero"),
        ("def recipe():\n    return unknown", "my_recipe.py: line 2: NameError"),
        ("import no_such_module", "line 1: ModuleNotFoundError"),
    ],
)
def test_a_broken_recipe_says_where(tmp_path, text, message):
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(RecipeError, match="no such recipe"):
        load_recipe(tmp_path / "nowhere.py")
    other = tmp_path / "recipe.yaml"
    other.write_text("a: 1")
    with pytest.raises(RecipeError, match=r"ends in \.py"):
        load_recipe(other)


def test_our_own_errors_pass_through(tmp_path):
    text = "from unbraid.errors import DatasetError\nraise DatasetError('songs: not there')"
    with pytest.raises(DatasetError, match="songs: not there"):
        load_recipe(write(tmp_path, text))
