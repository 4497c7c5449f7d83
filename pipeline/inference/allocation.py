"""How the C library hands out memory for the tensors of a network."""

from __future__ import annotations

import ctypes
import platform
from functools import cache

_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_ARENA_MAX = -8

KEPT_BYTES = 17 * 2**20
"""Tensors up to this size come from memory that the process keeps; larger ones are given back as usual."""


@cache
def keep_memory() -> bool:
    """Makes glibc keep the memory of freed tensors for the next ones, once for the whole process.

    By default each tensor above 128 kB to 32 MB comes from the system anew, page by page, each page filled with zeros
    by the kernel: half of the time of a small network. The memory of the whole process does not grow by this beyond
    its peak, but falls below it later.

    Returns:
        Whether it could: nothing is done where the C library is another one.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(
        # One arena for all threads: others fall apart into heaps of 64 MB, which go back to the system when empty.
        mallopt(_ARENA_MAX, 1) and mallopt(_MMAP_THRESHOLD, KEPT_BYTES) and mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    )
