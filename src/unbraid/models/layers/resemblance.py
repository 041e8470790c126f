"""Whether what was drawn out of a mixture is what was asked for, told by how it resembles the examples.

Axes: B batch, S stems, C channels, N samples, E size of an embedding.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Evidence(NamedTuple):
    """What is known of estimates; every embedding is ``[B, S, E]``, in the space of queries.

    Attributes:
        level: ``[B, S]``, energy of the estimate over that of the mixture, as a logarithm to the base of ten.
        query: of what was asked for.
        rejected: of what it is not; zeros where nothing of the kind was said.
        estimate: of what was drawn out.
        mixture: of the mixture.
    """

    level: Tensor
    query: Tensor
    rejected: Tensor
    estimate: Tensor
    mixture: Tensor


class ResemblanceHead(nn.Module):
    """Tell whether a target sounds: from the level of the estimate, and from what it and the mixture resemble.

    Embeddings have much in common, whatever they are of. So the mean of each of their dimensions is taken out and its
    deviation made one, with statistics that the head learns while it is in training; then all go through one linear
    layer, which learns in which respects they should be compared. What is compared are angles.

    Args:
        embedding_size: E.
        n_compared: dimensions in which they are compared.
        n_hidden: width of the layer that weighs the evidence.

    Example:
        >>> vectors = torch.rand(4, 3, 2, 8).unbind()
        >>> ResemblanceHead(8)(Evidence(torch.zeros(3, 2), *vectors)).shape
        torch.Size([3, 2])
    """

    def __init__(self, embedding_size: int, *, n_compared: int = 32, n_hidden: int = 16) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(embedding_size, eps=1e-8, affine=False)
        self.compared = nn.Linear(embedding_size, n_compared, bias=False)
        self.layers = nn.Sequential(nn.Linear(7, n_hidden), nn.SiLU(), nn.Linear(n_hidden, 1))

    def forward(self, evidence: Evidence) -> Tensor:
        """Return logits ``[B, S]``."""
        with torch.autocast(evidence.level.device.type, enabled=False):
            told = evidence.rejected.abs().amax(dim=-1) > 0
            rejected = torch.where(told[..., None], evidence.rejected, evidence.query)  # not to disturb the statistics
            given = torch.stack([evidence.query, rejected, evidence.estimate, evidence.mixture]).float()
            rows = self.norm(functional.normalize(given, dim=-1).flatten(0, -2))
            query, rejected, estimate, mixture = self.compared(rows).view(*given.shape[:-1], -1)
            angles = [
                functional.cosine_similarity(query, estimate, dim=-1),
                functional.cosine_similarity(query, mixture, dim=-1),
                functional.cosine_similarity(estimate, mixture, dim=-1),
                functional.cosine_similarity(rejected, estimate, dim=-1) * told,
                functional.cosine_similarity(rejected, mixture, dim=-1) * told,
            ]
            logits: Tensor = self.layers(torch.stack([evidence.level.float(), *angles, told.float()], dim=-1))
        return logits.squeeze(-1)


def relative_level(*, estimate: Tensor, mixture: Tensor) -> Tensor:
    """Return the logarithm to the base of ten of the energy of estimates over that of mixtures, held in -6..2.

    Args:
        estimate: ``[B, S, C, N]``.
        mixture: ``[B, S or 1, C, N]``.

    Returns:
        ``[B, S]``; -6 where the mixture is silent.

    Example:
        >>> relative_level(estimate=torch.ones(1, 2, 1, 5), mixture=torch.full((1, 1, 1, 5), 10.0))
        tensor([[-2., -2.]])
    """
    drawn, whole = (one.float().square().sum(dim=(-2, -1)) for one in (estimate, mixture))
    tiny = torch.finfo(torch.float32).tiny
    return torch.log10((drawn / whole.clamp_min(tiny)).clamp_min(tiny)).clamp(-6, 2)
