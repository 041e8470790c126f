"""The door itself: help, version, exit codes."""

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

import unbraid
from unbraid.cli.main import Door, app
from unbraid.errors import AudioReadError, Cancelled, GuideError, UnbraidError


def run(*words, app=app):
    return CliRunner().invoke(app, list(words), prog_name="unbraid")


def test_help_lists_the_commands_everyday_ones_first():
    result = run("--help")
    assert result.exit_code == 0
    listed = [line.split()[0] for line in result.output.partition("Commands:")[2].splitlines() if line.strip()]
    assert listed[0] == "separate"
    assert {"separate", "models", "train", "evaluate", "import-checkpoint", "doctor"} <= set(listed)


@pytest.mark.parametrize("command", list(typer.main.get_command(app).commands))
def test_every_command_explains_itself(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: unbraid {command}")
    assert run(command, "-h").output == result.output


def test_every_option_has_a_help_text():
    for name, command in typer.main.get_command(app).commands.items():
        for parameter in command.params:
            assert parameter.help, f"unbraid {name}: {parameter.name}"


def test_version():
    result = run("--version")
    assert (result.exit_code, result.output) == (0, f"unbraid {unbraid.__version__}\n")


@pytest.mark.parametrize("words", [["separat"], ["--loud"], ["doctor", "--loud"], ["separate"]])
def test_what_cannot_be_is_exit_code_2(words):
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("unbraid: ")
    assert len(result.stderr.splitlines()) == 1


def test_wrong_words_are_told_with_what_explains_them():
    assert run("separate").stderr == "unbraid: missing argument 'FILES': see unbraid separate --help\n"
    assert "no such option: --loud: see unbraid doctor --help" in run("doctor", "--loud").stderr
    assert "'nowhere' is neither" in run("evaluate", "nowhere").stderr
    assert "unbraid: 'aac' is not" not in run("separate", "a.wav", "--format", "aac").stderr


def test_no_words_at_all_show_the_help():
    assert run().stderr.startswith("Usage: unbraid") or run().stdout.startswith("Usage: unbraid")


@pytest.mark.parametrize(
    ("error", "code"),
    [(GuideError("a b"), 2), (AudioReadError("a b"), 1), (UnbraidError("a b"), 1), (Cancelled("a b"), 130)],
)
def test_our_errors_are_one_line_on_stderr(error, code):
    failing = typer.Typer(cls=Door)

    @failing.command()
    def fail() -> None:
        raise error

    @failing.command()
    def other() -> None:
        raise AssertionError

    result = run("fail", app=failing)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "unbraid: a b\n")


@pytest.mark.parametrize("group", [[], ["priors"], ["datasets"]])
def test_no_command_of_a_list_is_cut_off(group):
    commands = run(*group, "--help").stdout.partition("Commands:")[2]
    assert commands
    assert "..." not in commands


def test_ctrl_c_is_exit_code_130():
    failing = typer.Typer(cls=Door)

    @failing.command()
    def fail() -> None:
        raise KeyboardInterrupt

    @failing.command()
    def other() -> None:
        raise AssertionError

    result = run("fail", app=failing)
    assert result.exit_code == 130
    assert result.stdout == ""
    assert "stopped" in result.stderr


def test_errors_that_are_not_ours_are_not_hidden():
    failing = typer.Typer(cls=Door)

    @failing.command()
    def fail() -> None:
        raise ZeroDivisionError

    @failing.command()
    def other() -> None:
        raise AssertionError

    assert isinstance(run("fail", app=failing).exception, ZeroDivisionError)


def test_python_m_unbraid_is_the_same_door():
    answer = subprocess.run([sys.executable, "-m", "unbraid", "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout == f"unbraid {unbraid.__version__}\n"
