"""Random checkpoints with the key names and shapes of the published GuideSep files, at any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

Shapes = Iterator[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Toy:
    """Sizes of a checkpoint; with ``noisy=False`` that of the mask-prediction baseline."""

    n_features: int = 4
    multipliers: tuple[int, ...] = (2, 2)
    attention: tuple[bool, ...] = (False, True)
    n_blocks: int = 1
    n_mels: int = 6
    n_hidden: int = 5
    n_bins: int = 16
    text_size: int = 3
    n_text: int = 2
    noisy: bool = True

    @property
    def n_inputs(self) -> int:
        return 2 if self.noisy else 1


PUBLISHED = Toy(128, (1, 2, 2, 2), (False, False, True, True), 2, 80, 256, 256, 768, 120)


def published_guidesep_tensors(toy: Toy, seed: int) -> dict[str, Tensor]:
    """Draw every tensor of a checkpoint, those that are never used included."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for key, shape in published_shapes(toy):
        value = torch.randn(shape, generator=generator)
        if key.endswith((".g", "groupnorm.weight")):
            value = value.abs() + 0.5
        elif len(shape) > 1:
            value = value * (1 / value[0].numel()) ** 0.5
        tensors[key] = value
    return tensors


def published_shapes(toy: Toy) -> Shapes:
    """Name every tensor of a checkpoint, with its shape."""
    yield from _linear("mlp.hidden_layer", toy.n_hidden, toy.n_mels)
    yield from _linear("mlp.output_layer", toy.n_bins, toy.n_hidden)
    d, widths = toy.n_features, [toy.n_features, *(toy.n_features * factor for factor in toy.multipliers)]
    if toy.noisy:
        yield "net.to_time_hiddens.0.weights", (8,)
        yield from _linear("net.to_time_hiddens.1", 4 * d, 17)
        yield from _linear("net.to_time_cond.0", 4 * d, 4 * d)
        yield from _linear("net.to_time_tokens.0", 2 * d, 4 * d)
        yield "net.text_conditioner.null_text_embed", (1, toy.n_text, d)
        yield from _linear("net.text_conditioner.text_to_cond", d, toy.text_size)
        yield from _norm("net.text_conditioner.norm_cond", d)
    for tail, n_inputs in (("", toy.n_inputs), ("_cond", 5 if toy.noisy else 3)):
        for number, (width, kernel) in enumerate(((d // 2, 3), (d // 4, 7), (d - d // 2 - d // 4, 15))):
            yield from _linear(f"net.init_conv{tail}.convs.{number}", width, n_inputs, kernel, kernel)
        yield from _residual(toy, f"net.init_resnet_block{tail}", d, d, gated=True)
        for level, attends in enumerate(toy.attention):
            yield from _down(toy, f"net.downs{tail}.{level}.ds_block", *widths[level : level + 2], attends=attends)
            above = len(widths) - 2 - level
            before, width = widths[above : above + 2]
            yield from _up(toy, f"net.ups{tail}.{level}.us_block", before, width, attends=toy.attention[above])
        middle = "net.cond_mid_block" if tail else "net.mid_block"
        for number in (1, 2):
            name = f"{middle}.mid_block{number}"
            yield from _residual(toy, name, widths[-1], widths[-1], crossed=True)
        yield from _transformer(toy, f"{middle}.mid_attn", widths[-1], told=False)
    yield from _residual(toy, "net.final_res_block", d, d, gated=True)
    yield from _linear("net.final_conv", toy.n_inputs, d, 3, 3)


def _linear(name: str, *shape: int) -> Shapes:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def _norm(name: str, width: int) -> Shapes:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def _residual(toy: Toy, name: str, n_in: int, n_out: int, *, gated: bool = False, crossed: bool = False) -> Shapes:
    if toy.noisy:
        yield from _linear(f"{name}.time_mlp.1", 2 * n_out, 4 * toy.n_features)
    for number, width in ((1, n_in), (2, n_out)):
        yield from _norm(f"{name}.block{number}.groupnorm", width)
        yield from _linear(f"{name}.block{number}.project", n_out, width, 3, 3)
    if n_in != n_out:
        yield from _linear(f"{name}.res_conv", n_out, n_in, 1, 1)
    if gated:
        yield from _linear(f"{name}.gca.to_k", 1, n_out, 1, 1)
        yield from _linear(f"{name}.gca.net.0", max(3, n_out // 2), n_out, 1, 1)
        yield from _linear(f"{name}.gca.net.2", n_out, max(3, n_out // 2), 1, 1)
    if crossed:
        yield from _attention(toy, f"{name}.cross_attn", n_out, told=True)


def _attention(toy: Toy, name: str, width: int, *, told: bool) -> Shapes:
    yield f"{name}.to_q.weight", (width, width)
    yield f"{name}.to_kv.weight", (2 * width, width)
    yield f"{name}.to_out.weight", (width, width)
    if told:
        yield f"{name}.to_context.weight", (2 * width, toy.n_features)


def _transformer(toy: Toy, name: str, width: int, *, told: bool) -> Shapes:
    yield f"{name}.norm.g", (width,)
    yield from _attention(toy, f"{name}.layers.0.0", width, told=told)
    yield f"{name}.layers.0.1.0.g", (width,)
    yield f"{name}.layers.0.1.1.weight", (2 * width, width)
    yield f"{name}.layers.0.1.3.g", (2 * width,)
    yield f"{name}.layers.0.1.4.weight", (width, 2 * width)


def _down(toy: Toy, name: str, before: int, width: int, *, attends: bool) -> Shapes:
    yield from _linear(f"{name}.0.1", width, 4 * before, 1, 1)
    yield from _residual(toy, f"{name}.1", width, width, crossed=attends)
    for number in range(toy.n_blocks):
        yield from _residual(toy, f"{name}.2.{number}", width, width, gated=True)
    if attends:
        yield from _transformer(toy, f"{name}.3", width, told=True)


def _up(toy: Toy, name: str, before: int, width: int, *, attends: bool) -> Shapes:
    yield from _residual(toy, f"{name}.0", 2 * width, width, crossed=attends)
    for number in range(toy.n_blocks):
        yield from _residual(toy, f"{name}.1.{number}", 2 * width, width, gated=True)
    if attends:
        yield from _transformer(toy, f"{name}.2", width, told=True)
    yield from _linear(f"{name}.3.net.0", 4 * before, width, 1, 1)
