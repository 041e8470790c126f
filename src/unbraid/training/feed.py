"""Batches, made off the training thread."""

from __future__ import annotations

import os
import queue
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
import torch.multiprocessing as processes

from unbraid.errors import RecipeError
from unbraid.training.recipe import BatchSource, Mixtures

N_AHEAD = 4
PATIENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Failure:
    """What went wrong in a worker, and where."""

    error: Exception
    trace: str


@contextmanager
def feed(source: BatchSource, *, start: int, stride: int = 1, n_workers: int = 0) -> Iterator[Iterator[Mixtures]]:
    """Hold an iterator over batches ``start``, ``start + stride``, ... without end and in order.

    Args:
        source: batch k is a pure function of k, so the batches are the same for any number of workers.
        start: number of the first batch.
        stride: distance between batches; several training processes take turns.
        n_workers: processes that make batches beside this one; 0 makes them here. They outlive Ctrl-C and
            SIGTERM, for the training finishes its step, and end with the `with` block.

    Example:
        >>> with feed([10, 20, 30, 40, 50], start=1, stride=2) as batches:
        ...     next(batches), next(batches)
        (20, 40)
    """
    if n_workers == 0:
        yield (source[index] for index in count(start, stride))
        return
    context: Any = processes.get_context("fork" if sys.platform == "linux" else "spawn")
    shelves = [context.Queue(maxsize=N_AHEAD) for _ in range(n_workers)]
    workers = [
        context.Process(
            target=_produce, args=(source, start + index * stride, stride * n_workers, shelf, os.getpid()), daemon=True
        )
        for index, shelf in enumerate(shelves)
    ]
    try:
        for worker in workers:
            worker.start()
        yield _collect(workers, shelves)
    finally:
        for worker in workers:
            if worker.pid is not None:
                worker.kill()
                worker.join()
        for shelf in shelves:
            shelf.close()


def _collect(workers: list[Any], shelves: list[Any]) -> Iterator[Mixtures]:
    """Take one batch from each worker in turn.

    Raises:
        RecipeError: if a worker died; errors of the source itself are raised as they are.
    """
    for turn in count():
        worker, shelf = workers[turn % len(workers)], shelves[turn % len(workers)]
        batch = None
        while batch is None:
            try:
                batch = shelf.get(timeout=PATIENCE_SECONDS)
            except queue.Empty:
                if not worker.is_alive():
                    raise RecipeError(
                        f"a process that makes batches died (exit code {worker.exitcode}): is there enough memory, and "
                        "space in /dev/shm? n_workers=0 makes them without it"
                    ) from None
        if isinstance(batch, Failure):
            raise batch.error from RuntimeError(batch.trace)
        yield batch


def _produce(source: BatchSource, start: int, stride: int, shelf: Any, parent: int) -> None:
    """Put batches on the shelf until killed, or orphaned."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)
    for index in count(start, stride):
        try:
            batch: Any = source[index]
        except Exception as error:
            batch = Failure(error, traceback.format_exc())
        while os.getppid() == parent:
            try:
                shelf.put(batch, timeout=PATIENCE_SECONDS)
                break
            except queue.Full:
                continue
        if isinstance(batch, Failure):
            while os.getppid() == parent:  # what is on the shelf can only be taken while this process lives
                time.sleep(PATIENCE_SECONDS)
        if os.getppid() != parent:
            return
