"""The list of models."""

import json

from typer.testing import CliRunner

from unbraid import load_model
from unbraid.cli.main import app
from unbraid.zoo import ZOO


def test_text_names_every_model_and_whether_it_ships():
    result = CliRunner().invoke(app, ["models"])
    assert result.exit_code == 0
    for name, entry in ZOO.items():
        [line] = [line for line in result.stdout.splitlines() if line.split()[0] == name]
        assert ("no weights" in line) == (entry.file is None)


def test_json_has_what_is_known():
    result = CliRunner().invoke(app, ["models", "--json"])
    assert result.exit_code == 0
    listed = json.loads(result.stdout)
    assert list(listed) == list(ZOO)
    for name, entry in ZOO.items():
        assert listed[name]["summary"] == entry.summary
        assert listed[name]["ships"] == (entry.file is not None)
        if entry.file:
            assert tuple(listed[name]["vocabulary"]) == load_model(name).vocabulary
