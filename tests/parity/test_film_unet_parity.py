"""The FiLM U-Net against stored vectors of our own, and against the same computed plainly."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from unbraid.models.film_unet import FilmUnet

sys.path.insert(0, str(Path(__file__).parent))
from make_film_unet_vectors import CASES, embed
from plain_film_unet import PlainFilmUnet

VECTORS = Path(__file__).parent / "vectors"
TOLERANCE = 1e-4


def relative(estimate: Tensor, reference: Tensor) -> float:
    return float((estimate - reference).abs().max() / reference.abs().max())


def load(name: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    content = load_file(VECTORS / f"{name}.safetensors")
    return {key.removeprefix("w."): value for key, value in content.items() if key.startswith("w.")}, content


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_stored_vectors(name, grad):
    weights, content = load(name)
    model = FilmUnet(CASES[name]).eval()
    model.load_state_dict(weights)
    with torch.set_grad_enabled(grad):
        if model.encoder is None:
            query = model.embed_classes(["drums", "vocals"])
        else:
            negative = content["in.negative"] if model.neg is not None else None
            query = embed(model, content["in.positive"], negative)
        estimate, magnitude = model.separate_windows(content["in.mixture"], query)
    assert relative(query.detach(), content["out.query"]) < TOLERANCE
    assert relative(estimate.detach(), content["out.estimate"]) < TOLERANCE
    assert relative(magnitude.detach(), content["out.magnitude"]) < TOLERANCE


@pytest.mark.parametrize("name", CASES)
def test_plain_computation(name):
    weights, content = load(name)
    plain = PlainFilmUnet(CASES[name], weights)
    if "in.positive" in content:
        negative = content["in.negative"] if CASES[name].negatives else [(), ()]
        sides = zip(content["in.positive"], [negative[0], ()], strict=True)  # those of the first item count
        assert relative(torch.stack([plain.query(*side) for side in sides]), content["out.query"]) < TOLERANCE
    estimate, magnitude = plain.separate(content["in.mixture"][0], content["out.query"][0].double())
    assert relative(estimate, content["out.estimate"][0]) < TOLERANCE
    assert relative(magnitude, content["out.magnitude"][0]) < TOLERANCE
