"""The FiLM U-Net of random sizes against the same computed plainly, in float64."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from unbraid.audio.signal import Audio
from unbraid.guides.kinds import Examples, Label, Target
from unbraid.models.film_unet import FilmUnet
from unbraid.models.film_unet_config import FilmUnetConfig
from unbraid.models.layers.example_encoder import EncoderShape

sys.path.insert(0, str(Path(__file__).parent))
from make_film_unet_vectors import draw_weights
from plain_film_unet import PlainFilmUnet

EXACT = 1e-10
RATE = 2000
KINDS = ("classes", "examples", "negatives")


def relative(estimate: Tensor, reference: Tensor) -> float:
    return float((estimate - reference).abs().max() / reference.abs().max())


def draw_config(dice: random.Random, kind: str) -> FilmUnetConfig:
    """Return a small network of random size; the sizes of its transform are no powers of two."""
    n_blocks = dice.randint(1, 3)
    n_fft = dice.choice([32, 48, 50, 64, 90])
    encoder = EncoderShape(
        embedding_size=dice.randint(5, 9),
        n_features=tuple(dice.randint(1, 5) for _ in range(n_blocks)),
        front_end=dice.choice(["mel", "linear"]),
        n_mels=dice.choice([8, 11, 16]),
    )
    config = FilmUnetConfig(
        encoder=encoder,
        negatives=kind == "negatives",
        sample_rate=RATE,
        n_fft=n_fft,
        hop_length=dice.choice([n_fft // 2, n_fft // 4, 7]),
        segment=dice.choice([0.16, 0.19]),
        input=dice.choice(["complex", "magnitude"]),
        compression=dice.choice([0.5, 1.0, 4.0]),
        mask=dice.choice(["tanh", "sigmoid"]),
        n_features=tuple(dice.randint(1, 6) for _ in range(dice.randint(1, 4))),
        kernel_size=dice.choice([3, 5, 7]),
        decoder_activation=dice.choice(["leaky_relu", "relu"]),
    )
    if kind != "classes":
        return config
    return replace(config, encoder=None, classes=("vocals", "drums", "bass")[: dice.randint(1, 3)])


def build(config: FilmUnetConfig, seed: int) -> tuple[FilmUnet, PlainFilmUnet]:
    """Return the network in float64, its window too, and the plain one."""
    model = FilmUnet(config).eval()
    weights = draw_weights(model, seed)
    model.load_state_dict(weights)
    model.double()
    model.stft.window.copy_(torch.hann_window(config.n_fft, dtype=torch.float64))
    return model, PlainFilmUnet(config, weights)


def draw_recordings(dice: random.Random, model: FilmUnet, generator: torch.Generator, fewest: int) -> list[Audio]:
    """Return up to three recordings, the shortest that the network takes and such as several windows cover."""
    lengths = [dice.choice([model.min_samples, 150, 260, 731]) for _ in range(dice.randint(fewest, 3))]
    return [
        Audio(torch.randn(dice.choice([1, 2]), max(length, model.min_samples), generator=generator), RATE)
        for length in lengths
    ]


def mono(recordings: list[Audio]) -> list[Tensor]:
    return [recording.samples.mean(dim=0) for recording in recordings]


def ask(model: FilmUnet, plain: PlainFilmUnet, dice: random.Random, seed: int) -> tuple[list[Target], list[Tensor]]:
    """Return one or two targets, and their queries as the plain network makes them."""
    if model.vocabulary:
        names = model.vocabulary[-2:]
        return [Target(name, Label(name)) for name in names], [
            torch.eye(len(model.vocabulary), dtype=torch.float64)[model.vocabulary.index(name)] for name in names
        ]
    targets, queries = [], []
    for number in range(dice.randint(1, 2)):
        generator = torch.Generator().manual_seed(10 * seed + number)
        positive = draw_recordings(dice, model, generator, 1)
        negative = draw_recordings(dice, model, generator, 0) if model.neg is not None else []
        targets.append(Target(f"sound {number}", Examples(positive, negative)))
        queries.append(plain.query(mono(positive), mono(negative)))
    return targets, queries


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", KINDS)
def test_random_sizes(kind, seed, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    dice = random.Random(f"{kind} {seed}")
    model, plain = build(draw_config(dice, kind), seed)
    targets, queries = ask(model, plain, dice, seed)
    condition = model.condition(targets)
    assert relative(condition.queries, torch.stack(queries)) < EXACT
    generator = torch.Generator().manual_seed(seed)
    mixture = 0.2 * torch.randn(dice.choice([1, 2]), dice.choice([200, 263]), generator=generator, dtype=torch.float64)
    expected = [[plain.separate(channel, query)[0] for channel in mixture] for query in queries]
    expected = torch.stack([torch.stack(channels) for channels in expected])  # [S, C, N]
    with torch.no_grad():
        assert relative(model(mixture[None], condition).stems[0], expected) < EXACT
    drawn, magnitude = model.separate_windows(mixture, torch.stack([queries[0]] * len(mixture)))  # as in training
    assert relative(drawn.detach(), expected[0]) < EXACT
    assert relative(magnitude[-1].detach(), plain.separate(mixture[-1], queries[0])[1]) < EXACT
