"""Random checkpoints with the key names and shapes of the published priors of InstGlow, at any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

Shapes = Iterator[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Toy:
    """Sizes of a checkpoint."""

    n_channels: int = 10
    n_squeeze: int = 2
    n_blocks: int = 2
    n_split: int = 4
    n_hidden: int = 4
    kernel_size: int = 3
    n_layers: int = 2
    n_unused: int = 3

    @property
    def width(self) -> int:
        return self.n_channels * self.n_squeeze


PUBLISHED = Toy(514, 2, 12, 4, 128, 5, 4, 256)


def published_instglow_tensors(toy: Toy, seed: int) -> dict[str, Tensor]:
    """Draw every tensor of a checkpoint, those that are never used included; the flow stays tame."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for key, shape in published_shapes(toy):
        value = torch.randn(shape, generator=generator)
        if key.endswith("weight_g"):
            value = value.abs() + 0.5
        elif "end" in key or key.endswith(("logs", "bias")):
            value = 0.2 * value
        elif shape == (toy.n_split, toy.n_split):
            value = torch.linalg.qr(value).Q
        tensors[key] = value
    return tensors


def published_shapes(toy: Toy) -> Shapes:
    """Name every tensor of a checkpoint, with its shape."""
    d = toy.n_hidden
    for block in range(toy.n_blocks):
        norm, mix, coupling = (f"decoder.flows.{3 * block + part}" for part in range(3))
        yield f"{norm}.logs", (1, toy.width, 1)
        yield f"{norm}.bias", (1, toy.width, 1)
        yield f"{mix}.weight", (toy.n_split, toy.n_split)
        yield from _normed(f"{coupling}.start", d, toy.width // 2, 1)
        yield f"{coupling}.end.weight", (toy.width, d, 1)
        yield f"{coupling}.end.bias", (toy.width,)
        for layer in range(toy.n_layers):
            is_last = layer == toy.n_layers - 1
            yield from _normed(f"{coupling}.wn.in_layers.{layer}", 2 * d, d, toy.kernel_size)
            yield from _normed(f"{coupling}.wn.res_skip_layers.{layer}", d if is_last else 2 * d, d, 1)
        yield from _normed(f"{coupling}.wn.cond_layer", 2 * d * toy.n_layers, toy.n_unused, 1)


def _normed(name: str, n_out: int, n_in: int, kernel_size: int) -> Shapes:
    yield f"{name}.bias", (n_out,)
    yield f"{name}.weight_g", (n_out, 1, 1)
    yield f"{name}.weight_v", (n_out, n_in, kernel_size)
