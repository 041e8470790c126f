"""``unbraid evaluate --search``: how priors search is a part of their results."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner, Result

from unbraid.cli.main import app
from unbraid.models.instglow import Instglow, preset
from unbraid.models.instglow_search import SEARCHES
from unbraid.zoo import debug_model, save_weights

RATE = 16000


@pytest.fixture
def song(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A song folder, and beside it models: priors, and one that has none."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "songs" / "one"
    folder.mkdir(parents=True)
    for number, stem in enumerate(("vocals", "drums")):
        noise = 0.1 * np.random.default_rng(number).standard_normal(RATE // 4)
        soundfile.write(folder / f"{stem}.flac", noise, RATE)
    torch.manual_seed(0)
    model = Instglow(preset(("vocals", "drums"), "debug", search_name="quick")).eval()
    for weight in model.parameters():  # they begin all alike
        weight.data.add_(0.01 * torch.randn_like(weight))
    save_weights(model, tmp_path / "priors.safetensors")
    save_weights(debug_model(), tmp_path / "other.safetensors")
    return folder.parent


def evaluate(*words: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, words), "--cases", "0", "--out", "out"])


def records() -> list[dict[str, object]]:
    return [json.loads(line) for line in Path("out", "results.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("protocol", [["songs"], ["tuss", "--data", "songs"], ["labels", "--data", "songs"]])
@pytest.mark.usefixtures("song")
def test_a_search_is_named_and_its_results_are_its_own(protocol: list[str]) -> None:
    priors = [*protocol, "-m", "priors.safetensors", "--classes", "stems"]
    for search in ("quick", "mle-slow,n_iterations=20", None):
        result = evaluate(*priors, *(["--search", search] if search else []))
        assert result.exit_code == 0, result.output
    n_lines = len(records())
    assert evaluate(*priors, "--search", "quick").exit_code == 0  # which is all there
    assert len(records()) == n_lines
    found = {one["model"]: one for one in records() if one["prompt"] == "vocals"}
    assert list(found) == ["priors (quick)", "priors (mle-slow,n_iterations=20)", "priors"]
    quick, slow, plain = found.values()
    slower = replace(SEARCHES["mle-slow"], n_iterations=20)
    for one, expected in ((quick, SEARCHES["quick"]), (slow, slower), (plain, SEARCHES["quick"])):
        assert one["settings"]["search"] == vars(expected)
        assert one["settings"]["priors"] == ["vocals", "drums"]
    assert quick["si_sdr"] == plain["si_sdr"] != slow["si_sdr"]
    assert quick["weights"] == slow["weights"]


@pytest.mark.usefixtures("song")
def test_others_beside_priors_stay_as_they_are() -> None:
    result = evaluate(
        "songs", "-m", "priors.safetensors", "-m", "other.safetensors", "-m", "mixture", "--search", "map"
    )
    assert result.exit_code == 0, result.output
    assert {one["model"] for one in records()} == {"priors (map)", "other", "mixture"}
    assert all("search" not in one["settings"] for one in records() if one["model"] != "priors (map)")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["songs", "-m", "other.safetensors", "-m", "mixture"], "there are none in other, mixture"),
        (["songs"], "there are none in tuss-small"),
        (["songs", "-m", "priors.safetensors", "--search", "magic"], "no such search, only default, curvature"),
        (["songs", "-m", "priors.safetensors", "--search", "mle,gamma=1"], "no setting 'gamma', only prior_weight"),
        (["instglow-table1", "--data", "songs", "--search", "magic"], "no such search, only default, curvature"),
        (["instglow-figure2", "--data", "songs"], "searches for nothing: leave --search out"),
    ],
)
@pytest.mark.usefixtures("song")
def test_a_search_that_cannot_be_is_refused(words: list[str], message: str) -> None:
    result = evaluate(*words, *([] if "--search" in words else ["--search", "quick"]))
    assert result.exit_code == 2
    assert message in result.output
    assert not Path("out").exists()
