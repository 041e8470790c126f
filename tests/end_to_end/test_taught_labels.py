"""A label that was taught is found by its name alone, with the model that learned it."""

import json

import pytest
import torch
from typer.testing import CliRunner

from unbraid.audio.encoding import Encoding
from unbraid.audio.files import write_audio
from unbraid.audio.signal import Audio
from unbraid.cli.main import app
from unbraid.models.film_unet import PRESETS, FilmUnet
from unbraid.models.queries import tensors_sha256
from unbraid.teaching import Query, save_query
from unbraid.zoo import load_model, save_weights


@pytest.fixture
def label(tmp_path, monkeypatch):
    """A song, and a library with a label of a small network that nobody names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNBRAID_LIBRARY", str(tmp_path / "library"))
    samples = 0.1 * torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    write_audio("song.wav", Audio(samples, 8000), encoding=Encoding("wav", "16"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_weights(FilmUnet(PRESETS["few-shot-debug"]), "listener.safetensors")
    model = load_model("listener.safetensors")
    (tmp_path / "library").mkdir()
    weights = str(tmp_path / "listener.safetensors")
    query = Query("riff", weights, tensors_sha256(model), torch.ones(model.query_size))
    save_query(query, tmp_path / "library" / "riff.unbraid")
    return weights


def test_a_label_of_the_library_brings_its_model(label):
    result = CliRunner().invoke(app, ["separate", "song.wav", "--label", "riff", "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    manifest = json.loads(result.stdout)["manifest"]
    assert manifest["model"] == label
    assert [stem["name"] for stem in manifest["stems"]] == ["riff"]


def test_a_label_that_the_default_model_knows_needs_no_library(label):
    result = CliRunner().invoke(app, ["separate", "song.wav", "--label", "vocals", "--json"], catch_exceptions=False)
    assert json.loads(result.stdout)["manifest"]["model"] == "tuss-small"
