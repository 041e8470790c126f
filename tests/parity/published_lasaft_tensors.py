"""Random checkpoints with the key names and shapes of the published LaSAFT files, at toy size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor


@dataclass(frozen=True)
class Toy:
    """A toy checkpoint; without labels it has a query net."""

    version: int = 2
    light: bool = True
    query: bool = True
    key: bool = True
    n_labels: int = 4
    n_fft: int = 64
    n_levels: int = 2
    n_features: int = 4
    n_layers: int = 2
    n_latent: int = 3
    query_size: int = 5
    key_size: int = 6
    smallest: int = 2

    @property
    def is_first(self) -> bool:
        return self.version == 1


def published_lasaft_tensors(toy: Toy, seed: int) -> dict[str, Tensor]:
    """Draw every tensor of a checkpoint, with the prefix and the window of the file."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {"stft.stft.window": torch.hann_window(toy.n_fft)}
    for key, shape in _shapes(toy):
        value = torch.randn(shape, generator=generator)
        if key.endswith("running_var") or (key.endswith("weight") and len(shape) == 1):
            value = value.abs() + 0.5
        elif key.endswith("weight_g"):
            value = value.abs() + 0.1
        elif len(shape) > 1:
            value = value * (2 / value[0].numel()) ** 0.5
        tensors[f"spec2spec.{key}"] = torch.tensor(7) if key.endswith("num_batches_tracked") else value
    return tensors


def _norm(name: str, n_features: int, *, is_affine: bool = True) -> Iterator[tuple[str, tuple[int, ...]]]:
    kinds = ("weight", "bias") if is_affine else ()
    for kind in (*kinds, "running_mean", "running_var"):
        yield f"{name}.{kind}", (n_features,)
    yield f"{name}.num_batches_tracked", ()


def _linear(name: str, *shape: int, n_bias: int | None = None) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", (shape[0] if n_bias is None else n_bias,)


def _shapes(toy: Toy) -> Iterator[tuple[str, tuple[int, ...]]]:
    d, n_bins = toy.n_features, toy.n_fft // 2
    yield from _linear("first_conv.0", d, 4, 1, 2)
    yield from _norm("first_conv.1", d)
    for i in range(toy.n_levels):
        yield from _block(toy, f"encoders.{i}", n_bins >> i)
        for name in ("downsamplings", "upsamplings"):
            yield from _linear(f"{name}.{i}.0", d, d, 2, 2)
            yield from _norm(f"{name}.{i}.1", d)
        yield from _decoder(toy, f"decoders.{i}", n_bins >> (toy.n_levels - 1 - i))
    yield from _block(toy, "mid_block", n_bins >> toy.n_levels)
    yield from _linear("last_conv.0", 4, d, 1, 2)
    if toy.n_labels:
        yield "embedding.weight", (toy.n_labels, toy.query_size)
    else:
        yield from _query_net(toy)
    if toy.is_first:
        yield from _shared_generator(toy)


def _tfc(toy: Toy, name: str, n_inputs: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for layer in range(toy.n_layers):
        yield from _linear(f"{name}.tfc.H.{layer}.0", toy.n_features, n_inputs + layer * toy.n_features, 3, 3)
        yield from _norm(f"{name}.tfc.H.{layer}.1", toy.n_features)


def _mlp(name: str, n_bins: int, n_hidden: int, n_out: int, d: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.0.weight", (n_hidden, n_bins)
    yield from _norm(f"{name}.1", d)
    yield f"{name}.3.weight", (n_out, n_hidden)
    yield from _norm(f"{name}.4", d)


def _block(toy: Toy, name: str, n_bins: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _tfc(toy, name, toy.n_features)
    if toy.is_first:
        yield from _lasaft(toy, name, n_bins)
    else:
        yield from _mlp(f"{name}.tdf.tdf", n_bins, max(n_bins // 16, toy.smallest), n_bins, toy.n_features)


def _decoder(toy: Toy, name: str, n_bins: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    inner = name if toy.is_first else f"{name}.tfc_lightsaft"
    yield from _tfc(toy, inner, 2 * toy.n_features)
    yield from _lasaft(toy, inner, n_bins)
    if not toy.is_first:
        yield from _generator(f"{name}.pocm_generator", toy.query_size, toy.n_features**2 + toy.n_features)


def _generator(name: str, n_in: int, n_out: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for layer, width in (("0", n_in), ("2", n_out)):
        yield f"{name}.{layer}.bias", (width,)
        yield f"{name}.{layer}.weight_g", (width, 1)
        yield f"{name}.{layer}.weight_v", (width, n_in)


def _lasaft(toy: Toy, name: str, n_bins: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    d, n_latent, n_hidden = toy.n_features, toy.n_latent, max(n_bins // 16, toy.smallest)
    if toy.light:
        yield f"{name}.LaSAFT_bn_layer.0.weight", (n_hidden * n_latent, n_bins)
        yield from _norm(f"{name}.LaSAFT_bn_layer.1", d)
        linear, norm = ("0", "1") if toy.is_first else ("1", "0")
        yield f"{name}.LaSIFT.{linear}.weight", (n_bins, n_hidden)
        yield from _norm(f"{name}.LaSIFT.{norm}", d)
    else:
        n_hidden = max(n_bins * n_latent // 16, toy.smallest)
        yield from _mlp(f"{name}.tdfs.tdf", n_bins, n_hidden, n_bins * n_latent, d)
    if toy.query and not toy.is_first:
        yield from _generator(f"{name}.query_pocm_generator", toy.query_size, d + 1)
        yield from _linear(f"{name}.linear_query.0", n_bins)
        yield from _linear(f"{name}.linear_query.2", toy.key_size, n_bins)
    else:
        yield from _linear(f"{name}.linear_query", toy.key_size, toy.query_size)
    if toy.key and not toy.is_first:
        yield from _linear(f"{name}.keys.0", n_latent, d, 1, 1)
        yield from _norm(f"{name}.keys.1", n_latent)
        yield from _linear(f"{name}.keys.3", toy.key_size, n_bins)
    else:
        yield f"{name}.keys", (toy.key_size, n_latent) if toy.is_first else (1, 1, toy.key_size, n_latent)


def _shared_generator(toy: Toy) -> Iterator[tuple[str, tuple[int, ...]]]:
    e, name = toy.query_size, "condition_generator"
    for layer, (n_out, n_in) in {"0": (2 * e, e), "2": (4 * e, 2 * e), "6": (8 * e, 4 * e)}.items():
        yield from _linear(f"{name}.dense_control_block.linear.{layer}", n_out, n_in)
    yield from _norm(f"{name}.dense_control_block.linear.5", 4 * e)
    yield from _norm(f"{name}.dense_control_block.linear.9", 8 * e)
    for kind, width in (("gamma", toy.n_features**2), ("beta", toy.n_features)):
        yield from _linear(f"{name}.linear_{kind}.0", toy.n_levels * width, 8 * e)
        yield from _norm(f"{name}.linear_{kind}.2", toy.n_levels * width, is_affine=False)


def _query_net(toy: Toy) -> Iterator[tuple[str, tuple[int, ...]]]:
    widths, n_hidden = (toy.n_features, 3, 3, 4), 7
    yield from _linear("embedding.first_conv.0", toy.n_features, 4, 1, 2)
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        yield from _linear(f"embedding.conv_nets.{i}.strided_conv.0", n_out, n_in, 3, 3)
    n_left = widths[-1] * (toy.n_fft // 2 >> (len(widths) - 1))
    for kind, shape in (("ih", (3 * n_hidden, n_left)), ("hh", (3 * n_hidden, n_hidden))):
        yield f"embedding.gru.weight_{kind}_l0", shape
        yield f"embedding.gru.bias_{kind}_l0", shape[:1]
    yield from _linear("embedding.fc", toy.query_size, n_hidden)
