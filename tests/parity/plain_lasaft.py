"""LaSAFT written out plainly from its description: float64, on the published names, no layer of the package.

All of it is inference: norms use the statistics that are stored, and there is no dropout.

Axes: B batch, C features, T frames, F bins, H bins of a bottleneck, L latent sources, K size of a key.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

TIME_STRIDES = (2, 1, 1, 2, 1, 1)  # of the query net
EPS = 1e-5


class PlainLasaft:
    """Weights by their published names, without prefix, and what is computed with them.

    Args:
        weights: they tell the version, the depth, and what listens.
        slope: of the activation where it is negative.
    """

    def __init__(self, weights: Mapping[str, Tensor], slope: float = 0.0) -> None:
        self.weights = {key: value.double() for key, value in weights.items()}
        self.slope = slope
        self.is_first = any(key.startswith("condition_generator.") for key in weights)
        self.n_levels = self._count("encoders")

    def estimate(self, spectrogram: Tensor, query: Tensor) -> Tensor:
        """Estimate ``[B, 4, T, F]`` of spectrograms ``[B, 4, T, F]`` by queries ``[B, E]``."""
        query = query.double()
        x = self._act(self._norm(self._conv(spectrogram.double(), "first_conv.0"), "first_conv.1"))
        skips = []
        for i in range(self.n_levels):
            x = self._block(f"encoders.{i}", x, query)
            skips.append(x)
            x = self._between(self._norm(self._conv(x, f"downsamplings.{i}.0", stride=2), f"downsamplings.{i}.1"))
        x = self._block("mid_block", x, query)
        gates = self._gates(query)
        for i in range(self.n_levels):
            weight, bias = self._weight_and_bias(f"upsamplings.{i}.0")
            x = functional.conv_transpose2d(x, weight, bias, stride=2)
            x = self._between(self._norm(x, f"upsamplings.{i}.1"))
            x = self._decode(i, torch.cat([x, skips[-1 - i]], dim=1), query, *gates[i])
        return self._conv(x, "last_conv.0", padding=(0, 1))

    def query(self, spectrogram: Tensor) -> Tensor:
        """Return the queries ``[B, E]`` of recordings ``[B, 4, T, F]``."""
        x = functional.instance_norm(self._conv(spectrogram.double(), "embedding.first_conv.0"), eps=EPS).relu()
        for i in range(self._count("embedding.conv_nets")):
            x = self._conv(x, f"embedding.conv_nets.{i}.strided_conv.0", stride=(TIME_STRIDES[i], 2), padding=1)
            x = functional.instance_norm(x, eps=EPS).relu()
        states = self._recur(x.transpose(1, 2).flatten(2))
        return self._linear(states.mean(dim=1), "embedding.fc")

    def _recur(self, x: Tensor) -> Tensor:
        """Run the gated recurrent unit over ``[B, T, D]``."""
        of_input, of_state = ([self.weights[f"embedding.gru.{kind}_{side}_l0"] for kind in ("weight", "bias")]
                              for side in ("ih", "hh"))  # fmt: skip
        state, states = x.new_zeros(len(x), of_state[0].shape[1]), []
        for frame in x.unbind(dim=1):
            given = (frame @ of_input[0].T + of_input[1]).chunk(3, dim=1)
            kept = (state @ of_state[0].T + of_state[1]).chunk(3, dim=1)
            reset, update = (given[0] + kept[0]).sigmoid(), (given[1] + kept[1]).sigmoid()
            state = (1 - update) * (given[2] + reset * kept[2]).tanh() + update * state
            states.append(state)
        return torch.stack(states, dim=1)

    def _block(self, name: str, x: Tensor, query: Tensor) -> Tensor:
        """One block of the way down, or the one in the middle."""
        x = self._dense(name, x)
        return x + (self._first_lasaft(name, x, query) if self.is_first else self._mlp(f"{name}.tdf.tdf", x))

    def _decode(self, i: int, x: Tensor, query: Tensor, gate: Tensor, bias: Tensor) -> Tensor:
        name = f"decoders.{i}" if self.is_first else f"decoders.{i}.tfc_lightsaft"
        x = self._dense(name, x)
        x = x * (torch.einsum("bctf,bco->botf", x, gate) + bias[:, :, None, None]).sigmoid()
        return x + (self._first_lasaft(name, x, query) if self.is_first else self._light_lasaft(name, x, query))

    def _gates(self, query: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return the matrix ``[B, C, C]`` and the bias ``[B, C]`` of every gate on the way up."""
        n_features = len(self.weights["first_conv.0.weight"])
        if not self.is_first:
            told = [self._generate(f"decoders.{i}.pocm_generator", query) for i in range(self.n_levels)]
            return [(one[:, : n_features**2].view(-1, n_features, n_features), one[:, n_features**2 :]) for one in told]
        shared = "condition_generator.dense_control_block.linear"
        x = self._linear(query, f"{shared}.0").relu()
        x = self._norm(self._linear(x, f"{shared}.2").relu(), f"{shared}.5")
        x = self._norm(self._linear(x, f"{shared}.6").relu(), f"{shared}.9")
        gamma, beta = (
            self._norm(self._linear(x, f"condition_generator.linear_{kind}.0"), f"condition_generator.linear_{kind}.2")
            for kind in ("gamma", "beta")
        )
        gates = gamma.view(len(query), self.n_levels, n_features, n_features).unbind(dim=1)
        return list(zip(gates, beta.chunk(self.n_levels, dim=1), strict=True))

    def _dense(self, name: str, x: Tensor) -> Tensor:
        """Convolutions that hear what all before them said, the newest first."""
        heard = [x]
        for i in range(self._count(f"{name}.tfc.H")):
            layer = f"{name}.tfc.H.{i}"
            y = self._norm(self._conv(torch.cat(heard, dim=1), f"{layer}.0", padding=1), f"{layer}.1")
            heard.insert(0, self._act(y))
        return heard[0]

    def _mlp(self, name: str, x: Tensor) -> Tensor:
        """Two layers along the bins."""
        x = self._act(self._norm(self._linear(x, f"{name}.0"), f"{name}.1"))
        return self._act(self._norm(self._linear(x, f"{name}.3"), f"{name}.4"))

    def _light_lasaft(self, name: str, x: Tensor, query: Tensor) -> Tensor:
        attention = self._attention(name, x, query)
        values = self._act(self._norm(self._linear(x, f"{name}.LaSAFT_bn_layer.0"), f"{name}.LaSAFT_bn_layer.1"))
        mixed = self._weighted(values.unflatten(-1, (-1, attention.shape[-1])), attention)
        return self._act(self._linear(self._norm(mixed, f"{name}.LaSIFT.0"), f"{name}.LaSIFT.1"))

    def _first_lasaft(self, name: str, x: Tensor, query: Tensor) -> Tensor:
        """The block of version 1, heavy or light."""
        attention = self._attention(name, x, query)
        n_latent = attention.shape[-1]
        if f"{name}.tdfs.tdf.0.weight" in self.weights:
            return self._weighted(self._mlp(f"{name}.tdfs.tdf", x).unflatten(-1, (-1, n_latent)), attention)
        values = self._act(self._norm(self._linear(x, f"{name}.LaSAFT_bn_layer.0"), f"{name}.LaSAFT_bn_layer.1"))
        mixed = self._weighted(values.unflatten(-1, (n_latent, -1)).transpose(-1, -2), attention)
        return self._act(self._norm(self._linear(mixed, f"{name}.LaSIFT.0"), f"{name}.LaSIFT.1"))

    @staticmethod
    def _weighted(values: Tensor, attention: Tensor) -> Tensor:
        """Sum values ``[B, C, T, H, L]`` by attention ``[B, T, L]``: ``[B, C, T, H]``."""
        return (values * attention[:, None, :, None, :]).sum(dim=-1)

    def _attention(self, name: str, x: Tensor, query: Tensor) -> Tensor:
        """Return how much every latent source counts in every frame, ``[B, T, L]``."""
        asked = self._asked(name, x, query)  # [B, T, K]
        if f"{name}.keys.0.weight" in self.weights:
            heard = self._norm(self._conv(x, f"{name}.keys.0"), f"{name}.keys.1").relu()  # [B, L, T, F]
            keys = self._linear(heard, f"{name}.keys.3").permute(0, 2, 3, 1)  # [B, T, K, L]
        else:
            free = self.weights[f"{name}.keys"]
            keys = free.view(1, 1, *free.shape[-2:])
        scores = (asked[..., None] * keys).sum(dim=2) / math.sqrt(asked.shape[-1])
        return scores.softmax(dim=-1)

    def _asked(self, name: str, x: Tensor, query: Tensor) -> Tensor:
        if f"{name}.linear_query.2.weight" not in self.weights:
            return self._linear(query, f"{name}.linear_query")[:, None].expand(-1, x.shape[2], -1)
        told = self._generate(f"{name}.query_pocm_generator", query)
        n_features = x.shape[1]
        heard = (x * told[:, :n_features, None, None]).sum(dim=1) + told[:, n_features, None, None]  # [B, T, F]
        mean, spread = heard.mean(dim=-1, keepdim=True), heard.var(dim=-1, correction=0, keepdim=True)
        scale, shift = self._weight_and_bias(f"{name}.linear_query.0")
        return self._linear(((heard - mean) / (spread + EPS).sqrt() * scale + shift).relu(), f"{name}.linear_query.2")

    def _generate(self, name: str, query: Tensor) -> Tensor:
        """Two layers whose rows have a direction and a length."""
        for layer in ("0", "2"):
            direction = self.weights[f"{name}.{layer}.weight_v"]
            rows = self.weights[f"{name}.{layer}.weight_g"] * direction / direction.norm(dim=1, keepdim=True)
            query = (query if layer == "0" else query.relu()) @ rows.T + self.weights[f"{name}.{layer}.bias"]
        return query

    def _norm(self, x: Tensor, name: str) -> Tensor:
        """Normalize by the statistics that are stored; version 1 has some without scale and shift."""
        axes = (1, -1, *(1 for _ in x.shape[2:]))
        kinds = ("running_mean", "running_var", "weight", "bias")
        mean, variance, *affine = (
            self.weights[f"{name}.{kind}"].view(axes) for kind in kinds if f"{name}.{kind}" in self.weights
        )
        x = (x - mean) / (variance + EPS).sqrt()
        return x * affine[0] + affine[1] if affine else x

    def _conv(
        self, x: Tensor, name: str, *, stride: int | tuple[int, int] = 1, padding: int | tuple[int, int] = 0
    ) -> Tensor:
        return functional.conv2d(x, *self._weight_and_bias(name), stride=stride, padding=padding)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        y = x @ self.weights[f"{name}.weight"].T
        return y + self.weights[f"{name}.bias"] if f"{name}.bias" in self.weights else y

    def _weight_and_bias(self, name: str) -> tuple[Tensor, Tensor]:
        return self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]

    def _act(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, self.slope * x)

    def _between(self, x: Tensor) -> Tensor:
        """What follows the norm behind a change of resolution: in version 1 nothing."""
        return x if self.is_first else self._act(x)

    def _count(self, prefix: str) -> int:
        return len({key.split(".")[prefix.count(".") + 1] for key in self.weights if key.startswith(f"{prefix}.")})
