"""Blocks of a U-Net over spectrograms that is told a noise level: gated residual convolutions, attention, a stem.

Source: Wen, Kim, Smaragdis, "User-guided generative source separation", ISMIR 2025, section 3.1.3, which takes them
from the efficient U-Net of Saharia et al., "Photorealistic text-to-image diffusion models with deep language
understanding", NeurIPS 2022. The gate is of Cao et al., "GCNet", 2019.

Axes: B batch, D features, F bins, T frames, E size of the embedding of a noise level.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

STEM_KERNELS = (3, 7, 15)


class Stem(nn.Module):
    """Convolutions of three sizes side by side: half of the features, a quarter, and the rest.

    Args:
        n_inputs: channels that come in.
        n_features: D.
        kernels: sizes of the three, in bins and frames.

    Example:
        >>> Stem(2, 8)(torch.zeros(1, 2, 16, 16)).shape
        torch.Size([1, 8, 16, 16])
    """

    def __init__(self, n_inputs: int, n_features: int, *, kernels: tuple[int, ...] = STEM_KERNELS) -> None:
        super().__init__()
        half, quarter = n_features // 2, n_features // 4
        widths = (half, quarter, n_features - half - quarter)
        self.convs = nn.ModuleList(
            nn.Conv2d(n_inputs, width, kernel, padding=kernel // 2)
            for width, kernel in zip(widths, kernels, strict=True)
        )

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Turn ``[B, n_inputs, F, T]`` into ``[B, D, F, T]``."""
        return torch.cat([conv(spectrogram) for conv in self.convs], dim=1)


class NoiseEmbedding(nn.Module):
    """Turn noise levels, as `diffusion.precondition` scales them, into vectors; the frequencies are learned.

    Example:
        >>> NoiseEmbedding(32)(torch.tensor([-0.5, 1.0])).shape
        torch.Size([2, 32])
    """

    def __init__(self, size: int, *, n_frequencies: int = 8) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(n_frequencies))
        self.first = nn.Linear(2 * n_frequencies + 1, size)
        self.second = nn.Linear(size, size)

    def forward(self, noise: Tensor) -> Tensor:
        """Turn ``[B]`` into ``[B, E]``."""
        angles = 2 * math.pi * noise[:, None] * self.frequencies
        hidden = self.first(torch.cat([noise[:, None], angles.sin(), angles.cos()], dim=1))
        embedding: Tensor = self.second(functional.silu(hidden))
        return embedding


class ContextGate(nn.Module):
    """Scale features by what the whole spectrogram holds: a mean that attends to some of its bins."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        n_hidden = max(3, n_features // 2)
        self.score = nn.Conv2d(n_features, 1, 1)
        self.narrow = nn.Conv2d(n_features, n_hidden, 1)
        self.widen = nn.Conv2d(n_hidden, n_features, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Scale ``[B, D, F, T]``."""
        weights = self.score(features).flatten(2).softmax(dim=-1)  # [B, 1, F T]
        context = features.flatten(2) @ weights.transpose(1, 2)  # [B, D, 1]
        gate: Tensor = self.widen(functional.silu(self.narrow(context[..., None]))).sigmoid()
        return features * gate


class ResidualBlock(nn.Module):
    """Two convolutions with a shortcut.

    Args:
        n_inputs: features that come in.
        n_features: features that go out, D.
        n_groups: of the normalization.
        noise_size: E; 0 for a block that is told no noise level.
        gated: end in a `ContextGate`.

    Example:
        >>> block = ResidualBlock(4, 8, n_groups=2, noise_size=16, gated=True)
        >>> block(torch.zeros(1, 4, 16, 16), torch.zeros(1, 16)).shape
        torch.Size([1, 8, 16, 16])
    """

    def __init__(self, n_inputs: int, n_features: int, *, n_groups: int, noise_size: int, gated: bool = False) -> None:
        super().__init__()
        self.first_norm = nn.GroupNorm(n_groups, n_inputs)
        self.first = nn.Conv2d(n_inputs, n_features, 3, padding=1)
        self.modulation = nn.Linear(noise_size, 2 * n_features) if noise_size else None
        self.second_norm = nn.GroupNorm(n_groups, n_features)
        self.second = nn.Conv2d(n_features, n_features, 3, padding=1)
        self.gate = ContextGate(n_features) if gated else nn.Identity()
        self.shortcut = nn.Conv2d(n_inputs, n_features, 1) if n_inputs != n_features else nn.Identity()

    def forward(self, features: Tensor, noise: Tensor | None) -> Tensor:
        """Turn ``[B, n_inputs, F, T]`` into ``[B, D, F, T]``; ``noise`` is ``[B, E]``, not read without E."""
        hidden = self.second_norm(self.first(functional.silu(self.first_norm(features))))
        if self.modulation is not None:
            assert noise is not None
            scale, shift = self.modulation(functional.silu(noise))[..., None, None].chunk(2, dim=1)
            hidden = torch.addcmul(shift, hidden, scale + 1)
        drawn: Tensor = self.gate(self.second(functional.silu(hidden)))
        shortcut: Tensor = self.shortcut(features)
        return drawn + shortcut


class GlobalAttention(nn.Module):
    """Attention of every bin of every frame to all others, without positions, then a feed-forward.

    Args:
        n_features: D.
        n_heads: heads of attention.
        expansion: width of the feed-forward over D.

    Example:
        >>> GlobalAttention(8, n_heads=2, expansion=2)(torch.zeros(1, 8, 4, 4)).shape
        torch.Size([1, 8, 4, 4])
    """

    def __init__(self, n_features: int, *, n_heads: int, expansion: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm = nn.LayerNorm(n_features, bias=False)
        self.query = nn.Linear(n_features, n_features, bias=False)
        self.key_value = nn.Linear(n_features, 2 * n_features, bias=False)
        self.out = nn.Linear(n_features, n_features, bias=False)
        self.feed_norm = nn.LayerNorm(n_features, bias=False)
        self.widen = nn.Linear(n_features, expansion * n_features, bias=False)
        self.hidden_norm = nn.LayerNorm(expansion * n_features, bias=False)
        self.narrow = nn.Linear(expansion * n_features, n_features, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Transform ``[B, D, F, T]``."""
        tokens = features.flatten(2).transpose(1, 2)  # [B, F T, D]
        normed = self.norm(tokens)
        query, key, value = (
            one.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # [B, heads, F T, D / heads]
            for one in (self.query(normed), *self.key_value(normed).chunk(2, dim=-1))
        )
        heard = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.out(heard.transpose(1, 2).flatten(2))
        hidden = self.hidden_norm(functional.gelu(self.widen(self.feed_norm(tokens))))
        transformed: Tensor = tokens + self.narrow(hidden)
        return transformed.transpose(1, 2).reshape(features.shape)
