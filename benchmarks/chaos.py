"""Workers that are killed, stopped and started while a plugin is changed under load."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from harness import Server, say
from witness import DEPOT, Swap

_BACK_SECONDS = 60.0
_REST = 0.5
_STOPPED_SECONDS = 3.0


class Chaos:
    """Rounds of it. `swap` does an operation on the depot; `kills` is who was killed, when."""

    def __init__(self, server: Server, swap: Callable[[str, str], Swap], present: Callable[[], set[int]]) -> None:
        self.server = server
        self.swap = swap
        self.present = present
        self.kills: list[dict[str, Any]] = []
        self.swaps: list[Swap] = []
        self.stops = 0

    def round(self, number: int) -> None:
        """Kill one worker in an operation, change again while its successor starts, then stop another one."""
        victim = sorted(self.server.pids())[number % self.server.workers]
        timer = threading.Timer(0.01 + 0.03 * (number % 5), self._kill, (victim,))
        timer.start()
        self._swap()
        timer.join()
        self._swap()  # The successor is being started.
        self._wait_for_all(without=victim)
        self._swap()
        self._stopped(sorted(self.server.pids())[(number + 1) % self.server.workers])

    def _kill(self, pid: int) -> None:
        self.kills.append({"pid": pid, "at": time.monotonic()})
        os.kill(pid, signal.SIGKILL)

    def _stopped(self, pid: int) -> None:
        """Stop a worker for two operations, or as many as fit: after 5 s uvicorn takes it for dead and kills it."""
        timer = threading.Timer(_STOPPED_SECONDS, os.kill, (pid, signal.SIGCONT))
        os.kill(pid, signal.SIGSTOP)
        self.stops += 1
        timer.start()
        try:
            self._swap()
            self._swap()
        finally:
            timer.cancel()
            timer.join()
            os.kill(pid, signal.SIGCONT)
        time.sleep(_REST)
        self._swap()

    def _swap(self) -> None:
        kind = "rollback" if len(self.swaps) % 2 else "upgrade"
        self.swaps.append(self.swap(kind, DEPOT))

    def _wait_for_all(self, without: int) -> None:
        deadline = time.monotonic() + _BACK_SECONDS
        while len(found := self.present()) < self.server.workers or without in found:
            if time.monotonic() > deadline:
                raise RuntimeError(f"only the workers {found} are there; the log ends with:\n{self.server.tail()}")
            time.sleep(0.05)
        say(f"killed {without}; there are {sorted(found)}")
