"""How late beats are written down without a system call, and what a hypervisor took away meanwhile.

What a heartbeat itself does on the loop is seen as a stall: each system call gives the interpreter away, and a thread
that computes keeps it for a whole interval then. So a beat writes into shared memory, which the benchmark reads.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# When it came, how late, CPU time of its thread and of its process, in seconds.
RECORD = struct.Struct("<dddd")
MOST = 200_000


@dataclass(frozen=True)
class Late:
    """One late beat. Seconds; `at` is when it came."""

    pid: int
    at: float
    late: float
    loop_cpu: float
    cpu: float


class Sheet:
    """One worker's late beats, in `{log}.{pid}`. A full sheet raises ValueError: nothing is left out in silence."""

    def __init__(self, log: Path) -> None:
        with Path(f"{log}.{os.getpid()}").open("w+b") as file:
            file.truncate(RECORD.size * MOST)
            self._map = mmap.mmap(file.fileno(), 0)
        self._count = 0

    def add(self, at: float, late: float, loop_cpu: float, cpu: float) -> None:
        """Write one down."""
        if self._count == MOST:
            raise ValueError(f"more than {MOST} late beats")
        RECORD.pack_into(self._map, self._count * RECORD.size, at, late, loop_cpu, cpu)
        self._count += 1


def read(log: Path) -> list[Late]:
    """What all workers have written so far."""
    return [late for sheet in sorted(log.parent.glob(f"{log.name}.*")) for late in _read(sheet)]


def _read(sheet: Path) -> Iterator[Late]:
    pid = int(sheet.suffix[1:])
    for at, late, loop_cpu, cpu in RECORD.iter_unpack(sheet.read_bytes()):
        if at == 0.0:
            return
        yield Late(pid, at, late, loop_cpu, cpu)


def stolen() -> float:
    """Seconds that a hypervisor took from all processors since the machine began (`steal` of `/proc/stat`, proc(5)), in
    steps of 10 ms; 0 elsewhere."""
    try:
        total = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
        return int(total[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0.0


@dataclass
class Steal:
    """Reads `stolen` every `step` seconds in a thread of the benchmark's own process, while the block runs."""

    step: float = 0.01
    _times: list[float] = field(default_factory=list)
    _taken: list[float] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Steal:
        self._note()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        self._note()

    def _run(self) -> None:
        while not self._ended.wait(self.step):
            self._note()

    def _note(self) -> None:
        self._times.append(time.monotonic())
        self._taken.append(stolen())

    def between(self, began: float, ended: float) -> float:
        """Seconds taken from the last reading before `began` to the first after `ended`."""
        first = max(0, bisect_right(self._times, began) - 1)
        last = min(len(self._times) - 1, bisect_right(self._times, ended))
        return max(0.0, self._taken[last] - self._taken[first])
