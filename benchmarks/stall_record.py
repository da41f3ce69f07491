"""How late beats are written down without a system call, and what a hypervisor took away or held up meanwhile.

What a heartbeat itself does on the loop is seen as a stall: each system call gives the interpreter away, and a thread
that computes keeps it for a whole interval then. So a beat writes into shared memory, which the benchmark reads.
"""

from __future__ import annotations

import mmap
import os
import struct
import subprocess
import sys
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# When it came, how late, CPU time of its thread and of its process, in seconds.
RECORD = struct.Struct("<dddd")
MOST = 200_000
READ_SECONDS = 0.01
BEAT_SECONDS = 0.002
# Less than that may be the scheduler, which lets another process end its slice; it makes no real-time process wait.
STILL_SECONDS = 0.005
STILL_REAL_TIME_SECONDS = 0.001


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


class Machine:
    """What the machine did while the block runs: what a hypervisor took, and when processors stood still.

    A thread reads `stolen` every `READ_SECONDS`. Some hypervisors take time without telling, and the guest counts it as
    its processes' own: so on each processor a process of its own only wants to wake every `BEAT_SECONDS`. Where the
    user may have it run before all others (`SCHED_FIFO`, sched(7)), it is late only while its processor runs nobody;
    elsewhere it may just have to wait for its turn. `real_time`, after the block, says which of both it was.
    """

    real_time = False

    def __init__(self, log: Path) -> None:
        self._log = log
        self._times: list[float] = []
        self._taken: list[float] = []
        self._ended = threading.Event()
        self._witnesses: list[subprocess.Popen[bytes]] = []
        self._seen: list[Late] = []

    def __enter__(self) -> Machine:
        for processor in sorted(os.sched_getaffinity(0)):
            command = [sys.executable, __file__, str(self._log), str(processor)]
            self._witnesses.append(subprocess.Popen(command))
        self._note()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        self._note()
        self.real_time = all(_is_real_time(process.pid) for process in self._witnesses)
        for process in self._witnesses:
            process.kill()
            process.wait()
        self._seen = read(self._log)

    def _run(self) -> None:
        while not self._ended.wait(READ_SECONDS):
            self._note()

    def _note(self) -> None:
        self._times.append(time.monotonic())
        self._taken.append(stolen())

    def took(self, began: float, ended: float) -> float:
        """Seconds stolen from the last reading before `began` to the first after `ended`."""
        first = max(0, bisect_right(self._times, began) - 1)
        last = min(len(self._times) - 1, bisect_right(self._times, ended))
        return max(0.0, self._taken[last] - self._taken[first])

    def stood(self, began: float, ended: float) -> float:
        """Seconds between two moments in which a processor ran nobody. Ask after the block.

        Of several processors that which stood longest. With witnesses that are not of real time, seconds in which all
        of them were late.
        """
        late = {process.pid: 0.0 for process in self._witnesses}
        for item in self._seen:
            late[item.pid] += max(0.0, min(ended, item.at) - max(began, item.at - item.late))
        return (max if self.real_time else min)(late.values(), default=0.0)


def _is_real_time(pid: int) -> bool:
    return os.sched_getscheduler(pid) == os.SCHED_FIFO


def _hurry() -> float:
    """Run before all others from now on, if that is allowed; answers what is late then, in seconds."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return STILL_SECONDS
    return STILL_REAL_TIME_SECONDS


def _witness(log: Path, processor: int) -> None:
    os.sched_setaffinity(0, {processor})
    still = _hurry()
    sheet, before = Sheet(log), time.monotonic()
    while True:
        time.sleep(BEAT_SECONDS)
        now = time.monotonic()
        if now - before - BEAT_SECONDS >= still:
            sheet.add(now, now - before - BEAT_SECONDS, 0.0, 0.0)
        before = now


if __name__ == "__main__":
    _witness(Path(sys.argv[1]), int(sys.argv[2]))
