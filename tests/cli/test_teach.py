"""Teaching through the door."""

import json
import signal
from functools import partial
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from unbraid import Audio
from unbraid.audio.encoding import Encoding
from unbraid.audio.writing import write_audio
from unbraid.cli.main import app
from unbraid.cli.teach import STEPS
from unbraid.models.queries import load_query
from unbraid.teaching import TeachSettings
from unbraid.zoo import ZOO, load_model

RATE = 8000


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A current folder with an example, and an empty library."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNBRAID_LIBRARY", str(tmp_path / "library"))
    samples = 0.3 * torch.randn(1, RATE // 2, generator=torch.Generator().manual_seed(0))
    write_audio("riff.wav", Audio(samples, RATE), encoding=Encoding("wav", "16"))
    write_audio("silence.wav", Audio(0 * samples, RATE), encoding=Encoding("wav", "16"))
    return tmp_path


@pytest.fixture
def teach(desk, debug_weights, monkeypatch):
    small = partial(TeachSettings, n_songs=1, n_checks=2, seconds=0.25)
    monkeypatch.setattr("unbraid.teaching.tuning.TeachSettings", small)

    def run(*words):
        model = [] if "-m" in words else ["-m", str(debug_weights)]
        steps = [] if "--steps" in words else ["--steps", "1"]
        return CliRunner().invoke(app, ["teach", *map(str, words), *model, *steps], catch_exceptions=False)

    return run


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*.unbraid*"))


def test_a_label_goes_into_the_library(teach, desk):
    result = teach("lead riff", "--example", "riff.wav", "--not", "riff.wav")
    assert (result.exit_code, result.stderr) == (0, "")
    assert files(desk) == ["library/lead riff.unbraid"]
    assert "library/lead riff.unbraid" in result.stdout
    query = load_query("library/lead riff.unbraid")
    assert query.name == "lead riff"
    assert [one["sounds"] for one in query.facts["examples"]] == [True, False]
    assert query.facts["steps"] == 1


def test_json_is_what_the_file_holds(teach, desk):
    result = teach("riff", "--example", "riff.wav", "-o", "mine.unbraid", "--seed", "3", "--start", "bass", "--json")
    document = json.loads(result.stdout)
    query = load_query("mine.unbraid")
    assert document == {
        "query": "mine.unbraid",
        "name": "riff",
        "model": query.model,
        "model_sha256": query.model_sha256,
        **query.facts,
    }
    assert (document["seed"], document["start"]) == (3, "bass")
    assert files(desk) == ["mine.unbraid"]


def test_quiet_says_nothing_and_a_folder_takes_the_name(teach, desk):
    (desk / "labels").mkdir()
    result = teach("riff", "--example", "riff.wav", "-o", "labels", "-q")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert files(desk) == ["labels/riff.unbraid"]


def test_what_is_there_is_written_over_by_force_only(teach, desk):
    Path("riff.unbraid").write_text("dear")
    result = teach("riff", "--example", "riff.wav", "-o", "riff.unbraid")
    assert result.exit_code == 2
    assert "there already" in result.stderr
    assert Path("riff.unbraid").read_text() == "dear"
    assert teach("riff", "--example", "riff.wav", "-o", "riff.unbraid", "--force").exit_code == 0
    assert load_query("riff.unbraid").name == "riff"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bass", "--example", "riff.wav"], "knows 'bass' already"),
        (["a/b", "--example", "riff.wav"], "cannot be a file name"),
        (["riff", "--example", "missing.wav"], "missing.wav"),
        (["riff", "--example", "0:01-0:02"], "1-2s is a span of a mixture: teach with recordings"),
        (["riff", "--example", "silence.wav"], "is silent"),
        (["riff", "--example", "riff.wav", "--start", "nonsense"], "cannot begin at 'nonsense'"),
        (["riff", "--example", "riff.wav", "-m", "tuss-large"], "ships without weights"),
        (["riff", "--example", "riff.wav", "-m", "nonsense"], "unknown model"),
        (["riff", "--example", "riff.wav", "-o", "riff.txt"], "end in .unbraid"),
        (["riff", "--example", "riff.wav", "-o", "riff.wav/x.unbraid"], "choose another place"),
        (["riff", "--example", "riff.wav", "--device", "nonsense"], "nonsense"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(teach, desk, words, message):
    result = teach(*words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert files(desk) == []
    as_json = teach(*words, "--json")
    assert message in json.loads(as_json.stdout)["error"]["message"]


def test_an_example_is_needed(teach):
    assert teach("riff").exit_code == 2


def test_ctrl_c_leaves_nothing(teach, desk, monkeypatch):
    def press(*_, **__):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("unbraid.teaching.tuning.loss_of", press)
    assert teach("riff", "--example", "riff.wav", "-o", "riff.unbraid").exit_code == 130
    assert files(desk) == []


def test_left_alone_a_model_that_listens_learns_it(desk):
    result = CliRunner().invoke(app, ["teach", "riff", "--example", "riff.wav", "-o", "riff.unbraid", "--json"])
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["method"] == "listened"
    assert "Examples" in ZOO[document["model"]].guides
    assert list(load_model("riff.unbraid").taught) == ["riff"]


def test_the_number_of_steps_is_the_same_in_python():
    assert TeachSettings().steps == STEPS


def test_a_name_that_another_model_would_be_asked_for_is_refused(desk):
    refused = CliRunner().invoke(app, ["teach", "vocals", "--example", "riff.wav"])
    assert refused.exit_code == 2
    assert "tuss-small knows 'vocals' already" in refused.stderr
    assert files(desk) == []


def test_with_a_model_that_does_not_know_it_any_name_is_free(teach, desk):
    assert teach("guitar", "--example", "riff.wav").exit_code == 0
    assert files(desk) == ["library/guitar.unbraid"]
