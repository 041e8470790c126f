"""The examples run, as a newcomer would run them."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from unbraid import Audio
from unbraid.audio.encoding import Encoding
from unbraid.audio.files import read_audio
from unbraid.audio.writing import write_audio

HOUSE = Path(__file__).parents[1]
DEMO = HOUSE / "demo" / "francium"


@pytest.fixture
def recording(tmp_path):
    samples = 0.1 * torch.randn(2, 66150, generator=torch.Generator().manual_seed(0))
    return write_audio(tmp_path / "recording.wav", Audio(samples, 44100), encoding=Encoding("wav", "24")).path


def run(name, *words, folder):
    command = [sys.executable, "-W", "error", str(HOUSE / name), *map(str, words)]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_every_example_has_a_test():
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"examples/{path.name}"' in text for path in (HOUSE / "examples").glob("*.py"))


def test_karaoke(tmp_path, recording, debug_weights):
    printed = run("examples/karaoke.py", recording, "backing.wav", "--model", debug_weights, folder=tmp_path)
    assert "backing.wav: 1.5 s" in printed
    assert read_audio(tmp_path / "backing.wav").samples.shape == (2, 66150)


def test_when_does_it_sound(tmp_path, recording, debug_weights):
    printed = run(
        "examples/when_does_it_sound.py", recording, "vocals drums", "--model", debug_weights, folder=tmp_path
    )
    heading, *lines = printed.splitlines()
    assert heading.split() == ["second", "vocals", "drums"]
    assert len(lines) >= 1
    assert all(0 <= float(value) <= 1 for line in lines for value in line.split()[1:])


def test_long_recording(tmp_path, recording, debug_weights):
    printed = run("examples/long_recording.py", recording, "speech.wav", "--model", debug_weights, folder=tmp_path)
    assert "presence of speech 0." in printed
    assert read_audio(tmp_path / "speech.wav").samples.shape == (2, 66150)


def test_demo(tmp_path, debug_weights):
    printed = run("examples/demo.py", "--model", debug_weights, folder=tmp_path)
    names = ["vocals", "drums", "bass", "other", "residual"]
    for name in names:
        assert name in printed
        assert read_audio(tmp_path / "demo-out" / f"{name}.wav").duration == pytest.approx(7.0)
    written = [read_audio(tmp_path / "demo-out" / f"{name}.wav").samples for name in names]
    mixture = read_audio(DEMO / "mixture.flac").samples
    assert torch.allclose(torch.stack(written).sum(0), mixture, atol=5 * 2**-16)


def test_the_demo_recording_is_the_sum_of_its_stems():
    stems = [read_audio(DEMO / f"{name}.flac").samples for name in ("vocals", "drums", "other")]
    assert torch.equal(sum(stems), read_audio(DEMO / "mixture.flac").samples)


def test_picture(tmp_path, debug_weights):
    run("docs/make_picture.py", "--model", debug_weights, "--out", "picture.png", folder=tmp_path)
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
