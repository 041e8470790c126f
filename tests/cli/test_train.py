import json

import pytest
import typer
from typer.testing import CliRunner

from unbraid.cli.train import train

RECIPE = """
from typing import NamedTuple
import torch
from torch import nn
from unbraid.training.recipe import Recipe, Validation

class Batch(NamedTuple):
    mixture: torch.Tensor

class Source:
    def __getitem__(self, index):
        return Batch(torch.full((1, 8), float(index)))

def loss(model, batch):
    return model(batch.mixture).square().mean(), {}

def score(model, batch):
    return {"loss": [1.5], "si_sdr_improvement": [2.5]}

recipe = Recipe(
    model=lambda: nn.Linear(8, 1), batches=Source, loss=loss, sample_rate=8, steps=6, epoch_steps=3, n_workers=0,
    validation=Validation(lambda: {"all": [Source()[0]]}, score), precision="fp32",
)
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.py"
    path.write_text(RECIPE)
    return path


def call(*arguments):
    app = typer.Typer()
    app.command()(train)
    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_a_run_lands_in_its_folder_and_says_its_rate(recipe, malloc):
    result = call(recipe, "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert malloc == [True]
    *validations, last = result.stdout.splitlines()
    assert validations == [
        "epoch 0  step 3  val/loss 1.5  val/si_sdr_improvement 2.5",
        "epoch 1  step 6  val/loss 1.5  val/si_sdr_improvement 2.5",
    ]
    assert last.startswith("runs/tiny: finished. Step 6 (6 in this session), ")
    assert " s of audio per second, best val/loss 1.5" in last
    entry = json.loads((recipe.parent / "runs/tiny/log.jsonl").read_text().splitlines()[0])
    assert entry["step"] == 3


def test_steps_minutes_out_and_resume(recipe, tmp_path):
    out = tmp_path / "elsewhere"
    assert "stopped; --resume continues it. Step 0" in call(recipe, "--minutes", 0, "--out", out).stdout
    assert "finished. Step 2 (2 in this session)" in call(recipe, "--steps", 2, "--out", out, "--resume").stdout
    assert "finished. Step 6 (4 in this session)" in call(recipe, "--out", out, "--resume").stdout
    assert not (tmp_path / "runs").exists()


def test_a_run_that_gives_up_says_so(recipe):
    given = "from dataclasses import replace\nfrom unbraid.training.stopping import Patience\n"
    recipe.write_text(f"{RECIPE}\n{given}recipe = replace(recipe, steps=99, patience=Patience(2))\n")
    assert "runs/tiny: finished, with no improvement for 2 epochs. Step 9 (9 in " in call(recipe).stdout
    assert "finished, with no improvement for 2 epochs. Step 9 (0 in " in call(recipe, "--resume").stdout


def test_a_run_that_cannot_begin_leaves_no_folder(recipe, tmp_path):
    recipe.write_text(f"{RECIPE}\nfrom dataclasses import replace\nrecipe = replace(recipe, batches=lambda: 1 / 0)\n")
    assert call(recipe, "--device", "cpu").exit_code != 0
    assert list(tmp_path.iterdir()) == [recipe]


def test_what_cannot_be_trained_is_exit_code_2(recipe):
    assert call(recipe, "--precision", "fp8").exit_code == 2
    call(recipe, "--steps", 1)
    for words, told in (
        ([recipe.parent / "missing.py"], "there is no such recipe"),
        ([recipe], "holds a run already: add --resume"),
    ):
        result = call(*words)
        assert result.exit_code == 2
        assert told in result.stderr


def test_source_and_data_go_to_the_recipe(recipe, tmp_path):
    said = f"{RECIPE}\nmade = recipe\n\ndef recipe(*, source, data=()):\n    print(source, *data)\n    return made\n"
    named = tmp_path / "named.py"
    named.write_text(said)
    result = call(named, "--source", "bass", "--data", "one", "--data", "two", "--device", "cpu", "--steps", 1)
    assert result.stdout.splitlines()[0] == "bass one two"
    assert "runs/named-bass: finished" in result.stdout
    assert "needs --source" in call(named).stderr
    assert "takes no --source" in call(recipe, "--source", "bass").stderr


def test_a_run_of_one_source_is_not_continued_as_another(recipe, tmp_path):
    made = "from dataclasses import replace\nmade = recipe\n\ndef recipe(*, source):\n"
    recipe.write_text(f"{RECIPE}\n{made}    return replace(made, card={{'source': source}})\n")
    words = ["--steps", 1, "--device", "cpu", "--out", tmp_path / "run", "--resume"]
    assert call(recipe, "--source", "bass", *words).exit_code == 0
    result = call(recipe, "--source", "tuba", *words)
    assert result.exit_code == 2
    assert "holds a prior of 'bass', not of 'tuba'" in result.stderr
    assert call(recipe, "--source", "bass", *words).exit_code == 0


def test_processes_must_be_positive(recipe):
    assert call(recipe, "--processes", 0).exit_code == 2
