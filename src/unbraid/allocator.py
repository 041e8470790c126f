"""How the C library gets its memory: a step of training, or a window of a song, frees what the next one asks for."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # parameters of mallopt, from glibc's malloc.h
RESERVE = 4 << 30  # bytes of addresses, not of memory: what is never touched is never there
HUGE_PAGE = 2 << 20


def keep_freed_memory() -> bool:
    """Keep freed memory in this process for what comes next, and let Linux back it with huge pages.

    By default glibc returns every large block to the system when it is freed, so every large tensor starts with
    thousands of page faults. Afterwards the process stays as large as it was at its largest. Results do not change.

    Returns:
        Whether something was changed: only with glibc, and not if GLIBC_TUNABLES says how its malloc should work.
    """
    if sys.platform != "linux" or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    library.mallopt(MMAP_MAX, 0)
    library.mallopt(TRIM_THRESHOLD, -1)
    library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    library.free.argtypes = [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    address = library.malloc(RESERVE)
    if address is not None:  # a machine that refuses so much does without huge pages
        start = -(-address // HUGE_PAGE) * HUGE_PAGE
        library.madvise(start, (address + RESERVE - start) // HUGE_PAGE * HUGE_PAGE, mmap.MADV_HUGEPAGE)
        library.free(address)
    return True
