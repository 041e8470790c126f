"""Feature-wise linear modulation (FiLM), and the layer that joins what a target is with what it is not.

Source: Perez et al., "FiLM: visual reasoning with a general conditioning layer", AAAI 2018.

Axes: B batch, D features, F bins, T frames, E size of a query.
"""

from __future__ import annotations

from torch import Tensor, cat, nn


class Film(nn.Module):
    """Scale and shift every feature by what a query says: ``gamma(z) * x + beta(z)``; at first nearly the identity.

    Args:
        query_size: E.
        n_features: D.

    Example:
        >>> import torch
        >>> Film(5, 8)(torch.zeros(2, 8, 3, 4), torch.zeros(2, 5)).shape
        torch.Size([2, 8, 3, 4])
    """

    def __init__(self, query_size: int, n_features: int) -> None:
        super().__init__()
        self.gamma = nn.Linear(query_size, n_features)
        self.beta = nn.Linear(query_size, n_features)
        for layer, bias in ((self.gamma, 1.0), (self.beta, 0.0)):
            nn.init.normal_(layer.weight, std=0.1 / query_size**0.5)
            nn.init.constant_(layer.bias, bias)

    def forward(self, x: Tensor, queries: Tensor) -> Tensor:
        """Modulate ``[B, D, F, T]`` by queries ``[B, E]``."""
        y: Tensor = self.gamma(queries)[:, :, None, None] * x + self.beta(queries)[:, :, None, None]
        return y


class NegativeLayer(nn.Module):
    """One fully connected layer that turns what the target is, and what it is not, into the query.

    Source: Wang et al., "Few-shot musical source separation", ICASSP 2022, section 3.5.

    Example:
        >>> import torch
        >>> NegativeLayer(5)(torch.rand(2, 5), torch.zeros(2, 5)).shape
        torch.Size([2, 5])
    """

    def __init__(self, query_size: int) -> None:
        super().__init__()
        self.fc = nn.Linear(2 * query_size, query_size)

    def forward(self, positive: Tensor, negative: Tensor) -> Tensor:
        """Map two means of embeddings ``[B, E]`` to queries ``[B, E]``."""
        query: Tensor = self.fc(cat([positive, negative], dim=-1)).relu()
        return query
