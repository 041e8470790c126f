"""LaSAFT of random sizes against the same computed plainly, in float64; the plain one against published vectors."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from unbraid.models.lasaft import Lasaft
from unbraid.models.lasaft_network import FastNetwork
from unbraid.models.published_lasaft import build_lasaft

sys.path.insert(0, str(Path(__file__).parent))
from plain_lasaft import PlainLasaft
from published_lasaft_tensors import Toy, published_lasaft_tensors
from test_lasaft_parity import NETWORKS, golden, load_golden, published

EXACT = 1e-9
SLOPES = {"relu": 0.0, "leaky_relu": 0.01}
KINDS = {
    "baseline": Toy(query=False, key=False),
    "query": Toy(key=False),
    "key": Toy(query=False),
    "query and key": Toy(),
    "recordings": Toy(n_labels=0),
    "recordings, deaf": Toy(n_labels=0, query=False, key=False),
    "first, light": Toy(version=1),
    "first, heavy": Toy(version=1, light=False),
}


def relative(estimate: Tensor, reference: Tensor) -> float:
    return float((estimate - reference).abs().max() / reference.abs().max())


def draw(kind: str, seed: int) -> tuple[Toy, dict[str, Tensor], str]:
    """Return a small network of random size, its weights without prefixes, and its activation."""
    toy, dice = KINDS[kind], random.Random(f"{kind} {seed}")
    n_levels = dice.randint(1, 3)
    step = 16 if not toy.n_labels else 2 ** (n_levels + 1)  # a query net halves the bins three times
    toy = replace(
        toy,
        n_levels=n_levels,
        n_fft=step * dice.choice([3, 4, 5, 7, 9]),
        n_labels=toy.n_labels and dice.choice([1, 2, 4, 7]),
        n_features=dice.randint(1, 6),
        n_layers=dice.randint(1, 4),
        n_latent=dice.choice([1, 2, 3, 5, 8, 17]),
        query_size=dice.choice([1, 2, 5, 8]),
        key_size=dice.choice([1, 3, 8]),
        smallest=dice.choice([1, 2, 4, 16]),
    )
    tensors = published_lasaft_tensors(toy, seed)
    weights = {
        key.removeprefix("spec2spec."): -value if key.endswith("weight_g") and dice.random() < 0.5 else value
        for key, value in tensors.items()
    }
    return toy, weights, dice.choice(list(SLOPES))


def build(weights: dict[str, Tensor], activation: str) -> Lasaft:
    return build_lasaft(weights, {"activation": activation}, name="toy").double()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_random_sizes(kind, seed, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    toy, weights, activation = draw(kind, seed)
    model, plain = build(weights, activation), PlainLasaft(weights, SLOPES[activation])
    generator = torch.Generator().manual_seed(seed)
    n_frames = 2**toy.n_levels * (1 + seed)
    shape = (4, n_frames, toy.n_fft // 2 + 1)
    spectrogram = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    queries = torch.randn(2, toy.query_size, generator=generator, dtype=torch.float64)
    expected = plain.estimate(spectrogram, queries)
    assert relative(model.estimate(spectrogram, queries).detach(), expected) < EXACT
    if not toy.is_first:
        with torch.no_grad():
            fast = FastNetwork(model.network, torch.float64)(spectrogram, queries)
        assert relative(torch.stack([one[i] for i, one in enumerate(fast)]), expected) < EXACT


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", [kind for kind, toy in KINDS.items() if not toy.n_labels])
def test_random_recordings(kind, seed):
    toy, weights, activation = draw(kind, seed)
    generator = torch.Generator().manual_seed(seed)
    recording = torch.randn(2, 4, 9 + seed, toy.n_fft // 2 + 1, generator=generator, dtype=torch.float64)
    query = build(weights, activation).embedding(recording).detach()
    assert relative(query, PlainLasaft(weights).query(recording)) < EXACT


@golden
@pytest.mark.parametrize("name", [*NETWORKS, "v2_audio_query"])
def test_the_plain_one_reproduces_published_vectors(name):
    _, content = load_golden(name)
    weights = published(content)
    plain = PlainLasaft(weights, SLOPES["leaky_relu" if "leaky" in name else "relu"])
    if "in.query_spec" in content:
        query = plain.query(content["in.query_spec"])
    else:
        query = weights["embedding.weight"][content["in.condition"]]
    assert relative(plain.estimate(content["in.spec"], query), content["out.spec"]) < 1e-5
