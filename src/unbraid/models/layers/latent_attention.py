"""Latent source attentive frequency transformation (LaSAFT) and gated point-wise convolutional modulation (GPoCM).

Each frame is transformed along frequency once for each of L latent sources; a query that stands for the target weighs
them by attention. In the second version, query and key can listen to the frames as well.

Source: Choi et al., "LaSAFT: latent source attentive frequency transformation for conditioned source separation",
ICASSP 2021, and "LaSAFT-Net", JAES 70(9), 2022.

Axes: B batch, D features, T frames, F bins of a level, E size of a query, K size of a key, L latent sources.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unbraid.models.layers.tfc import make_activation


@dataclass(frozen=True)
class LasaftShape:
    """What shapes one block.

    Args:
        n_features: D.
        n_bins: F.
        n_hidden: width of the bottleneck.
        n_latent: L.
        query_size: E.
        key_size: K.
        activation: see `make_activation`.
        query_listening: make the query from the frames too.
        key_listening: make the keys from the frames; otherwise they are learned.
        norm_last: normalize after the last linear layer of a light block, as the first version does, not before it.
    """

    n_features: int
    n_bins: int
    n_hidden: int
    n_latent: int
    query_size: int
    key_size: int
    activation: str = "relu"
    query_listening: bool = False
    key_listening: bool = False
    norm_last: bool = False


class NormedLinear(nn.Module):
    """A linear layer whose rows have a length and a direction of their own (weight normalization).

    Example:
        >>> NormedLinear(3, 5)(torch.zeros(2, 3)).shape
        torch.Size([2, 5])
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        plain = nn.Linear(n_in, n_out)
        self.direction = nn.Parameter(plain.weight.detach().clone())
        self.length = nn.Parameter(plain.weight.detach().norm(dim=1, keepdim=True))
        self.bias = nn.Parameter(plain.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., D_in]`` to ``[..., D_out]``."""
        weight = self.length * self.direction / self.direction.norm(dim=1, keepdim=True)
        return nn.functional.linear(x, weight, self.bias)


class Generator(nn.Sequential):
    """Two normalized linear layers that make weights from a query.

    Example:
        >>> Generator(8, 72)(torch.zeros(2, 8)).shape
        torch.Size([2, 72])
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(NormedLinear(n_in, n_in), nn.ReLU(), NormedLinear(n_in, n_out))


def modulate(x: Tensor, weights: Tensor) -> Tensor:
    """Gate features by a point-wise convolution whose weights were generated (GPoCM).

    Args:
        x: ``[B, D, T, F]``.
        weights: ``[B, D * D + D]``: a matrix from input (row) to output feature, then a bias.

    Returns:
        ``sigmoid(convolution(x)) * x``, of the shape of x.

    Example:
        >>> modulate(torch.ones(1, 2, 1, 1), torch.zeros(1, 6)).flatten()
        tensor([0.5000, 0.5000])
    """
    n_features = x.shape[1]
    matrix = weights[:, : n_features**2].view(-1, n_features, n_features)
    bias = weights[:, n_features**2 :, None]
    gates = torch.baddbmm(bias.to(x.dtype), matrix.transpose(1, 2).to(x.dtype), x.flatten(2))
    return gates.view_as(x).sigmoid() * x


class ListeningQuery(nn.Module):
    """A query for each frame, from the frame as the asked-for target hears it."""

    def __init__(self, query_size: int, n_features: int, n_bins: int, key_size: int) -> None:
        super().__init__()
        self.generator = Generator(query_size, n_features + 1)
        self.norm = nn.LayerNorm(n_bins)
        self.linear = nn.Linear(n_bins, key_size)

    def forward(self, x: Tensor, queries: Tensor) -> Tensor:
        """Map ``[B, D, T, F]`` and ``[B, E]`` to ``[B, T, K]``."""
        weights = self.generator(queries).to(x.dtype)
        return self.attend(torch.einsum("bdtf,bd->btf", x, weights[:, :-1]) + weights[:, -1, None, None])

    def attend(self, heard: Tensor) -> Tensor:
        """Make the query ``[B, T, K]`` of what was heard ``[B, T, F]``."""
        y: Tensor = self.linear(self.norm(heard).relu())
        return y


class ListeningKey(nn.Module):
    """A key for each latent source in each frame."""

    def __init__(self, n_features: int, n_latent: int, n_bins: int, key_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_features, n_latent, 1)
        self.norm = nn.BatchNorm2d(n_latent)
        self.linear = nn.Linear(n_bins, key_size)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, D, T, F]`` to ``[B, T, K, L]``."""
        y: Tensor = self.linear(self.norm(self.conv(x)).relu())  # [B, L, T, K]
        return y.permute(0, 2, 3, 1)


class LatentAttention(nn.Module):
    """Tell how much each latent source matters for what is asked for.

    Example:
        >>> attention = LatentAttention(LasaftShape(4, 64, 16, 5, 8, 6, query_listening=True))
        >>> weights = attention(torch.randn(2, 4, 7, 64), torch.randn(2, 8))
        >>> weights.shape, bool(torch.allclose(weights.sum(-1), torch.ones(2, 7)))
        (torch.Size([2, 7, 5]), True)
    """

    def __init__(self, shape: LasaftShape) -> None:
        super().__init__()
        n_features, n_bins, key_size = shape.n_features, shape.n_bins, shape.key_size
        self.scale = 1 / math.sqrt(key_size)
        self.query: nn.Module = (
            ListeningQuery(shape.query_size, n_features, n_bins, key_size)
            if shape.query_listening
            else nn.Linear(shape.query_size, key_size)
        )
        self.key: nn.Module | nn.Parameter = (
            ListeningKey(n_features, shape.n_latent, n_bins, key_size)
            if shape.key_listening
            else nn.Parameter(torch.randn(key_size, shape.n_latent) * math.sqrt(2 / (key_size * shape.n_latent)))
        )

    def forward(self, x: Tensor, queries: Tensor) -> Tensor:
        """Return weights ``[B, T, L]`` that sum to one; ``[B, 1, L]`` where nothing listens.

        Args:
            x: ``[B, D, T, F]``.
            queries: ``[B, E]``.
        """
        listens = isinstance(self.query, ListeningQuery)
        query = self.query(x, queries) if listens else self.query(queries)[:, None]  # [B, T or 1, K]
        if isinstance(self.key, ListeningKey):
            scores = (query[..., None, :] @ self.key(x).to(query.dtype)).squeeze(-2)
        else:
            scores = query @ self.key.to(query.dtype)
        weights: Tensor = (scores.float() * self.scale).softmax(dim=-1)
        return weights


class LightLasaft(nn.Module):
    """LaSAFT on a bottleneck: one linear layer gives L narrow values, their weighted sum is widened again.

    Example:
        >>> block = LightLasaft(LasaftShape(4, 64, 16, 5, 8, 6))
        >>> block(torch.zeros(2, 4, 7, 64), torch.zeros(2, 8)).shape
        torch.Size([2, 4, 7, 64])
    """

    def __init__(self, shape: LasaftShape) -> None:
        super().__init__()
        self.attention = LatentAttention(shape)
        self.n_latent = shape.n_latent
        self.norm_last = shape.norm_last
        self.narrow = nn.Linear(shape.n_bins, shape.n_hidden * shape.n_latent, bias=False)  # latent index fastest
        self.narrow_norm = nn.BatchNorm2d(shape.n_features)
        self.widen = nn.Linear(shape.n_hidden, shape.n_bins, bias=False)
        self.widen_norm = nn.BatchNorm2d(shape.n_features)
        self.activation = make_activation(shape.activation)

    def forward(self, x: Tensor, queries: Tensor) -> Tensor:
        """Map ``[B, D, T, F]`` and ``[B, E]`` to ``[B, D, T, F]``."""
        weights = self.attention(x, queries)  # [B, T, L]
        values = self.activation(self.narrow_norm(self.narrow(x))).unflatten(-1, (-1, self.n_latent))
        chosen = weigh(values, weights)  # [B, D, T, hidden]
        if self.norm_last:
            y: Tensor = self.activation(self.widen_norm(self.widen(chosen)))
        else:
            y = self.activation(self.widen(self.widen_norm(chosen)))
        return y


class HeavyLasaft(nn.Module):
    """LaSAFT as first published: each latent source has a full second linear layer of its own.

    Example:
        >>> block = HeavyLasaft(LasaftShape(4, 64, 20, 5, 8, 6))
        >>> block(torch.zeros(2, 4, 7, 64), torch.zeros(2, 8)).shape
        torch.Size([2, 4, 7, 64])
    """

    def __init__(self, shape: LasaftShape) -> None:
        super().__init__()
        self.attention = LatentAttention(shape)
        self.n_latent = shape.n_latent
        self.narrow = nn.Linear(shape.n_bins, shape.n_hidden, bias=False)
        self.narrow_norm = nn.BatchNorm2d(shape.n_features)
        self.widen = nn.Linear(shape.n_hidden, shape.n_bins * shape.n_latent, bias=False)  # latent index fastest
        self.widen_norm = nn.BatchNorm2d(shape.n_features)
        self.activation = make_activation(shape.activation)

    def forward(self, x: Tensor, queries: Tensor) -> Tensor:
        """Map ``[B, D, T, F]`` and ``[B, E]`` to ``[B, D, T, F]``."""
        weights = self.attention(x, queries)
        hidden = self.activation(self.narrow_norm(self.narrow(x)))
        values = self.activation(self.widen_norm(self.widen(hidden)))
        return weigh(values.unflatten(-1, (-1, self.n_latent)), weights)


def weigh(values: Tensor, weights: Tensor) -> Tensor:
    """Sum over latent sources: ``[B, D, T, F, L]`` with weights ``[B, T or 1, L]`` give ``[B, D, T, F]``."""
    expanded = weights.to(values.dtype)[:, None, :, :, None].expand(-1, values.shape[1], values.shape[2], -1, -1)
    return (values @ expanded).squeeze(-1)


class SharedGenerator(nn.Module):
    """Makes the weights of all modulations of a network at once, as the first version does.

    Args:
        query_size: E.
        n_features: D.
        n_modulations: how many; each has ``D * D + D`` weights.

    Example:
        >>> [one.shape for one in SharedGenerator(4, 6, 2).eval()(torch.zeros(3, 4))]
        [torch.Size([3, 42]), torch.Size([3, 42])]
    """

    def __init__(self, query_size: int, n_features: int, n_modulations: int) -> None:
        super().__init__()
        widths = (query_size, 2 * query_size, 4 * query_size, 8 * query_size)
        self.n_modulations = n_modulations
        self.first = nn.Sequential(nn.Linear(*widths[:2]), nn.ReLU())
        self.second, self.third = (
            nn.Sequential(nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(0.5), nn.BatchNorm1d(n_out))
            for n_in, n_out in (widths[1:3], widths[2:4])
        )
        self.matrices, self.biases = (
            nn.Sequential(nn.Linear(widths[3], n_out), nn.BatchNorm1d(n_out, affine=False))
            for n_out in (n_modulations * n_features**2, n_modulations * n_features)
        )

    def forward(self, queries: Tensor) -> list[Tensor]:
        """Map ``[B, E]`` to the weights ``[B, D * D + D]`` of each modulation."""
        hidden = self.third(self.second(self.first(queries)))
        parts = (made(hidden).chunk(self.n_modulations, dim=1) for made in (self.matrices, self.biases))
        return [torch.cat(pair, dim=1) for pair in zip(*parts, strict=True)]
