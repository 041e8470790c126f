"""The endless stream of training batches: batch k is a pure function of the seed and k.

Axes: B mixtures of a batch, S prompts, N samples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unbraid.datasets.dice import Dice
from unbraid.datasets.draws import MixDraw, MixSettings, draw_batch
from unbraid.datasets.mixing import apply
from unbraid.datasets.track import SourcePool
from unbraid.errors import DatasetError


class Batch(NamedTuple):
    """Mixtures that ask for equally many prompts.

    ``mixture`` is ``[B, N]``, ``references`` ``[B, S, N]``, ``prompts`` names the S prompts of each mixture
    in the order of the references, and ``silent`` ``[B, S]`` marks prompts whose source does not sound.
    """

    mixture: Tensor
    references: Tensor
    prompts: list[tuple[str, ...]]
    silent: Tensor


@dataclass(frozen=True)
class TrainingSet:
    """Batches by their number, made when they are asked for.

    No prompt occurs more often in a mixture than there are sources of it.

    Args:
        pool: the sources.
        settings: how mixtures are drawn.
        batch_size: mixtures in a batch.
        seed: another one gives other batches.

    Raises:
        DatasetError: if the pool lacks a prompt of the chain that cannot be built from others.
    """

    pool: SourcePool
    settings: MixSettings
    batch_size: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        chain = self.settings.chain
        buildable = {name for name, rule in chain.groups.items() if self.pool.prompts & set(rule.parts)}
        missing = set(chain.prompts) - self.pool.prompts - buildable
        if missing:
            raise DatasetError(
                f"there is no source of {', '.join(sorted(missing))}: add recordings, or use chain.only(...)"
            )

    @cached_property
    def _fitted(self) -> MixSettings:
        groups = self.settings.chain.groups
        counts = {prompt: number for prompt, number in self.pool.n_sources.items() if prompt not in groups}
        return replace(self.settings, chain=self.settings.chain.at_most(counts))

    def draw(self, step: int) -> tuple[MixDraw, ...]:
        """Return the draws of one batch."""
        state = np.random.SeedSequence((self.seed, step)).generate_state(1, np.uint64)[0]
        dice = Dice(torch.Generator().manual_seed(int(state >> np.uint64(1))))
        return draw_batch(dice, self.pool, self._fitted, self.batch_size)

    def __getitem__(self, step: int) -> Batch:
        """Return one batch."""
        items = [apply(draw, self.pool) for draw in self.draw(step)]
        return Batch(
            torch.stack([item.mixture for item in items]),
            torch.stack([item.references for item in items]),
            [item.prompts for item in items],
            torch.stack([item.silent for item in items]),
        )
