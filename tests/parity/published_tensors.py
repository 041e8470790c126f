"""Random checkpoints with the key names and shapes of the published TUSS files, at toy size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ToyPath:
    attention: int
    n_heads: int
    feed_forward: tuple[tuple[int, int], ...]  # (width, kernel), in the order of the published config


@dataclass(frozen=True)
class Toy:
    """A toy checkpoint; the time path of the first stack has kernel 1, as published."""

    prompts: tuple[str, ...] = ("speech", "sfx", "sfxbg", "drums", "bass", "vocals", "other", "musicbg")
    n_outputs: int = 1
    sos: bool = True
    n_features: int = 8
    widths: tuple[int, ...] = (2, 2, 3, 3, 3, 8, 12)
    frequency: ToyPath = ToyPath(8, 2, ((6, 4), (10, 4)))
    time: ToyPath = ToyPath(12, 2, ((6, 1), (4, 1)))


def published_tensors(toy: Toy, seed: int) -> dict[str, Tensor]:
    """Draw every tensor of a checkpoint, without the prefixes of the file."""
    generator = torch.Generator().manual_seed(seed)
    shapes = dict(_stack_shapes(toy)) | dict(_band_shapes(toy))
    shapes |= {f"prompts.{name}": (toy.n_features, 1, 1) for name in toy.prompts}
    if toy.sos and toy.prompts:
        shapes["sos_token"] = (toy.n_features, 1, 1)
    tensors = {key: 0.3 * torch.randn(shape, generator=generator) for key, shape in shapes.items()}
    for key, value in tensors.items():
        if "gamma" in key or (key.endswith(".0.weight") and value.ndim == 1):
            value.add_(1.0)
        if key.endswith("rope.freqs"):
            value.copy_(10000.0 ** (-torch.arange(len(value)) / len(value)))
    return tensors


def _stack_shapes(toy: Toy) -> Iterator[tuple[str, tuple[int, ...]]]:
    names = ("cross_prompt_module", "cond_tse_module") if toy.prompts else ("first_block", "second_block")
    d = toy.n_features
    for stack, n_blocks in zip(names, (2, 1), strict=True):
        for b in range(n_blocks):
            for name, path in (("freq_path", toy.frequency), ("frame_path", toy.time)):
                prefix = f"{stack}.{b}.{name}"
                for entry, (width, kernel) in enumerate(path.feed_forward):
                    j = len(path.feed_forward) - 1 - entry  # the file counts backwards
                    yield f"{prefix}.ffn_norm.{j}.gamma", (d,)
                    yield f"{prefix}.ffn.{j}.conv1d.weight", (2 * width, d, kernel)
                    yield f"{prefix}.ffn.{j}.conv1d.bias", (2 * width,)
                    yield f"{prefix}.ffn.{j}.deconv1d.weight", (width, d, kernel)
                    yield f"{prefix}.ffn.{j}.deconv1d.bias", (d,)
                yield f"{prefix}.attn_norm.gamma", (d,)
                yield f"{prefix}.attn.rope.freqs", (path.attention // path.n_heads // 2,)
                yield f"{prefix}.attn.qkv.weight", (3 * path.attention, d)
                yield f"{prefix}.attn.aggregate_heads.0.weight", (d, path.attention)


def _band_shapes(toy: Toy) -> Iterator[tuple[str, tuple[int, ...]]]:
    d = toy.n_features
    for k, width in enumerate(toy.widths):
        encoder = f"band_split_module.band_split_module.{k}"
        decoder = f"band_split_module.bandwise_decoding_module.{k}"
        layers = {
            f"{encoder}.0": (2 * width,),
            f"{encoder}.1": (d, 2 * width, 1),
            f"{decoder}.0": (d,),
            f"{decoder}.1": (4 * d, d, 1),
            f"{decoder}.3": (4 * d, 4 * d, 1),
            f"{decoder}.5": (4 * width * toy.n_outputs, 4 * d, 1),
        }
        for key, shape in layers.items():
            yield f"{key}.weight", shape
            yield f"{key}.bias", shape[:1]
