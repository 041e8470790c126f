"""The list of public datasets, and the check of one."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from unbraid.cli.main import app
from unbraid.datasets.public.catalog import DATASETS


def run(*words):
    return CliRunner().invoke(app, ["datasets", *words], prog_name="unbraid")


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def songs(tmp_path):
    """A folder of two songs, one of which has a damaged stem."""
    for song in ("one", "zwei ü"):
        for name in ("vocals", "drums"):
            (tmp_path / song).mkdir(exist_ok=True)
            soundfile.write(tmp_path / song / f"{name}.wav", np.full(800, 0.1), 8000)
    (tmp_path / "zwei ü" / "drums.wav").write_bytes(b"RIFF")
    return tmp_path


def test_the_list_names_every_dataset_with_its_licence_and_address():
    result = run()
    assert result.exit_code == 0
    for name, dataset in DATASETS.items():
        assert f"{name}  {dataset.title}\n  {dataset.licence}\n  {dataset.url}\n" in result.stdout
    listed = json.loads(run("--json").stdout)
    assert list(listed) == list(DATASETS)
    assert listed["musdb18-hq"]["splits"] == ["train", "validation", "test", "train+validation"]


@pytest.mark.parametrize("name", list(DATASETS))
def test_show_prints_the_tree_and_the_citation(name):
    result = run("show", name)
    assert result.exit_code == 0
    for line in (*DATASETS[name].tree.strip().splitlines(), *DATASETS[name].citation.splitlines()):
        assert line.strip() in result.stdout


def test_a_name_that_is_not_there_is_answered_with_the_nearest():
    result = run("show", "musdb18hq")
    assert result.exit_code == 2
    assert "did you mean musdb18-hq?" in result.stderr
    assert "use one of musdb18, " in run("show", "zzzz").stderr


def test_check_tells_faults_with_their_cures_and_exits_with_1(songs):
    result = run("check", "song-folders", str(songs))
    assert result.exit_code == 1
    fault, summary = result.stdout.splitlines()
    assert fault.startswith("zwei ü/drums.wav: ")
    assert fault.endswith(": get or export the file again, or take it out")
    assert summary.endswith(": 1 fault")
    document = json.loads(run("check", "song-folders", str(songs), "--json").stdout)
    assert [fault["path"] for fault in document["faults"]] == ["zwei ü/drums.wav"]


def test_a_whole_dataset_is_exit_code_0(songs):
    soundfile.write(songs / "zwei ü" / "drums.wav", np.full(800, 0.1), 8000)
    result = run("check", "song-folders", str(songs))
    assert (result.exit_code, result.stdout) == (0, f"Folders of songs in {songs}: is whole\n")


def test_a_long_list_of_faults_is_cut(tmp_path):
    for number in range(60):
        (tmp_path / f"song {number:02}").mkdir()
        (tmp_path / f"song {number:02}" / "drums.wav").write_bytes(b"RIFF")
    lines = run("check", "song-folders", str(tmp_path)).stdout.splitlines()
    assert len(lines) == 52
    assert lines[50] == "... and 10 more: --json prints all"


def test_a_folder_that_is_another_is_one_line_on_stderr(tmp_path):
    result = run("check", "musdb18-hq", str(tmp_path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "this is not MUSDB18-HQ" in result.stderr


def test_the_help_does_not_wait_for_torch():
    code = "import sys, unbraid.cli.datasets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_check_that_cannot_begin_is_json_too(tmp_path):
    result = run("check", "musdb18-hq", str(tmp_path), "--json")
    assert result.exit_code == 2
    assert "is not MUSDB18-HQ" in json.loads(result.stdout)["error"]["message"]
