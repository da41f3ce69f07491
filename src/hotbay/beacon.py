"""One number that all workers of a machine share: has the registry changed since I looked?

The number lives in a small memory-mapped file, so that asking costs a worker no system call per request. It is a
sequence lock (as in the Linux kernel's seqlock): odd while a switch is being committed, even otherwise; a reader who
sees another number than at its last look, or an odd one, looks at the rows before it serves.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

_SIZE = 8
_MOST = 1 << 62


class Beacon:
    """The shared number of one host. Only the holder of the lease may change it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder / "beacon", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(fd).st_size
            if size < _SIZE:
                # Written, not only made longer: a page that the disk has no room for would kill who writes it.
                os.pwrite(fd, bytes(_SIZE - size), size)
            self._map = mmap.mmap(fd, _SIZE)
        finally:
            os.close(fd)
        if self.value > _MOST:  # Nobody counts that far: somebody wrote over it. All look anew.
            self._set(2)

    @property
    def raw(self) -> bytes:
        """The number as bytes: the cheapest thing to compare."""
        return self._map[:_SIZE]

    @property
    def value(self) -> int:
        """The number; odd while a switch is being committed."""
        return int(struct.unpack("<Q", self._map[:_SIZE])[0])

    def _set(self, value: int) -> None:
        # One aligned eight-byte copy: readers in other processes see the old or the new number.
        self._map[:_SIZE] = struct.pack("<Q", value)

    def begin(self) -> None:
        """Make every worker wait from now on: a switch is being committed. Safe after a writer died inside one."""
        self._set(self.value | 1)

    def end(self) -> None:
        """The switch was committed or given up: make every worker look anew."""
        self._set((self.value | 1) + 1)

    def bump(self) -> None:
        """Make every worker look anew."""
        self.end()

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()


def is_odd(raw: bytes) -> bool:
    """True when the bytes of `Beacon.raw` are from the middle of a switch."""
    return bool(raw[0] & 1)
