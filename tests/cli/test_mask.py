"""Canvases are written, painted on, and read back, through the door."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from unbraid.audio.encoding import Encoding
from unbraid.audio.signal import Audio
from unbraid.audio.writing import write_audio
from unbraid.cli.main import app


@pytest.fixture
def mask(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    samples = 0.3 * torch.randn(2, 88200, generator=torch.Generator().manual_seed(0))
    write_audio("my song.wav", Audio(samples, 44100), encoding=Encoding("wav", "16"))

    def run(*words):
        return CliRunner().invoke(app, ["mask", "my song.wav", *words], catch_exceptions=False)

    return run


def paint(name, *strokes):
    """Paint rectangles in color, and save as an editor does that drops what the file says about itself."""
    with Image.open(name) as image:
        picture = image.convert("RGB")
    for box, color in strokes:
        ImageDraw.Draw(picture).rectangle(box, fill=color)
    picture.save(name)


def test_a_canvas_is_written_and_told_how_to_use(mask):
    result = mask()
    assert (result.exit_code, result.stderr) == (0, "")
    with Image.open("my song-mask.png") as picture:
        assert picture.size == (126, 320)
    assert result.stdout.startswith("my song-mask.png: 2.00 s of my song.wav, 126 x 320 pixels; 62.5 pixels a second")
    assert "green" in result.stdout
    assert "red" in result.stdout
    assert "unbraid separate 'my song.wav' --mask 'my song-mask.png'" in result.stdout
    assert sorted(path.name for path in Path().iterdir()) == ["my song-mask.png", "my song.wav"]


def test_what_is_painted_is_told(mask):
    assert mask("-o", "new/a.png", "-q").stdout == ""
    paint("new/a.png", ((63, 0, 94, 159), "lime"), ((0, 316, 62, 319), "red"))
    result = mask("--check", "new/a.png")
    assert (result.exit_code, result.stderr.count("\n")) == (0, 1)
    assert "the negative strokes are so thin" in result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "new/a.png: a mask for 2.00 s of my song.wav"
    assert lines[1].startswith("  positive  12.7% of the picture, 1.00-1.51 s, 1768-7866 Hz")
    assert lines[2].startswith("  negative  0.6% of the picture, 0.00-1.00 s, 11-33 Hz")
    document = json.loads(mask("--check", "new/a.png", "--json").stdout)
    assert document["same_song"] is None
    assert document["positive"]["start"] == 1.0
    assert document["positive"]["most"] == 1.0
    assert document["negative"]["share"] == pytest.approx(63 / 126 / 80)


def test_one_side_and_other_forms(mask):
    np.save("a.npy", np.ones((80, 126), dtype=np.float32))
    document = json.loads(mask("--check", "a.npy", "--json").stdout)
    assert document["negative"] is None
    assert document["positive"]["share"] == 1
    assert "negative  nothing (not the sound)" in mask("--check", "a.npy").stdout


def test_a_canvas_of_another_file_of_the_same_length_is_noticed(mask):
    document = json.loads(mask("-o", "a.png", "--json").stdout)
    assert (document["mask"], document["n_columns"], document["duration"]) == ("a.png", 126, 2.0)
    from unbraid.guides.mask_canvas import CanvasNote
    from unbraid.guides.mask_files import read_canvas_note, save_canvas

    note = read_canvas_note(Path("a.png"))
    assert isinstance(note, CanvasNote)
    paint("a.png", ((0, 0, 99, 99), "lime"))
    with Image.open("a.png") as picture:
        save_canvas(np.asarray(picture), note, Path("a.png"))
    assert mask("--check", "a.png").stderr == ""
    write_audio("my song.wav", Audio(torch.zeros(1, 32000), 16000), encoding=Encoding("wav", "24"))
    result = mask("--check", "a.png", "--json")
    assert (result.exit_code, json.loads(result.stdout)["same_song"]) == (0, False)
    assert "was drawn from another file than my song.wav" in result.stderr


def test_nothing_is_written_over_without_force(mask):
    Path("a.png").write_text("painted")
    result = mask("-o", "a.png")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "--force" in result.stderr
    assert Path("a.png").read_text() == "painted"
    assert mask("-o", "a.png", "--force").exit_code == 0
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "hint", "code"),
    [
        (["-o", "a.jpg"], "ends in .png", 2),
        (["-o", "my song.wav/a.png"], "cannot be written", 2),
        (["-o", "folder.png", "--force"], "cannot be written", 2),
        (["--check", "gone.png"], "mask gone.png cannot be read", 2),
        (["--check", "my song.wav"], "is no mask: give a PNG", 2),
        (["--check", "short.npy"], "is of another song: it lasts 0.48 s, the mixture 2.00 s", 2),
        (["--check", "black.npy"], "nothing is painted", 2),
        (["--check", "a.png", "--force"], "--check writes nothing", 2),
        (["--check", "a.png", "-o", "b.png"], "--check writes nothing", 2),
    ],
)
def test_what_cannot_be_is_one_line(mask, words, hint, code):
    Path("folder.png").mkdir()
    np.save("short.npy", np.ones((80, 31)))
    np.save("black.npy", np.zeros((80, 126)))
    before = sorted(Path().iterdir())
    result = mask(*words)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (code, "", 1)
    assert hint in result.stderr
    document = json.loads(mask(*words, "--json").stdout)
    assert hint in document["error"]["message"]
    assert sorted(Path().iterdir()) == before


def test_a_song_that_cannot_be_read_is_exit_code_1(mask):
    Path("my song.wav").write_bytes(b"RIFF1234WAVEjunk")
    for words in ([], ["--check", "a.png"]):
        result = mask(*words)
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert "my song.wav" in result.stderr
    assert [path.name for path in Path().iterdir()] == ["my song.wav"]


def test_a_place_that_turns_out_to_be_none_leaves_nothing_behind(mask, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("unbraid.guides.mask_files.save_canvas", refuse)
    result = mask("-o", "new/a.png")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "No space left on device" in result.stderr
    assert list(Path("new").iterdir()) == []
    shutil.rmtree("new")
