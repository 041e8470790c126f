import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from unbraid.audio.encoding import Encoding
from unbraid.audio.files import write_audio
from unbraid.audio.signal import Audio
from unbraid.cli.main import app
from unbraid.zoo import debug_model, save_weights


@pytest.fixture
def run():
    return lambda *words: CliRunner().invoke(app, ["listen", *map(str, words)])


def noise(folder: Path, *names: str, seconds: float = 1.5) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(len(folder.name))
    for name in names:
        samples = 0.1 * torch.randn(1, round(8000 * seconds), generator=generator)
        write_audio(folder / f"{name}.wav", Audio(samples, 8000), encoding=Encoding("wav", "16"))


def answers_of(folder: Path, listener: str) -> Path:
    test = json.loads((folder / "test.js").read_text().removeprefix("window.TEST = ").rstrip(";\n"))
    key = json.loads(folder.with_name(f"{folder.name}.key.json").read_text())["pages"]
    scores = {"reference": 100, "anchor": 10, "mixture": 0}
    given = [
        {"trial": page["id"], "stimulus": one, "score": scores.get(key[page["id"]]["stimuli"][one], 60)}
        for page in test["trials"]
        for one in page["stimuli"]
    ]
    file = folder.with_name(f"answers-{listener}.json")
    content = {"format": "unbraid-listening-answers-1", "test": test["id"], "listener": listener, "answers": given}
    file.write_text(json.dumps(content))
    return file


def test_from_trials_to_a_verdict(run, tmp_path):
    for song in ("one", "two"):
        noise(tmp_path / "trials" / song, "mixture", "reference", "ours", "theirs")
    made = run(tmp_path / "trials", "-o", tmp_path / "test", "--seconds", "1", "--json")
    assert made.exit_code == 0, made.output
    document = json.loads(made.stdout)
    assert (document["pages"], document["trials"]) == (4, 2)
    answers = [answers_of(tmp_path / "test", name) for name in ("ann", "bob")]
    judged = run("--analyze", document["key"], *answers)
    assert judged.exit_code == 0, judged.output
    assert "2 of 2 listeners count" in judged.stdout
    assert "| timbre | ours | 60.00 [60.00, 60.00] | 60 |" in judged.stdout
    found = json.loads(run("--analyze", document["key"], *answers, "--json").stdout)
    assert {one["method"] for one in found["ratings"]} == {"reference", "anchor", "mixture", "ours", "theirs"}


def test_one_part_alone(run, tmp_path):
    noise(tmp_path / "trial", "mixture", "reference", "ours")
    assert run(tmp_path / "trial", "-o", tmp_path / "test", "--part", "timbre").exit_code == 0
    key = json.loads((tmp_path / "test.key.json").read_text())
    assert [page["part"] for page in key["pages"].values()] == ["timbre"]


def test_models_are_asked_for_sounds_of_recordings(run, tmp_path):
    for song in ("a", "b", "c"):
        noise(tmp_path / "songs" / song, "vocals", "drums")
    for seed in (0, 1):
        save_weights(debug_model(seed=seed), tmp_path / f"model-{seed}.safetensors")
    models = [word for seed in (0, 1) for word in ("-m", tmp_path / f"model-{seed}.safetensors")]
    made = run("--data", tmp_path / "songs", *models, "--trials", 2, "--seconds", 1, "-o", tmp_path / "test")
    assert made.exit_code == 0, made.output
    key = json.loads((tmp_path / "test.key.json").read_text())["pages"].values()
    assert len(key) == 4
    sounds = [page["trial"].rpartition(", ")[2] for page in key if page["part"] == "quality"]
    assert sorted(sounds) == ["drums", "vocals"]  # they take turns
    assert all({"model-0", "model-1"} < set(page["stimuli"].values()) for page in key)
    too_many = run("--data", tmp_path / "songs", *models, "--trials", 4, "-o", tmp_path / "more")
    assert too_many.exit_code == 2
    assert "ask for fewer trials" in too_many.stderr
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give folders of trials, or --data ROOT"),
        (("trials", "--data", "songs", "-m", "tuss-small"), "give folders of trials, or --data ROOT"),
        (("--data", "songs"), "give folders of trials, or --data ROOT"),
        (("trials", "-m", "tuss-small"), "give folders of trials, or --data ROOT"),
        (("trials", "--keep-all"), "--keep-all is about answers"),
        (("--analyze", "x.key.json", "--out", "y", "z.json"), "leave one of them out"),
    ],
)
def test_calls_that_make_no_sense(run, words, message):
    result = run(*words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_a_key_that_is_none(run, tmp_path):
    (tmp_path / "x.json").write_text("[]")
    result = run("--analyze", tmp_path / "x.json", tmp_path / "x.json")
    assert result.exit_code == 2
    assert "is not a key of a listening test" in result.stderr


def test_a_taken_place_is_told_before_any_work(run, tmp_path):
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "mine.txt").touch()
    told = run("--data", tmp_path / "nowhere", "-m", "nobody", "-o", tmp_path / "test")
    assert told.exit_code == 2
    assert "is there already" in told.stderr
