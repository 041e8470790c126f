import typer
from typer.testing import CliRunner

from unbraid.cli.render import render

app = typer.Typer()
app.command()(render)


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_layouts(tmp_path):
    common = ["--tracks", 1, "--jobs", 1, "--seed", 2]
    done = run(tmp_path / "slakh", *common, "--duration", 1.5, "--soundfont", "")
    assert done.exit_code == 0
    assert "1 tracks made" in done.output
    assert "times real time" in done.output
    assert (tmp_path / "slakh" / "Track00001" / "metadata.yaml").is_file()
    assert run(tmp_path / "stems", *common, "--duration", 1.5, "--soundfont", "", "--layout", "stems").exit_code == 0
    assert list((tmp_path / "stems" / "Track00001").glob("*.flac"))
    done = run(tmp_path / "sounds", *common, "--layout", "sounds", "--mono")
    assert done.exit_code == 0
    assert (tmp_path / "sounds" / "sfx" / "00001.flac").is_file()


def test_repeating_a_call_makes_nothing(tmp_path):
    call = [tmp_path / "a", "--tracks", 1, "--jobs", 1, "--duration", 1, "--soundfont", "", "--layout", "stems"]
    run(*call)
    assert "0 tracks made" in run(*call).output


def test_usage_errors(tmp_path):
    assert run(tmp_path / "a", "--tracks", 0).exit_code == 2
    assert run(tmp_path / "a", "--layout", "cake").exit_code == 2
    refused = run(tmp_path / "a", "--soundfont", tmp_path / "none.sf2")
    assert refused.exit_code == 2
    assert "no SoundFont at" in refused.stderr
    assert not (tmp_path / "a").exists()
