"""Full collections wait until operations are over.

A full collection stops the process for as long as it takes to visit everything that is not frozen (13 to 18 ms with the
AI chatbot), and one load makes enough objects for the collector to begin it by itself, in the middle of the operation.
So while plugins are loaded and taken apart, and a moment longer, none begins by itself: the threshold of the oldest
generation (`gc.set_threshold`) is out of reach. The young generations are collected as ever, and so is the oldest by
whoever calls `gc.collect`. Operations one after the other do not keep it off: after `LONG_SECONDS` the collector has
its chance between two of them, and after `LONGEST_SECONDS` (a load may hang) in any case.

Only where somebody looks after it (`attend`): else nobody would put the threshold back.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable

NEVER = 1_000_000_000
QUIET_SECONDS = 1.0
CALM_SECONDS = 0.2
LONG_SECONDS = 8.0
LONGEST_SECONDS = 30.0
CHANCE_SECONDS = 5.0


class Collector:
    """The threshold of one process. Any thread may call it. `now` answers seconds that only grow."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._watchers = self._users = 0
        self._usual: int | None = None  # The host's threshold, while ours is in force.
        self._since = self._left = self._until = 0.0

    def attend(self) -> None:
        """Somebody calls `relax` now and then from now on, until he calls `leave`."""
        with self._lock:
            self._watchers += 1

    def leave(self) -> None:
        """He does not any more; the last one puts the threshold back."""
        with self._lock:
            self._watchers -= 1
            if self._watchers == 0:
                self._put_back()

    def put_off(self) -> None:
        """What makes and drops many objects begins; `done` ends it."""
        with self._lock:
            self._users += 1
            if self._watchers and self._usual is None and self._now() >= self._until:
                young, middle, self._usual = gc.get_threshold()
                gc.set_threshold(young, middle, NEVER)
                self._since = self._now()

    def done(self) -> None:
        """What `put_off` announced has ended."""
        with self._lock:
            self._users -= 1
            self._left = self._now()

    def relax(self) -> None:
        """Put the threshold back if all has been done for a while, or if it goes on for too long."""
        with self._lock:
            now = self._now()
            calm = 0.0 if self._users else now - self._left
            lasts = 0.0 if self._usual is None else now - self._since
            if lasts >= LONGEST_SECONDS:
                self._until = now + CHANCE_SECONDS
            if lasts >= LONGEST_SECONDS or calm >= QUIET_SECONDS:
                self._put_back()
            elif lasts >= LONG_SECONDS and calm >= CALM_SECONDS:
                self._put_back()
                _let_it_look()

    def _put_back(self) -> None:
        """What somebody else has set meanwhile stays."""
        young, middle, full = gc.get_threshold()
        if self._usual is not None and full == NEVER:
            gc.set_threshold(young, middle, self._usual)
        self._usual = None


def _let_it_look() -> None:
    """Make so many objects that the collector looks whether a full collection is due: by its own rule, but now."""
    young = gc.get_threshold()[0]
    made = [[None] for _ in range(young + 1)]
    made.clear()


collector = Collector()
