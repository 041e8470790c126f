"""Averages of weights: a moving one during the run, and the plain mean of the best epochs after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from unbraid.errors import RecipeError
from unbraid.training.checkpoints import load_weights


class MovingAverage:
    """An exponential moving average of a network's weights.

    The decay grows from 0.1 to its final value, as (1 + updates) / (10 + updates), so that the random first
    weights are soon forgotten; everything that is no floating-point number is copied.

    Args:
        module: whose weights are averaged.
        decay: how much of the average survives a step, in the long run.

    Example:
        >>> layer = nn.Linear(1, 1)
        >>> average = MovingAverage(layer, 0.999)
        >>> average.update(layer, n_updates=0)
        >>> torch.equal(average.weights["bias"], layer.bias)
        True
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, *, n_updates: int) -> None:
        """Take in the weights after a step; `n_updates` counts the steps before it."""
        share = 1 - min(self.decay, (1 + n_updates) / (10 + n_updates))
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, share)
            else:
                self.weights[name].copy_(value)

    def load(self, weights: dict[str, Tensor]) -> None:
        """Continue from stored weights."""
        for name, value in self.weights.items():
            value.copy_(weights[name])


def mean_weights(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Return the plain mean of the weights of several epochs, such as the five best ones.

    Args:
        paths: files from the `best` folder of a run.

    Returns:
        Tensors by name, ready for `load_state_dict`; those that are no floating-point numbers are of the
        first file.

    Raises:
        RecipeError: if there are none, or they are not of one network.

    Source:
        Saijo et al., ICASSP 2025 (TUSS), section IV.
    """
    if not paths:
        raise RecipeError("there are no weights to average: give the files of at least one epoch")
    total = {name: _wide(value) for name, value in load_weights(paths[0]).items()}
    for path in paths[1:]:
        other = load_weights(path)
        if {name: value.shape for name, value in other.items()} != {name: one.shape for name, one in total.items()}:
            raise RecipeError(f"{path}: is of another network than {paths[0]}: average epochs of one run")
        for name, value in total.items():
            if value.is_floating_point():
                value.add_(other[name])
    first = load_weights(paths[0])
    return {
        name: (value / len(paths)).to(first[name].dtype) if value.is_floating_point() else value
        for name, value in total.items()
    }


def _wide(value: Tensor) -> Tensor:
    return value.double() if value.is_floating_point() else value
