"""What is measured at the end of an epoch.

Source: Saijo et al., ICASSP 2025 (TUSS): the mean over the items of each dataset, then the unweighted mean
over the datasets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from unbraid.errors import RecipeError
from unbraid.training.recipe import Mixtures, ScoreFunction, Scores

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Datasets = Mapping[str, Sequence[Mixtures]]


def validate(model: nn.Module, datasets: Datasets, score: ScoreFunction, fabric: Fabric) -> dict[str, float]:
    """Measure a network on all datasets; several processes share the batches.

    Args:
        model: left in the mode that it is in; pass it in evaluation mode.
        datasets: batches by the name of their dataset.
        score: as in `Validation`.
        fabric: device, precision and processes.

    Returns:
        "val/loss" and so on: means over the datasets; "val/NAME/loss" and so on: those of each dataset.

    Raises:
        RecipeError: if a dataset is empty or its score has no "loss".
    """
    result: dict[str, float] = {}
    means: dict[str, dict[str, float]] = {}
    for name, batches in datasets.items():
        mine = range(fabric.global_rank, len(batches), fabric.world_size)
        means[name] = mean_scores(_gather(_measure(model, (batches[i] for i in mine), score, fabric), fabric))
        if "loss" not in means[name]:
            raise RecipeError(f"validation set {name!r} has no batches, or its score has no 'loss': give both")
        result |= {f"val/{name}/{key}": value for key, value in means[name].items()}
    overall = mean_scores([{key: [value] for key, value in one.items()} for one in means.values()])
    return {f"val/{key}": value for key, value in overall.items()} | result


def mean_scores(scores: Iterable[Scores]) -> dict[str, float]:
    """Return the mean of all numbers of each name; NaN does not count, except in "loss", and is the mean of nothing.

    Example:
        >>> mean_scores([{"snr": [1.0, 2.0]}, {"snr": [6.0, float("nan")]}])
        {'snr': 3.0}
    """
    values: dict[str, list[float]] = {}
    for key, numbers in chain.from_iterable(one.items() for one in scores):
        values.setdefault(key, []).extend(number for number in numbers if key == "loss" or not math.isnan(number))
    return {key: sum(numbers) / len(numbers) if numbers else math.nan for key, numbers in values.items()}


def _measure(model: nn.Module, batches: Iterable[Mixtures], score: ScoreFunction, fabric: Fabric) -> list[Scores]:
    with torch.no_grad(), fabric.autocast():
        return [score(model, fabric.to_device(batch)) for batch in batches]


def _gather(scores: list[Scores], fabric: Fabric) -> list[Scores]:
    """Collect what all processes measured."""
    if fabric.world_size == 1:
        return scores
    everyone: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(everyone, scores)
    return list(chain.from_iterable(everyone))
