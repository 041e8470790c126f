"""What is said, and where."""

import json

import pytest
import typer

from unbraid.cli import console
from unbraid.cli.console import ProgressLine, UsageError, preparing
from unbraid.errors import AudioReadError, AudioWriteError, Cancelled, DatasetError, GuideError, ModelError, RecipeError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (GuideError("x"), 2),
        (ModelError("x"), 2),
        (AudioReadError("x"), 1),
        (AudioWriteError("x"), 1),
        (Cancelled("x"), 130),
    ],
)
def test_exit_codes(error, code):
    assert console.exit_code(error) == code


def test_an_error_is_one_line_that_names_the_file(capsys):
    console.complain(AudioReadError("cannot be read:\n  try again"), file="söng.wav")
    console.complain(AudioReadError("/music/song.wav is empty"), file="/music/song.wav")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "unbraid: söng.wav: cannot be read: try again\nunbraid: /music/song.wav is empty\n"


def test_an_error_without_words_has_its_name():
    assert console.one_line(KeyError()) == "KeyError"


def test_errors_as_json(capsys):
    console.emit(console.error_document(AudioReadError("is empty"), file="söng.wav"))
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "file": "söng.wav",
        "error": {"type": "AudioReadError", "message": "söng.wav: is empty"},
    }
    assert out.count("\n") == 1


def use_bar(line):
    with line:
        line.begin("song.wav")
        line.update(0.5)
        line.say("song.wav: vocals")
        line.begin("next.wav")
        line.update(1.0)


def test_progress_is_silent_in_a_pipe(capsys):
    use_bar(ProgressLine(2))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("quiet", [False, True])
def test_progress_on_a_terminal(capsys, monkeypatch, quiet):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    use_bar(ProgressLine(2, quiet=quiet))
    out, err = capsys.readouterr()
    assert out == ""
    if quiet:
        assert err == ""
    else:
        assert "[1/2] song.wav" in err
        assert "song.wav: vocals" in err


@pytest.mark.parametrize(("error", "code"), [(DatasetError("a b"), 2), (RecipeError("a b"), 2)])
def test_what_is_wrong_before_the_work_is_exit_code_2(error, code, capsys):
    with pytest.raises(typer.Exit) as left, preparing(as_json=True):
        raise error
    said = capsys.readouterr()
    assert left.value.exit_code == code
    assert said.err == "unbraid: a b\n"
    assert json.loads(said.out)["error"] == {"type": type(error).__name__, "message": "a b"}


@pytest.mark.parametrize("error", [AudioReadError("a b"), Cancelled("a b")])
def test_recordings_and_ctrl_c_keep_their_exit_codes(error):
    with pytest.raises(type(error)), preparing():
        raise error
