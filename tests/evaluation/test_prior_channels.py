"""The benchmark of ways to hear channels with priors, on noise, with priors that know nothing."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

from unbraid.models.instglow import Instglow, InstglowConfig
from unbraid.models.instglow_network import PRIORS
from unbraid.models.instglow_search import SearchConfig

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("prior_channels")


@pytest.fixture
def model() -> Instglow:
    torch.manual_seed(0)
    shape, search = replace(PRIORS["debug"], n_blocks=1), SearchConfig(n_iterations=3, learning_rate=0.1, spread=1.0)
    return Instglow(InstglowConfig(names=("low", "high"), priors=(shape, shape), search=search)).eval()


def test_ways_differ_in_the_channels_alone(benchmark: ModuleType, model: Instglow) -> None:
    """Of channels that are the same all ways hear the same; what the ways draw for a window is the same, too."""
    model.config = replace(model.config, search=replace(model.config.search, spread=0.0))
    for prior in model.priors:
        torch.nn.init.normal_(prior.blocks[0].norm.bias)
    mono = model.stft(torch.randn(1, 1, 2048)).expand(-1, 2, -1, -1)
    wide = model.stft(torch.randn(1, 2, 2048))
    expected = benchmark.mean(model, mono)
    assert expected.shape == (1, 2, *mono.shape[1:])
    for way in benchmark.WAYS.values():
        torch.testing.assert_close(way(model, mono), expected, rtol=1e-3, atol=1e-3)
    answers = [way(model, wide) for way in benchmark.WAYS.values()]
    for index, answer in enumerate(answers):
        assert all(not torch.allclose(answer, other, rtol=1e-3, atol=1e-3) for other in answers[index + 1 :])


def test_the_side_is_told_from_the_middle(benchmark: ModuleType) -> None:
    left = torch.randn(1000)
    song = benchmark.Passage("song", {"vocals": torch.stack([left, 0.5 * left]), "bass": torch.zeros(2, 1000)})
    assert benchmark.side_below_middle(song) == pytest.approx(20 * torch.tensor(3.0).log10())
