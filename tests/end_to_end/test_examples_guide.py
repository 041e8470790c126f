"""Pointing at sounds of a real recording with examples, through the door: few-shot and audio-query networks."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import unbraid
from unbraid.audio.encoding import Encoding
from unbraid.audio.files import read_audio, write_audio
from unbraid.cli.main import app
from unbraid.models.film_unet import PRESETS as FILM_UNETS
from unbraid.models.film_unet import FilmUnet
from unbraid.models.lasaft import PRESETS as LASAFTS
from unbraid.models.lasaft import Lasaft
from unbraid.zoo import save_weights

DEMO = Path(__file__).parents[2] / "demo" / "francium"
PARTS = ["vocals", "drums", "other"]
SECONDS = 2.0


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights files of the smallest networks that listen, by the name of their preset."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        models = {
            "few-shot-debug": FilmUnet(FILM_UNETS["few-shot-debug"]),
            "lasaft-audio-debug": Lasaft(LASAFTS["lasaft-audio-debug"]),
        }
    with torch.no_grad():  # as it begins, what it hears makes no difference that 16 bits could hold
        for parameter in models["few-shot-debug"].parameters():
            parameter.mul_(8 if parameter.ndim > 1 else 1)
    for name, model in models.items():
        save_weights(model, folder / f"{name}.safetensors")
    return {name: folder / f"{name}.safetensors" for name in models}


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Two seconds of the demo: the mixture as the song, and its parts as examples."""
    monkeypatch.chdir(tmp_path)
    for name in ("mixture", *PARTS):
        audio = read_audio(DEMO / f"{name}.flac", start=1.0, stop=1.0 + SECONDS)
        write_audio(f"{name}.wav", audio, encoding=Encoding("wav", "16"))
    return tmp_path


def separate(*words):
    result = CliRunner().invoke(app, ["separate", "mixture.wav", "--json", *map(str, words)], catch_exceptions=False)
    return result, [json.loads(line) for line in result.stdout.splitlines()]


def stems(folder="separated"):
    return {path.stem: read_audio(path) for path in sorted(Path(folder, "mixture").glob("*.wav"))}


@pytest.mark.parametrize("name", ["few-shot-debug", "lasaft-audio-debug"])
@pytest.mark.usefixtures("desk")
def test_two_sounds_are_pointed_at_with_files_and_a_span_of_the_song(weights, name):
    words = ["--target", "voice", "--example", "vocals.wav", "--example", "0:00.5-0:01.5", "--target", "kit",
             "--example", "drums.wav"]  # fmt: skip
    result, [done] = separate("-m", weights[name], *words)
    assert result.exit_code == 0
    assert [stem["name"] for stem in done["manifest"]["stems"]] == ["voice", "kit"]
    found, mixture = stems(), read_audio("mixture.wav")
    assert set(found) == {"voice", "kit", "residual"}
    assert torch.equal(sum(one.samples.double() for one in found.values()).float(), mixture.samples)
    assert not torch.equal(found["voice"].samples, found["kit"].samples)
    guides = done["manifest"]["provenance"]["targets"][0]["guides"]
    assert [one["duration"] for one in guides[0]["positive"]] == [SECONDS, 1.0]


@pytest.mark.usefixtures("desk")
def test_what_it_is_not_changes_what_it_is(weights):
    for out, negative in (("without", []), ("with", ["--not", "drums.wav"])):
        result, _ = separate("-m", weights["few-shot-debug"], "-o", out, "--example", "vocals.wav", *negative)
        assert result.exit_code == 0, result.output
    assert not torch.equal(stems("without")["vocals"].samples, stems("with")["vocals"].samples)


@pytest.mark.usefixtures("desk")
def test_a_model_without_negative_examples_says_so_before_any_work(weights):
    words = ["--example", "vocals.wav", "--not", "drums.wav"]
    result, [error] = separate("-m", weights["lasaft-audio-debug"], *words)
    assert result.exit_code == 2
    assert "negative" in error["error"]["message"]
    assert not Path("separated").exists()


@pytest.mark.parametrize("name", ["few-shot-debug", "lasaft-audio-debug"])
@pytest.mark.usefixtures("desk")
def test_command_line_and_python_hear_the_same(weights, name):
    result, _ = separate("-m", weights[name], "--depth", "float", "--example", "0:00.5-0:01.5", "--as", "it")
    assert result.exit_code == 0
    target = unbraid.Target("it", unbraid.Span(0.5, 1.5))
    separation = unbraid.separate("mixture.wav", target, model=weights[name])
    assert torch.equal(separation.stems["it"].samples, stems()["it"].samples)
    cut = unbraid.Audio(read_audio("mixture.wav").samples[:, 22050:66150], 44100)
    alone = unbraid.separate("mixture.wav", unbraid.Examples(cut), model=weights[name])
    assert torch.equal(alone.stems["example"].samples, separation.stems["it"].samples)


@pytest.mark.usefixtures("desk")
def test_a_model_that_takes_examples_only_knows_no_labels(weights):
    for name in weights:
        result, [error] = separate("-m", weights[name], "--label", "vocals")
        assert result.exit_code == 2
        assert "tuss-small knows it (-m tuss-small)" in error["error"]["message"]
