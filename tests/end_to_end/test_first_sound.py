"""A real recording, from the command line to the stems and back."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import unbraid
from unbraid.audio.encoding import Encoding
from unbraid.audio.files import open_audio, read_audio
from unbraid.audio.writing import write_audio
from unbraid.cli.main import app

DEMO = Path(__file__).parents[2] / "demo" / "francium"
STEMS = ["vocals", "drums", "bass", "other"]


@pytest.fixture(scope="module")
def song():
    return read_audio(DEMO / "mixture.flac")


def separate(*words):
    result = CliRunner().invoke(app, ["separate", *map(str, words), "--task", "music"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [json.loads(line)["manifest"] for line in result.stdout.splitlines()]


def test_the_files_add_up_to_the_song_bit_for_bit(tmp_path, song, debug_weights):
    [manifest] = separate(DEMO / "mixture.flac", "-m", debug_weights, "-o", tmp_path, "--json")
    stems = [read_audio(tmp_path / "mixture" / f"{name}.wav") for name in [*STEMS, "residual"]]
    assert torch.equal(torch.stack([stem.samples for stem in stems]).double().sum(0).float(), song.samples)
    assert [stem["name"] for stem in manifest["stems"]] == STEMS
    assert all(0 <= stem["presence"] <= 1 for stem in manifest["stems"])
    assert {stem["n_samples"] for stem in manifest["stems"]} == {song.n_samples}


def test_command_line_and_python_hear_the_same(tmp_path, song, debug_weights):
    separate(DEMO / "mixture.flac", "-m", debug_weights, "-o", tmp_path, "--depth", "float")
    separation = unbraid.separate(song, unbraid.Prompts.task("music"), model=debug_weights)
    for name, stem in separation.stems.items():
        assert torch.equal(read_audio(tmp_path / "mixture" / f"{name}.wav").samples, stem.samples)


@pytest.mark.parametrize(
    ("sample_rate", "n_channels", "encoding"),
    [
        (8000, 1, Encoding("wav", "16")),
        (22050, 2, Encoding("mp3", "-")),
        (48000, 6, Encoding("flac", "24")),
        (96000, 2, Encoding("wav", "float")),
        (192000, 1, Encoding("flac", "16")),
        (48000, 2, Encoding("ogg", "-")),
    ],
)
def test_stems_are_like_their_recording(tmp_path, debug_weights, sample_rate, n_channels, encoding):
    generator = torch.Generator().manual_seed(0)
    samples = 0.1 * torch.randn(n_channels, sample_rate // 3, generator=generator)
    path = write_audio(tmp_path / "a", unbraid.Audio(samples, sample_rate), encoding=encoding).path
    with open_audio(path) as reader:
        wanted = (reader.sample_rate, reader.n_channels, reader.n_samples, reader.encoding)
    separate(path, "-m", debug_weights, "-o", tmp_path / "out")
    for stem in (tmp_path / "out").rglob("*.wav"):
        with open_audio(stem) as reader:
            assert (reader.sample_rate, reader.n_channels, reader.n_samples, reader.encoding) == wanted


def test_two_runs_are_identical(tmp_path, debug_weights):
    for run in ("one", "two"):
        separate(DEMO / "mixture.flac", "-m", debug_weights, "-o", tmp_path / run)
    made = sorted((tmp_path / "one" / "mixture").glob("*.wav"))
    assert len(made) == 5
    for path in made:
        assert path.read_bytes() == (tmp_path / "two" / "mixture" / path.name).read_bytes()
