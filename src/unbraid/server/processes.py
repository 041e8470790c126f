"""Processes of the server's own: for work that takes long, and for files that nobody trusts."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

_PRELOADED = ["unbraid.server.analysis", "unbraid.server.worker", "unbraid.server.exports"]


def context() -> ForkServerContext:
    """Return what starts processes: a server that has the modules already, and forks in no time."""
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload(_PRELOADED)
    return chosen


def prepare() -> None:
    """Have the modules loaded by the time that the first process is needed."""
    context()
    forkserver.ensure_running()


def begin(main: Callable[..., None], *words: object) -> tuple[ForkServerProcess, Connection]:
    """Start a process that talks over a connection, the first thing that its function is given."""
    ours, theirs = context().Pipe()
    process = context().Process(target=_run, args=(main, theirs, *words), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _run(main: Callable[..., None], connection: Connection, *words: object) -> None:
    """Deaf to Ctrl-C, which is for the server to hear, and gone as soon as the server is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()
    with suppress(BrokenPipeError, EOFError):
        main(connection, *words)


def _follow(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def limit_process(*, seconds: int, memory_bytes: int, file_bytes: int) -> None:
    """Bound this process: time on the processor, memory on top of what it has, and the size of any file it writes."""
    limits = [(resource.RLIMIT_CPU, seconds), (resource.RLIMIT_FSIZE, file_bytes), (resource.RLIMIT_CORE, 0)]
    with suppress(OSError):  # a system without /proc does not hold to this limit either
        limits.append((resource.RLIMIT_AS, _held_bytes() + memory_bytes))
    for what, most in limits:
        hard = resource.getrlimit(what)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))


def _held_bytes() -> int:
    """Return the addresses that this process holds."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def stop(process: ForkServerProcess, connection: Connection) -> None:
    """End a process at once, and forget it."""
    process.kill()
    process.join(5)
    connection.close()


def messages(
    process: ForkServerProcess, connection: Connection, *, patience: float, stopped: Callable[[], bool]
) -> Any:
    """Yield what a process says until it ends; kill it when it says nothing for too long, or when asked to.

    Args:
        process: from `begin`.
        connection: from `begin`.
        patience: longest silence in seconds.
        stopped: asked a few times a second.
    """
    silent = 0.0
    try:
        while silent < patience and not stopped():
            if not connection.poll(0.25):
                silent += 0.25
                continue
            silent = 0.0
            try:
                yield connection.recv()
            except (EOFError, OSError):
                return
    finally:
        stop(process, connection)
