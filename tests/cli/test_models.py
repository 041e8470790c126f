"""The list of models."""

import json
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner

from unbraid import load_model
from unbraid.cli.main import app
from unbraid.cli.models import POINTERS, describe
from unbraid.errors import ModelError
from unbraid.models.instglow import Instglow, InstglowConfig
from unbraid.models.instglow_network import PRIORS
from unbraid.zoo import ZOO, save_weights


def test_text_names_every_model_and_whether_it_ships():
    result = CliRunner().invoke(app, ["models"])
    assert result.exit_code == 0
    for name, entry in ZOO.items():
        [line] = [line for line in result.stdout.splitlines() if line.split()[0] == name]
        assert ("no weights" in line) == (not entry.ships)


def test_json_has_what_is_known():
    result = CliRunner().invoke(app, ["models", "--json"])
    assert result.exit_code == 0
    listed = json.loads(result.stdout)
    assert list(listed) == list(ZOO)
    for name, entry in ZOO.items():
        assert listed[name]["summary"] == entry.summary
        assert listed[name]["ships"] == entry.ships
        assert set(listed[name]["pointed_at_with"]) == set(entry.guides)
        if entry.ships:
            assert tuple(listed[name]["vocabulary"]) == load_model(name).vocabulary


@pytest.mark.parametrize("name", list(ZOO))
def test_text_tells_how_each_model_is_pointed_at_and_what_it_knows(name):
    lines = CliRunner().invoke(app, ["models"]).stdout.splitlines()
    first = next(index for index, line in enumerate(lines) if line.split()[0] == name)
    told = {}
    for line in lines[first + 1 :]:
        if not line.startswith("  "):
            break
        word, _, rest = line.strip().partition(": ")
        told[word] = rest
    assert ZOO[name].summary == told[ZOO[name].system]
    for kind, options in POINTERS.items():
        assert (f"{kind} ({options})" in told["guides"]) == (kind in ZOO[name].guides)
    assert (told["knows"].split(", ") if "knows" in told else []) == list(ZOO[name].vocabulary)


def test_every_kind_of_guide_has_its_options():
    offered = {
        word
        for parameter in typer.main.get_command(app).commands["separate"].params
        for word in (*parameter.opts, *parameter.secondary_opts)
    }
    told = {word for words in POINTERS.values() for word in words.split(", ")}
    assert told <= offered
    assert {guide for entry in ZOO.values() for guide in entry.guides} <= set(POINTERS)


def test_priors_of_the_user_are_no_part_of_what_ships(tmp_path, monkeypatch):
    shape = PRIORS["debug"]
    monkeypatch.setattr("unbraid.priors.WEIGHTS", tmp_path)
    monkeypatch.setenv("UNBRAID_LIBRARY", str(tmp_path / "library"))
    for room in ("unbraid.priors", "unbraid.zoo"):
        monkeypatch.setattr(f"{room}.SHIPPED", {"vocals": "", "drums": ""})
    (tmp_path / "library" / "priors").mkdir(parents=True)
    slow = replace(shape, sample_rate=8000)
    for path, name, one in (
        (tmp_path / "prior-vocals.safetensors", "vocals", shape),
        (tmp_path / "prior-drums.safetensors", "drums", shape),
        (tmp_path / "library" / "priors" / "kazoo.safetensors", "kazoo", slow),
    ):
        save_weights(Instglow(InstglowConfig(names=(name,), priors=(one,))), path)
    known = describe(ZOO["instglow"])
    assert known["ships"]
    assert known["vocabulary"] == ["vocals", "drums"]
    assert known["sample_rate"] == 44100
    with pytest.raises(ModelError, match="'drums' and 'kazoo' hear different"):
        load_model("instglow", priors=["drums", "kazoo"])
