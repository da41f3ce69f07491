"""How many pools of memory the C library keeps.

glibc gives threads pools ("arenas") of their own, and what a plugin's loading frees in one of them is not given back to
the system nor to the others: a process that swaps plugins grows for hundreds of swaps although nothing is alive.
Python's small objects have their own allocator, and threads that run Python wait for each other anyway, so that sharing
one pool costs next to nothing. See mallopt(3), M_ARENA_MAX.
"""

from __future__ import annotations

import ctypes
import os
import platform

_M_ARENA_MAX = -8


def limit_pools(count: int) -> bool:
    """Let the C library make at most `count` pools from now on (0: as it likes); True when it was told so.

    Pools that are there already stay. A process whose environment says MALLOC_ARENA_MAX is left alone, and so is one
    that runs on another C library. Safe to repeat.
    """
    if not count or "MALLOC_ARENA_MAX" in os.environ or platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, count))
