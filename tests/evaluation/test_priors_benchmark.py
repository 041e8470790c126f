"""The benchmark of searches with priors, on noise, with priors that know nothing."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import soundfile
import torch

from unbraid.models.instglow import Instglow, InstglowConfig
from unbraid.models.instglow_network import PRIORS
from unbraid.models.instglow_search import SearchConfig
from unbraid.zoo import save_weights

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "priors.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("priors_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["priors_benchmark"] = module
    spec.loader.exec_module(module)
    return module


benchmark = load()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, list[Path]]:
    torch.manual_seed(0)
    song = tmp_path / "songs" / "one"
    song.mkdir(parents=True)
    for name, level in (("vocals", 0.2), ("clean_guitar", 0.1), ("horns", 0.05), ("drums", 0.0)):
        soundfile.write(song / f"{name}.wav", level * torch.randn(44100).numpy(), 44100)
    paths = []
    for name in ("vocals", "guitar", "strings"):
        model = Instglow(InstglowConfig(names=(name,), priors=(PRIORS["debug"],)))
        paths.append(tmp_path / f"{name}.safetensors")
        save_weights(model, paths[-1], card={})
    return tmp_path / "songs", paths


def test_priors_answer_for_labels(files: tuple[Path, list[Path]]) -> None:
    folder, paths = files
    (song,) = benchmark.songs(folder, n_composed=0, start=0.25, seconds=0.5)
    assert (song.kind, song.sample_rate, set(song.sources)) == ("recorded", 44100, {"vocals", "other"})
    assert song.mixture.shape == (1, 22050)
    model = benchmark.read_priors(paths)
    assert model.vocabulary == ("vocals", "guitar", "strings")
    way = benchmark.Way(SearchConfig(n_iterations=3, learning_rate=0.05))
    answer = benchmark.answer(model, song, way)
    assert set(answer.si_sdr) == set(answer.sdr) == {"vocals", "other"}
    assert answer.n_iterations == 3
    assert 0 < answer.left < 1
    assert answer.factor > 0


def test_the_table_has_a_row_for_each_way() -> None:
    one = benchmark.Answer("recorded", {"vocals": 1.0, "drums": 3.0}, {"vocals": 2.0, "drums": 4.0}, 0.25, 40, 1.5)
    other = one._replace(si_sdr={"vocals": 2.0}, sdr={"vocals": 3.0}, left=0.75)
    lines = benchmark.table({"mle": [one, other], "default": [one]}, "recorded").splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == [
        "mle", "+1.50", "+3.00", "", "", "+2.00", "+3.00", "0.5000", "40", "1.50",
    ]  # fmt: skip
    assert lines[3].startswith("| default | +1.00 |")


def test_every_way_is_possible() -> None:
    assert {"mle", "map", "default"} <= set(benchmark.WAYS)
    for way in benchmark.WAYS.values():
        assert replace(way.search) == way.search
