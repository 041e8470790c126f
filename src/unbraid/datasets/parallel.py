"""Many independent pieces of work on several processes, with one report of progress."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import TypeVar

from unbraid.errors import DatasetError

Item = TypeVar("Item")


def open_pool(n_processes: int) -> ProcessPoolExecutor:
    """Start processes that end with this one, even if it is killed; the pool's own would wait for ever."""
    return ProcessPoolExecutor(n_processes, mp_context=multiprocessing.get_context("spawn"), initializer=_follow_parent)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def run_all(
    work: Callable[[Item], None],
    items: Sequence[Item],
    *,
    jobs: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Do the work for every item, in any order.

    Args:
        work: a function at the top level of a module (or a ``functools.partial`` of one), so that it can be
            sent to another process.
        items: what to call it with.
        jobs: number of processes; None takes one per core, 1 stays in this process.
        progress: called with the number of items done.

    Raises:
        DatasetError: if jobs is below 1, or a process was killed. Errors of the work come through as they are;
            work that has not begun by then is not begun.
    """
    if jobs is not None and jobs < 1:
        raise DatasetError(f"cannot work with {jobs} jobs: ask for 1 or more")
    report = progress or (lambda done: None)
    n_jobs = min(jobs or os.cpu_count() or 1, len(items))
    if n_jobs <= 1:
        for done, item in enumerate(items, start=1):
            work(item)
            report(done)
        return
    with open_pool(n_jobs) as pool:
        waiting = [pool.submit(work, item) for item in items]
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                future.result()
                report(done)
        except BrokenProcessPool as error:
            raise DatasetError("a rendering process was killed: free some memory or ask for fewer jobs") from error
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
