"""The benchmark of loud and soft rests, on a model whose answers are known."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from unbraid.evaluation.items import ItemSource
from unbraid.evaluation.metrics import si_sdr
from unbraid.models.separator import Separator

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "rest_levels.py"


@pytest.fixture
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rest_levels", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_rest_is_brought_to_a_level_below_the_target(benchmark: ModuleType) -> None:
    target, rest = torch.randn(2, 1, 8000).unbind()
    for level in (-6.0, 0.0, 12.0):
        mixture = target + benchmark.gain(target, rest, level) * rest
        assert float(si_sdr(estimate=mixture, reference=target).mean()) == pytest.approx(level, abs=0.3)


def test_the_louder_the_rest_the_more_can_be_improved(
    benchmark: ModuleType, make_item: Callable[..., ItemSource], separator_class: type[Separator]
) -> None:
    item = make_item("speech-1", "speech-2", "drums", "vocals").read()
    scores = benchmark.improvements(item, separator_class(), [0.0, 20.0])
    found = {(prompt, level): value for prompt, level, value in scores}
    assert {prompt for prompt, _ in found} == {"drums", "vocals"}
    for prompt in ("drums", "vocals"):
        assert found[prompt, 0.0] > 15
        assert found[prompt, 0.0] - found[prompt, 20.0] == pytest.approx(20, abs=1)
