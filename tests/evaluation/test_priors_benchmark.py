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
    (song,) = benchmark.songs(folder, 22050, n_composed=0, start=0.25, seconds=0.5)
    assert (song.kind, set(song.sources)) == ("recorded", {"vocals", "other"})
    assert song.mixture.shape == (11025,)
    model = benchmark.read_priors(paths)
    assert model.vocabulary == ("vocals", "guitar", "strings")
    way = benchmark.Way(SearchConfig(n_iterations=3, learning_rate=0.05, spread=0.1))
    bench = benchmark.Benchmark(model, [song])
    outcome = bench.answer(way)
    (answer,) = outcome.answers
    assert set(answer.si_sdr) == set(answer.sdr) == {"vocals", "other"}
    assert outcome.n_iterations == 3
    assert outcome.left > 0
    assert outcome.factor > 0
    other = bench.answer(way._replace(search=replace(way.search, exponent=4.0)))
    assert other.factor == outcome.factor  # it was found already
    assert other.answers != outcome.answers


def test_the_table_has_a_row_for_each_way() -> None:
    one = benchmark.Answer("recorded", {"vocals": 1.0, "drums": 3.0}, {"vocals": 2.0, "drums": 4.0})
    other = benchmark.Answer("recorded", {"vocals": 2.0}, {"vocals": 3.0})
    outcomes = {"mle": benchmark.Outcome([one, other], 50.4, 150, 1.5), "default": benchmark.Outcome([one], 9, 20, 0.5)}
    lines = benchmark.table(outcomes, "recorded").splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == [
        "mle", "+1.50", "+3.00", "", "", "+2.00", "+3.00", "50", "150", "1.50",
    ]  # fmt: skip
    assert lines[3].startswith("| default | +1.00 |")


def test_every_way_is_possible() -> None:
    assert {"mle", "map", "default"} <= set(benchmark.WAYS)
    for way in benchmark.WAYS.values():
        assert replace(way.search) == way.search


def test_ways_are_compared_on_the_same_sources() -> None:
    def outcome(*answers: dict[str, float]) -> object:
        return benchmark.Outcome([benchmark.Answer("recorded", one, one) for one in answers], 9, 20, 0.5)

    outcomes = {
        "mle": outcome({"vocals": 1.0, "drums": 3.0}, {"vocals": 2.0}),
        "map": outcome({"vocals": 0.5, "drums": 4.5}, {"vocals": 0.5}),
    }
    row = benchmark.differences(outcomes).splitlines()[2]
    assert row == "| map | -1.00 [-1.50, -0.50] | 1.50 |  |  | -0.50 [-1.50, 0.50] |"
