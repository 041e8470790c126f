import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from unbraid.cli.main import app
from unbraid.zoo import debug_model, save_weights

RATE = 16000


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("compare")
    for seed, song in enumerate(("one", "two", "three")):
        (root / "songs" / song).mkdir(parents=True)
        for number, stem in enumerate(("vocals", "drums")):
            noise = 0.1 * np.random.default_rng(10 * seed + number).standard_normal(RATE // 2)
            soundfile.write(root / "songs" / song / f"{stem}.flac", noise, RATE)
    for seed in (0, 1):
        save_weights(debug_model(seed=seed), root / f"debug-{seed}.safetensors")
        call = [
            "evaluate",
            root / "songs",
            "-m",
            root / f"debug-{seed}.safetensors",
            "--out",
            root / f"{seed}",
            "--cases",
            0,
        ]
        assert CliRunner().invoke(app, list(map(str, call))).exit_code == 0
    return root


def test_two_results_are_compared(results: Path, tmp_path: Path) -> None:
    page = tmp_path / "page" / "comparison.md"
    found = CliRunner().invoke(app, ["compare", str(results / "0"), str(results / "1"), "--out", str(page)])
    assert found.exit_code == 0, found.output
    assert "# debug-1 against debug-0: si_sdr" in found.stdout
    assert "| all-prompts | vocals | 3 |" in found.stdout
    assert page.read_text(encoding="utf-8") == found.stdout
    call = [
        "compare",
        str(results / "0" / "results.jsonl"),
        str(results / "1"),
        "--json",
        "--score",
        "snr",
        "--tracks",
        "1",
    ]
    document = json.loads(CliRunner().invoke(app, call).stdout)
    assert document["score"] == "snr"
    assert {one["target"] for one in document["targets"]} == {"vocals", "drums", "all"}
    assert len(document["rose_most"]) <= 1


def test_what_cannot_be_compared_is_told(results: Path) -> None:
    found = CliRunner().invoke(app, ["compare", str(results / "0"), str(results / "nothing")])
    assert found.exit_code == 2
    assert "there are no results" in found.output


def test_what_cannot_be_asked_for_is_exit_code_2(results: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    pair = ["compare", str(results / "0"), str(results / "1")]
    for words, told in (
        (["--out", str(tmp_path / "file" / "page.md")], "cannot be written"),
        (["--first", "nobody"], "no records of nobody"),
        (["--score", "beauty"], "have no beauty of the same recordings in common"),
    ):
        found = CliRunner().invoke(app, [*pair, *words, "--json"])
        assert found.exit_code == 2
        assert told in json.loads(found.stdout)["error"]["message"]
        assert len(found.stderr.splitlines()) == 1
