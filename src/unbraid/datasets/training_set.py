"""The endless stream of training batches: batch k is a pure function of the seed and k.

Axes: B mixtures of a batch, S prompts, N samples.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from multiprocessing import get_context, parent_process
from threading import Thread
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

    def batches(self, start: int = 0, *, n_workers: int = 0, n_ahead: int = 2) -> Iterator[Batch]:
        """Yield batch ``start`` and all that follow it, without end and in order.

        Args:
            start: number of the first batch; resuming at step k is ``start=k``.
            n_workers: processes that make batches beside this one; 0 makes them here. The batches are the
                same for any number. The processes are spawned, so a script that asks for some needs the
                usual ``if __name__ == "__main__":``.
            n_ahead: how many batches are made ahead by each process.

        Raises:
            DatasetError: if a source cannot be read, or a process was killed.
        """
        if n_workers == 0:
            yield from map(self.__getitem__, count(start))
            return
        executor = ProcessPoolExecutor(n_workers, get_context("spawn"), _begin_work, (self,))
        try:
            steps = count(start)
            coming = deque(executor.submit(_work, next(steps)) for _ in range(n_workers * n_ahead))
            while True:
                mixture, references, prompts, silent = _result(coming.popleft())
                coming.append(executor.submit(_work, next(steps)))
                yield Batch(torch.from_numpy(mixture), torch.from_numpy(references), prompts, torch.from_numpy(silent))
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


_Arrays = tuple[np.ndarray, np.ndarray, list[tuple[str, ...]], np.ndarray]
_at_work: list[TrainingSet] = []  # in a worker process: the training set that it was started for


def _begin_work(training_set: TrainingSet) -> None:
    """Prepare a worker process: one thread, deaf to Ctrl-C, gone when its parent is gone."""
    _at_work[:] = [training_set]
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(step: int) -> _Arrays:
    batch = _at_work[0][step]
    return batch.mixture.numpy(), batch.references.numpy(), batch.prompts, batch.silent.numpy()


def _result(future: Future[_Arrays]) -> _Arrays:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise DatasetError("a process that makes mixtures was killed: give it more memory, or use fewer") from error
