"""Whatever comes in: one line that names the file, exit code 1, the other files done, nothing half-written left."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from unbraid import Audio
from unbraid.audio.encoding import Encoding
from unbraid.audio.writing import write_audio
from unbraid.cli.main import app


@pytest.fixture
def good(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    samples = 0.1 * torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    return write_audio("good.wav", Audio(samples, 8000), encoding=Encoding("wav", "16")).path


@pytest.fixture
def separate(good, debug_weights):
    def run(*words):
        words = ["separate", *map(str, words), "--prompts", "vocals", "-m", str(debug_weights)]
        return CliRunner().invoke(app, words, catch_exceptions=False)

    return run


def left(folder=Path("separated")):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def truncated(path):
    soundfile.write(path, np.zeros(8000), 8000)
    content = path.read_bytes()
    path.write_bytes(content[:1000])


def without_samples(path):
    soundfile.write(path, np.zeros(0), 8000)


def not_finite(value):
    def write(path):
        samples = np.zeros(8000)
        samples[6000] = value
        soundfile.write(path, samples, 8000, subtype="FLOAT")

    return write


def too_many_channels(path):
    soundfile.write(path, np.zeros((100, 9)), 8000)


def too_slow(path):
    soundfile.write(path, np.zeros(100), 4000)


BAD = {
    "missing": lambda path: None,
    "zero bytes": lambda path: path.touch(),
    "truncated": truncated,
    "no samples": without_samples,
    "text": lambda path: path.write_text("RIFF, they said"),
    "a header alone": lambda path: path.write_bytes(b"RIFF" + struct.pack("<I", 36) + b"WAVE"),
    "NaN": not_finite(np.nan),
    "infinity": not_finite(np.inf),
    "nine channels": too_many_channels,
    "four kilohertz": too_slow,
    "a broken link": lambda path: path.symlink_to("nowhere.wav"),
}


@pytest.mark.parametrize("kind", list(BAD))
def test_bad_files(separate, kind):
    BAD[kind](Path("bad.wav"))
    result = separate("bad.wav", "good.wav")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "bad.wav" in result.stderr
    assert ": " in result.stderr.partition("bad.wav")[2]
    assert left() == ["good/manifest.json", "good/residual.wav", "good/vocals.wav"]
    assert not list(Path("separated").glob(".*"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission_to_read(separate):
    write_audio("bad.wav", Audio(torch.zeros(1, 100), 8000), encoding=Encoding("wav", "16")).path.chmod(0)
    result = separate("bad.wav", "good.wav")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "bad.wav" in result.stderr


def test_a_folder_without_audio(separate):
    Path("folder.wav").mkdir()
    result = separate("folder.wav", "good.wav")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "folder.wav" in result.stderr


def test_an_output_folder_that_is_a_file(separate):
    Path("taken").touch()
    result = separate("good.wav", "-o", "taken")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "taken" in result.stderr
    assert "another output folder" in result.stderr


def test_a_stem_never_overwrites_an_input(separate):
    samples = 0.1 * torch.ones(1, 100)
    Path("good").mkdir()
    write_audio("good/vocals.wav", Audio(samples, 8000), encoding=Encoding("wav", "16"))
    before = Path("good/vocals.wav").read_bytes()
    result = separate("good.wav", "good/vocals.wav", "-o", ".")
    assert result.exit_code == 1
    assert "overwrite" in result.stderr
    assert Path("good/vocals.wav").read_bytes() == before


@pytest.mark.parametrize("n_samples", [1, 2, 100])
def test_short_files_are_separated(separate, n_samples):
    write_audio("short.wav", Audio(torch.full((2, n_samples), 0.25), 44100), encoding=Encoding("wav", "24"))
    assert separate("short.wav").exit_code == 0
    assert soundfile.info("separated/short/vocals.wav").frames == n_samples


UNUSUAL = ["夜の歌.wav", "a song with spaces.wav", "-dash.wav", "x" * 200 + ".wav", "percent%20{}.wav", "take[1].wav"]


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_names(separate, name):
    Path("good.wav").rename(name)
    result = separate(f"./{name}")
    assert (result.exit_code, result.stderr) == (0, "")
    assert left() == sorted(f"{Path(name).stem}/{file}" for file in ("manifest.json", "residual.wav", "vocals.wav"))


def test_a_name_that_is_too_long(separate):
    result = separate("y" * 300 + ".wav", "good.wav")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert left() == ["good/manifest.json", "good/residual.wav", "good/vocals.wav"]


def test_a_name_that_is_no_utf8(separate):
    name = os.fsdecode(b"caf\xe9.wav")
    try:
        Path("good.wav").rename(name)
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    result = separate(name, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["file"] == name
    Path(name).write_text("no sound")
    result = separate(name)
    assert result.exit_code == 1
    assert "caf?.wav" in result.stderr
