import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import typer
from typer.testing import CliRunner

from unbraid.audio.signal import Audio
from unbraid.cli.evaluate import evaluate
from unbraid.datasets.pack import PackWriter, read_pack
from unbraid.datasets.track import SourcePool
from unbraid.errors import GuideError, ModelError
from unbraid.models import guidesep
from unbraid.models.guidesep import Guidesep
from unbraid.models.guidesep_network import TwinShape
from unbraid.models.lasaft import PRESETS, Lasaft
from unbraid.models.queries import Query, save_query, tensors_sha256
from unbraid.zoo import debug_model, load_model, save_weights

RATE = 16000


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "debug.safetensors"
    save_weights(debug_model(), path)
    return path


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    for seed, song in enumerate(("one", "two", "three")):
        folder = tmp_path / "songs" / song
        folder.mkdir(parents=True)
        for number, stem in enumerate(("vocals", "drums")):
            noise = 0.1 * np.random.default_rng(10 * seed + number).standard_normal(RATE // 2)
            soundfile.write(folder / f"{stem}.flac", noise, RATE)
    return tmp_path / "songs"


def run(*arguments: object) -> str:
    app = typer.Typer()
    app.command()(evaluate)
    result = CliRunner().invoke(app, ["tuss", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def records(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_tree_is_scored_in_all_modes_and_reported(songs: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = run("--data", songs, "-m", weights, "--out", out, "--single-prompt", "--absent")
    found = records(out)
    assert {(one["item"], one["mode"]) for one in found} == {
        (item, mode) for item in ("one", "two", "three") for mode in ("all-prompts", "single-prompt", "absent-prompt")
    }
    assert {one["model"] for one in found} == {"debug"}
    assert "| vocals | debug | 3 |" in text
    assert str(out / "report.md") in text
    report = (out / "report.md").read_text(encoding="utf-8")
    for heading in ("Scores by prompt", "All prompts against", "Prompts that are not there", "Beside the paper"):
        assert f"## {heading}" in report


def test_a_second_call_adds_only_what_is_new(songs: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("--data", songs, "-m", weights, "--out", out, "--tracks", 1, "--seed", 3)
    first = (out / "results.jsonl").read_text(encoding="utf-8")
    assert len({one["item"] for one in records(out)}) == 1
    run("--data", songs, "-m", weights, "--out", out, "--seed", 3)
    second = (out / "results.jsonl").read_text(encoding="utf-8")
    assert second.startswith(first)
    assert len({one["item"] for one in records(out)}) == 3
    run("--data", songs, "-m", weights, "--out", out, "--seed", 3)
    assert (out / "results.jsonl").read_text(encoding="utf-8") == second


def test_models_stand_side_by_side(songs: Path, weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_weights(debug_model(seed=1), other)
    out = tmp_path / "out"
    text = run("--data", songs, "-m", weights, "-m", other, "--out", out, "--tracks", 1)
    assert "| vocals | debug | 1 |" in text
    assert "| vocals | other | 1 |" in text
    assert len({one["weights"] for one in records(out)}) == 2


def test_mixtures_are_drawn_from_a_pack(weights: Path, tmp_path: Path) -> None:
    with PackWriter(tmp_path / "pack") as writer:
        for number in range(4):
            noise = 0.1 * torch.randn(1, RATE, generator=torch.Generator().manual_seed(number))
            writer.add(f"voice-{number}", Audio(noise, RATE), prompt="speech")
    out = tmp_path / "out"
    run("--data", tmp_path / "pack", "-m", weights, "--out", out, "--tracks", 2, "--precision", "bf16")
    found = records(out)
    assert {one["item"] for one in found} == {"draw-0-00000", "draw-0-00001"}
    assert {one["item_set"] for one in found} == {"drawn"}
    assert {one["settings"]["precision"] for one in found} == {"bf16"}


def test_only_held_out_tracks_are_drawn(weights: Path, tmp_path: Path) -> None:
    with PackWriter(tmp_path / "pack") as writer:
        for number in range(16):
            noise = 0.1 * torch.randn(1, RATE, generator=torch.Generator().manual_seed(number))
            writer.add(f"voice-{number}", Audio(noise, RATE), prompt="speech", track=f"speaker-{number}")
    _, expected = SourcePool(read_pack(tmp_path / "pack")).split(0.5)
    run("--data", tmp_path, "-m", weights, "--out", tmp_path / "out", "--tracks", 4, "--held-out", 0.5)
    used = {stem for one in records(tmp_path / "out") for source in one["sources"] for stem in source["stems"]}
    assert used
    assert used <= set(expected.sources)


def run_guided(protocol: str, *arguments: object, code: int = 0) -> str:
    app = typer.Typer()
    app.command()(evaluate)
    result = CliRunner().invoke(app, [protocol, *map(str, arguments)], catch_exceptions=code != 0)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("listener") / "listener.safetensors"
    torch.manual_seed(0)
    save_weights(Lasaft(PRESETS["lasaft-audio-debug"]).eval(), path)
    return path


def test_examples_are_put_to_a_model_that_takes_them(songs: Path, listener: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = run_guided("examples", "--data", songs, "-m", listener, "--out", out, "--examples", 1, "--tracks", 2)
    found = records(out)
    assert {one["protocol"] for one in found} == {"examples"}
    assert len({one["item"] for one in found}) == 2
    assert {one["mode"] for one in found} == {"same track x1", "other tracks x1", "another instrument x1", "noise x1"}
    assert "| same track x1 | vocals | listener | 2 |" in text
    report = (out / "report.md").read_text(encoding="utf-8")
    for heading in ("Scores by condition", "What an example changes", "The wrong instrument", "Left out"):
        assert f"## {heading}" in report


def test_labels_are_asked_for_as_stems_or_instruments(songs: Path, weights: Path, tmp_path: Path) -> None:
    run_guided("labels", "--data", songs, "-m", weights, "--out", tmp_path / "a", "--tracks", 1, "--classes", "stems")
    found = records(tmp_path / "a")
    assert {one["mode"] for one in found} == {"label"}
    assert {one["prompt"] for one in found} == {"vocals", "drums"}


def test_songs_are_composed_where_there_are_no_recordings(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_guided("labels", "--composed", 2, "--duration", 1.5, "-m", weights, "--out", out, "--classes", "stems")
    assert {one["item_set"] for one in records(out)} == {"composed"}
    assert "nothing to listen to" in run_guided("labels", "-m", weights, "--out", out, code=2)
    assert "give --data" in run_guided("tuss", "-m", weights, "--out", out, code=2)


def test_taught_labels_are_asked_for(songs: Path, listener: Path, weights: Path, tmp_path: Path) -> None:
    model = load_model(listener)
    query = Query("vocals", "listener", tensors_sha256(model), torch.ones(model.query_size))
    save_query(query, tmp_path / "vocals.unbraid")
    arguments = ("--data", songs, "--tracks", 1, "--out", tmp_path / "out", "--taught", tmp_path / "vocals.unbraid")
    run_guided("labels", *arguments, "-m", listener, "-m", weights)
    found = [one for one in records(tmp_path / "out") if one["model"] == "listener"]
    assert {one["prompt"] for one in found} == {"vocals"}
    assert "vocals" in found[0]["settings"]["taught"]
    with pytest.raises(GuideError, match="was taught to listener"):
        run_guided("labels", *arguments, "-m", weights)


def test_a_folder_is_examined_with_floors_on_several_processes(songs: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = run_guided(str(songs), "-m", weights, "--references", "--processes", 2, "--cases", 1, "--out", out)
    found = records(out)
    assert {one["model"] for one in found} == {
        "debug", "mixture", "silence", "oracle-ibm", "oracle-irm", "oracle-cirm"
    }  # fmt: skip
    assert {one["protocol"] for one in found} == {"folder"}
    scores = {(one["item"], one["prompt"], one["model"]): one for one in found}
    for item in ("one", "two", "three"):
        assert scores[item, "vocals", "mixture"]["si_sdr_improvement"] == 0.0
        assert scores[item, "vocals", "silence"]["snr"] == 0.0
        assert scores[item, "vocals", "oracle-cirm"]["si_sdr"] > scores[item, "vocals", "oracle-ibm"]["si_sdr"] > 0
    for name in ("report.md", "report.html"):
        assert str(out / name) in text
    assert "<audio" in (out / "report.html").read_text(encoding="utf-8")


def test_absent_prompts_are_put_to_floors_too(songs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("--data", songs, "-m", "silence", "--out", out, "--tracks", 1, "--absent", "--cases", 0)
    absent = [one for one in records(out) if one["mode"] == "absent-prompt"]
    assert {one["prompt"] for one in absent} == {"speech", "sfx", "sfx-mix", "bass", "other"}
    assert {one["level_db"] for one in absent} == {-120.0}


def test_labels_and_examples_are_put_to_floors_too(songs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call = ("--data", songs, "-m", "mixture", "-m", "oracle-irm", "--tracks", 1, "--cases", 0, "--out", out)
    run_guided("examples", *call, "--classes", "stems", "--examples", 1)
    found = {(one["mode"], one["prompt"], one["model"]): one["si_sdr"] for one in records(out)}
    assert found["same track x1", "vocals", "oracle-irm"] > found["same track x1", "vocals", "mixture"] + 3
    assert ("label", "drums", "mixture") in found


def test_examinations_are_listed_and_wrong_names_told(tmp_path: Path) -> None:
    text = run_guided("", "--list")
    assert "FOLDER" in text
    for name in ("tuss", "pointed-hum", "tuss-table3", "instglow-figure2"):
        assert f"\n{name} " in text
    assert "mean tuss-table3?" in run_guided("tuss-table4", "--out", tmp_path, code=2)
    assert "needs recordings" in run_guided("lasaft-table1", "--out", tmp_path, code=2)


def test_a_run_that_fails_leaves_no_folder_and_names_all_choices(songs: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with pytest.raises(ModelError, match=r"shipped are .*tuss-small.*; floors and ceilings are mixture, .*, nmf:FILE"):
        run("--data", songs, "-m", "mixtures", "--out", out)
    assert not out.parent.exists()
    out.mkdir(parents=True)
    with pytest.raises(ModelError, match="unknown model"):
        run("--data", songs, "-m", "mixtures", "--out", out)
    assert out.exists()


def test_pointed_protocols_write_their_own_pages(songs: Path, tmp_path: Path) -> None:
    shape = TwinShape(n_features=8, multipliers=(1, 1), attention=(False, False), n_blocks=1, n_groups=2, patch=8)
    config = replace(guidesep.PRESETS["guidesep"], network=shape)
    for name, one in {"drawn": replace(config, n_evaluations=1), "masked": guidesep.baseline(config)}.items():
        save_weights(Guidesep(one).eval(), tmp_path / f"{name}.safetensors", card={"steps": 7})
    out = tmp_path / "out"
    models = [word for name in ("drawn", "masked") for word in ("-m", tmp_path / f"{name}.safetensors")]
    models += ["-m", "oracle-irm"]
    text = run_guided("pointed-songs", "--data", songs, *models, "--tracks", 1, "--cases", 1, "--out", out)
    found = records(out)
    assert {(one["model"], one["settings"]["kind"], one["settings"].get("training_steps")) for one in found} == {
        ("drawn", "diffusion", 7), ("masked", "mask prediction", 7), ("oracle-irm", "floor or ceiling", None)
    }  # fmt: skip
    for name in ("pointed-songs.md", "pointed-songs.html", "pointed-claims.md"):
        assert (out / name).is_file()
        assert str(out / name) in text
