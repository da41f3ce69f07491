"""One pool of memory for all threads, where the C library has several."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hotbay.pools import limit_pools

# Each thread allocates while the others hold theirs, so that without a limit each gets a pool of its own.
THREADS = """
import ctypes, sys, threading
from hotbay.pools import limit_pools
told = limit_pools(int(sys.argv[1]))
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
barrier = threading.Barrier(6)
places = []
def work():
    barrier.wait()
    place = libc.malloc(10_000)
    places.append(place >> 26)  # A pool of a thread lies in 64 MiB of its own.
    barrier.wait()
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(told, len(set(places)))
"""


def pools(count: int, **env: str) -> tuple[str, int]:
    """Whether the C library was told, and how many pools six threads use."""
    command = [sys.executable, "-c", THREADS, str(count)]
    done = subprocess.run(command, env=os.environ | env, capture_output=True, text=True, timeout=60, check=True)
    told, found = done.stdout.split()
    return told, int(found)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_threads_share_one_pool() -> None:
    assert pools(1) == ("True", 1)
    told, found = pools(0)
    assert told == "False"
    assert found > 1


def test_who_chose_himself_is_left_alone() -> None:
    assert pools(1, MALLOC_ARENA_MAX="4")[0] == "False"


def test_nothing_is_told_where_nothing_is_wanted() -> None:
    assert limit_pools(0) is False
