"""Channels that were separated one by one, put together again.

Axes: B batch, S stems, C channels, N samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def align_channels(stems: Tensor, groups: Sequence[Sequence[int]]) -> Tensor:
    """Give interchangeable outputs the same order in all channels as in the first one.

    Each channel of ``[B, S, C, N]`` was separated alone, so that two outputs of one prompt may have changed
    places; the order that correlates best in magnitude with the channels before is taken.

    Args:
        stems: ``[B, S, C, N]``, not modified.
        groups: positions of outputs that may change places, such as those of one prompt.

    Example:
        >>> left, right = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.0, 2.0], [2.0, 0.0]])
        >>> align_channels(torch.stack([left, right], dim=1)[None], [(0, 1)])[0, :, 1]
        tensor([[2., 0.],
                [0., 2.]])
    """
    aligned = stems.clone()
    for item in aligned:  # [S, C, N]
        for group in groups:
            members = torch.tensor(group, device=stems.device)
            model = item[members, 0].clone()
            for channel in range(1, item.shape[1]):
                here = item[members, channel].clone()
                order = match(model @ here.T)
                item[members, channel] = here[order]
                model = model + here[order]
    return aligned


def match(similarity: Tensor) -> list[int]:
    """Pair rows with columns of a square matrix, the most similar first."""
    rest = similarity.clone()
    order = [0] * len(rest)
    for _ in range(len(rest)):
        row, column = divmod(int(rest.argmax()), len(rest))
        order[row] = column
        rest[row], rest[:, column] = -torch.inf, -torch.inf
    return order
