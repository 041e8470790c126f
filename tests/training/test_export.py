"""A run becomes a model that separates."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors import safe_open
from torch import Tensor
from typer.testing import CliRunner

from unbraid.cli.main import app
from unbraid.datasets.stem_mixing import StemBatch
from unbraid.errors import RecipeError, SettingsError
from unbraid.models.lasaft import PRESETS as LASAFTS
from unbraid.models.lasaft import Lasaft
from unbraid.models.tuss import PRESETS, Tuss
from unbraid.training.checkpoints import LAST, load_weights
from unbraid.training.export import export_run
from unbraid.training.lasaft_step import LasaftStep
from unbraid.training.loop import Place, train
from unbraid.training.recipe import Recipe, Validation
from unbraid.training.tuss_step import TussStep
from unbraid.zoo import load_model, read_file


class Batch(NamedTuple):
    mixture: Tensor
    references: Tensor
    prompts: list[tuple[str, ...]]


class Noise:
    def __getitem__(self, index: int) -> Batch:
        references = torch.randn(1, 2, 4000, generator=torch.Generator().manual_seed(index))
        return Batch(references.sum(1), references, [("vocals", "drums")])


class Songs:
    def __getitem__(self, index: int) -> StemBatch:
        references = torch.randn(2, 1, 2, 2000, generator=torch.Generator().manual_seed(index))
        return StemBatch(references[:, 0], references, [("vocals",), ("drums",)], references)


def make_recipe(**changes) -> Recipe:
    step = TussStep()
    values = {
        "model": lambda: Tuss(PRESETS["tuss-debug"]),
        "batches": Noise,
        "loss": step.loss,
        "sample_rate": 44100,
        "steps": 4,
        "epoch_steps": 2,
        "precision": "fp32",
        "n_workers": 0,
        "validation": Validation(lambda: {"noise": [Noise()[0]]}, step.score),
    }
    return Recipe(**{**values, **changes})


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(make_recipe(), folder, place=Place("cpu"))
    return folder


@pytest.mark.parametrize("n_best", [0, 1, 2])
def test_exported_weights_separate(run, tmp_path, n_best):
    digest = export_run(make_recipe(), run, tmp_path / "my.safetensors", n_best=n_best, card={"licence": "CC0-1.0"})
    model = load_model(tmp_path / "my.safetensors")
    assert isinstance(model, Tuss)
    assert len(digest) == 64
    with safe_open(tmp_path / "my.safetensors", "pt") as file:
        card = json.loads(file.metadata()["card"])
    assert card["licence"] == "CC0-1.0"
    assert card["steps"] == 4
    assert card["averaged_epochs"] == n_best


def test_the_card_tells_the_steps_of_what_is_exported(tmp_path):
    losses = iter([3.0, 1.0, 2.0, 5.0])
    validation = Validation(lambda: {"noise": [Noise()[0]]}, lambda model, batch: {"loss": [next(losses)]})
    recipe = make_recipe(validation=validation, n_best=3, steps=9)
    train(recipe, tmp_path / "run", place=Place("cpu"))
    told = []
    for n_best in (0, 1, 2, 8):
        export_run(recipe, tmp_path / "run", tmp_path / "my.safetensors", n_best=n_best)
        card = json.loads(read_file(tmp_path / "my.safetensors")[0]["card"])
        assert card["seconds_of_audio"] == round(card["steps"] * 4000 / 44100)
        told.append((card["steps"], card["averaged_epochs"], card["averaged_steps"]))
    assert told == [(9, 0, []), (4, 1, [4]), (6, 2, [4, 6]), (6, 3, [4, 6, 2])]


def test_half_is_half_as_large_and_nearly_the_same(run, tmp_path):
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    export_run(make_recipe(), run, whole)
    export_run(make_recipe(), run, half, bits=16)
    assert half.stat().st_size < 0.75 * whole.stat().st_size
    mixture = torch.randn(1, 8000)
    with torch.no_grad():
        one, other = (load_model(path).separate_windows(mixture, [["bass"]])[0] for path in (whole, half))
    assert 10 * torch.log10((one - other).square().sum() / one.square().sum()) < -40


def test_eight_bits_are_a_quarter_as_large_and_near(run, tmp_path):
    whole, narrow = tmp_path / "whole.safetensors", tmp_path / "narrow.safetensors"
    export_run(make_recipe(), run, whole)
    export_run(make_recipe(), run, narrow, bits=8)
    with safe_open(narrow, "pt") as file:
        kinds = {file.get_tensor(key).dtype for key in file.keys()}  # noqa: SIM118
    assert kinds >= {torch.int8, torch.float32}
    exact, read = load_model(whole).state_dict(), load_model(narrow).state_dict()
    for name, value in exact.items():
        if value.squeeze().ndim > 1:
            assert 20 * torch.log10((read[name] - value).norm() / value.norm()) < -38, name
        else:
            assert torch.equal(read[name], value), name


def test_bits_that_are_not_stored_are_refused(run, tmp_path):
    with pytest.raises(SettingsError, match="12 bits are not stored: choose one of 32, 16, 8"):
        export_run(make_recipe(), run, tmp_path / "out.safetensors", bits=12)


def test_rotary_frequencies_stay_exact_in_half(run, tmp_path):
    export_run(make_recipe(), run, tmp_path / "half.safetensors", bits=16)
    exact = Tuss(PRESETS["tuss-debug"]).cross.rope_time.frequencies
    assert torch.equal(load_model(tmp_path / "half.safetensors").cross.rope_time.frequencies, exact)


def test_any_separator_is_exported(tmp_path):
    step = LasaftStep()
    recipe = make_recipe(
        model=lambda: Lasaft(LASAFTS["lasaft-debug"]),
        batches=Songs,
        loss=step.loss,
        clip=float("inf"),
        validation=Validation(lambda: {"songs": [Songs()[0]]}, step.score),
    )
    train(replace(recipe, steps=2), tmp_path / "run", place=Place("cpu"))
    train(recipe, tmp_path / "run", place=Place("cpu"), resume=True)
    export_run(recipe, tmp_path / "run", tmp_path / "my.safetensors")
    model = load_model(tmp_path / "my.safetensors")
    assert isinstance(model, Lasaft)
    assert model.config == LASAFTS["lasaft-debug"]
    trained = load_weights(tmp_path / "run" / LAST)
    assert all(torch.equal(value, trained[name]) for name, value in model.state_dict().items())


def test_other_recipe_is_refused(run, tmp_path):
    other = make_recipe(model=lambda: Tuss(PRESETS["tuss-small"]))
    with pytest.raises(RecipeError, match=r"another network than the recipe's \(.* \[.*\] instead of .*\): give"):
        export_run(other, run, tmp_path / "my.safetensors")
    assert not (tmp_path / "my.safetensors").exists()


def test_what_is_no_separator_is_refused(run, tmp_path):
    with pytest.raises(RecipeError, match="cannot export a Linear"):
        export_run(make_recipe(model=lambda: torch.nn.Linear(1, 1)), run, tmp_path / "my.safetensors")


def test_command_says_what_is_missing(tmp_path):
    recipe = tmp_path / "one.py"
    recipe.write_text("nothing = 1\n")
    result = CliRunner().invoke(app, ["export", str(recipe), "-o", str(tmp_path / "my.safetensors")])
    assert result.exit_code != 0
    (tmp_path / "card.json").write_text("[1]")
    result = CliRunner().invoke(
        app, ["export", str(recipe), "-o", str(tmp_path / "x"), "--card", str(tmp_path / "card.json")]
    )
    assert result.exit_code != 0
