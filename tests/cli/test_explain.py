"""Pictures of what a model attends to, through the door."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from unbraid.audio.encoding import Encoding
from unbraid.audio.signal import Audio
from unbraid.audio.writing import write_audio
from unbraid.cli.main import app
from unbraid.models.lasaft import PRESETS, Lasaft
from unbraid.zoo import ZOO, save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lasaft")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name in ("lasaft-debug", "lasaft-audio-debug"):
            save_weights(Lasaft(PRESETS[name]), folder / f"{name}.safetensors")
    return folder


@pytest.fixture
def explain(tmp_path, monkeypatch, weights):
    monkeypatch.chdir(tmp_path)
    samples = 0.3 * torch.randn(2, 9000, generator=torch.Generator().manual_seed(0))
    write_audio("my song.wav", Audio(samples, 44100), encoding=Encoding("wav", "16"))

    def run(*words, model="lasaft-debug"):
        given = [] if model is None else ["-m", str(weights / f"{model}.safetensors")]
        return CliRunner().invoke(app, ["explain", "my song.wav", *words, *given], catch_exceptions=False)

    return run


def test_a_picture_and_its_numbers_of_all_labels(explain):
    result = explain()
    assert (result.exit_code, result.stderr) == (0, "")
    assert (
        result.stdout == "my song-attention.png: vocals, drums, bass, other; the numbers are in my song-attention.npz\n"
    )
    assert Path("my song-attention.png").read_bytes().startswith(b"\x89PNG")
    with np.load("my song-attention.npz") as stored:
        assert list(stored["labels"]) == ["vocals", "drums", "bass", "other"]
        assert stored["coefficients_2"].shape == (4, 71, 4)


def test_labels_a_part_and_a_place(explain):
    result = explain(
        "--label", "drums", "--label", "bass", "--start", "0:00.1", "--duration", "0.05", "-o", "new/a.png"
    )
    assert result.exit_code == 0
    with np.load("new/a.npz") as stored:
        assert list(stored["labels"]) == ["drums", "bass"]
        assert stored["times"] == pytest.approx(0.1 + np.arange(18) * 128 / 44100, abs=1e-6)
    assert Path("new/a.png").exists()


def test_examples_for_a_model_that_takes_them(explain):
    result = explain("--example", "my song.wav", "-o", "a.png", model="lasaft-audio-debug")
    assert result.exit_code == 0
    assert result.stdout.startswith("a.png: my song; ")


@pytest.mark.parametrize(
    ("words", "model", "hint", "code"),
    [
        (["-m", "tuss-small"], None, "tuss-small has no attention over latent sources", 2),
        (["--label", "vocal"], "lasaft-debug", "did you mean 'vocals'", 2),
        (["--label", "bass", "--label", "bass"], "lasaft-debug", "asked for twice", 2),
        ([], "lasaft-audio-debug", "--example", 2),
        (["--example", "gone.wav"], "lasaft-audio-debug", "gone.wav: there is no such file", 2),
        (["--example", "my song.wav"], "lasaft-debug", "not Examples", 2),
        (["--start", "soon"], "lasaft-debug", "--start soon", 2),
        (["--start", "0:09"], "lasaft-debug", "my song.wav: nothing at 9.0 s", 1),
        (["--duration", "0"], "lasaft-debug", "positive number of seconds", 2),
        (["-o", "a.jpg"], "lasaft-debug", "ends in .png", 2),
        (["-o", "my song.wav/a.png"], "lasaft-debug", "cannot make the folder", 2),
        (["-o", "folder.png"], "lasaft-debug", "cannot be written", 2),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(explain, words, model, hint, code):
    Path("folder.png").mkdir()
    result = explain(*words, model=model)
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert hint in result.stderr
    assert {path.name for path in Path().iterdir()} == {"folder.png", "my song.wav"}


def test_without_matplotlib_it_says_what_to_install(explain, monkeypatch):
    monkeypatch.setattr("unbraid.explanation.picture.util.find_spec", lambda name: None)
    result = explain()
    assert result.exit_code == 2
    assert "unbraid[plot]" in result.stderr


def test_without_a_model_it_takes_the_one_that_ships(explain, monkeypatch, weights):
    entry = replace(ZOO["tuss-small"], name="lasaft-x", system="LaSAFT", file=str(weights / "lasaft-debug.safetensors"))
    monkeypatch.setattr("unbraid.zoo.ZOO", {"lasaft-x": entry})
    assert explain("--label", "bass", "--duration", "0.05", model=None).exit_code == 0
    monkeypatch.setattr("unbraid.zoo.ZOO", {})
    result = explain(model=None)
    assert result.exit_code == 2
    assert "no LaSAFT model ships" in result.stderr
