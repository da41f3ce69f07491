"""The actor's view of the workers: tell them, and wait until each has acted, or is known not to.

A worker that is stopped or does not answer within `ack_seconds` is not waited for: the beacon makes it look at the
rows before it serves another request, so it serves nothing stale when it comes back.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hotbay.presence import Fifo, Status, Workers, gone, stopped

_TURN_SECONDS = 0.05
_PING_SECONDS = 0.2
Verdict = str  # "done", "busy" (acting: wait on), "silent" (nothing yet: wait ack_seconds), or an error text


@dataclass
class Answers:
    """Who did what was asked, and who was not waited for."""

    done: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)


class Cohort:
    """The workers that are there. One actor at a time uses it: the holder of the lease."""

    def __init__(self, workers: Workers, ack_seconds: float) -> None:
        self.workers = workers
        self.ack_seconds = ack_seconds

    @contextmanager
    def listening(self) -> Iterator[Fifo]:
        """A pipe through which workers wake the actor."""
        fifo = Fifo(self.workers.fifo(f"a-{os.getpid()}-{uuid.uuid4().hex[:6]}"))
        try:
            yield fifo
        finally:
            fifo.close()

    def gather(self, judge: Callable[[Status], Verdict], seconds: float) -> Answers:
        """Wake all workers and wait until `judge` says of each that it is done.

        Workers that stay silent for `ack_seconds`, are stopped, or are busy for more than `seconds` end up in `late`.
        Workers that appear meanwhile are asked too.
        """
        with self.listening() as fifo:
            began, pinged, names = time.monotonic(), 0.0, list[str]()
            while True:
                moment = time.monotonic()
                if moment - pinged >= _PING_SECONDS:
                    names, pinged = self.workers.signal(), moment
                answers, waiting = self._judge(names, judge, moment - began, seconds)
                if not waiting:
                    return answers
                fifo.wait(_TURN_SECONDS)

    def _judge(
        self, names: list[str], judge: Callable[[Status], Verdict], passed: float, seconds: float
    ) -> tuple[Answers, bool]:
        answers, waiting = Answers(), False
        for name in names:
            status = self.workers.read(name)
            if status is not None and gone(status.pid):
                continue  # Its pipe is still there, it is not: it neither answers nor is late.
            verdict = "silent" if status is None else judge(status)
            if verdict == "done":
                answers.done.append(name)
            elif self._too_late(status, verdict, passed, seconds):
                answers.late.append(name)
            else:
                waiting = True
        return answers, waiting

    def _too_late(self, status: Status | None, verdict: Verdict, passed: float, seconds: float) -> bool:
        if status is not None and stopped(status.pid):
            return True
        return passed >= (seconds if verdict == "busy" else min(seconds, self.ack_seconds))
