"""Full collections wait until operations are over, and do not wait for long.

A full collection stops the process for as long as it takes to visit everything that is not frozen (5 to 20 ms with the
AI chatbot), and one load makes enough objects for the collector to begin it by itself, in the middle of the operation.
So while plugins are loaded and taken apart, and a moment longer, none begins by itself: the threshold of the oldest
generation (`gc.set_threshold`) is out of reach. The middle one is collected more often, as what is in it then is little
(2 ms instead of 7), the youngest as ever, and the oldest by whoever calls `gc.collect`.

Each operation leaves some hundred objects in cycles (engines, paths, schemas). Where operations follow each other,
everything is collected in the calm between two of them, every `OFTEN_SECONDS`, in each worker at another moment: what
half a minute of them left stopped the process for 60 to 90 ms. Where that takes longer than `CHEAP_SECONDS` of
computing (the host made many objects since its start), it is left to the collector's own rule for `DEAR_SECONDS`; it
has its chance between two operations after `LONG_SECONDS`, and after `LONGEST_SECONDS` (a load may hang) in any case.

Only where somebody looks after it (`attend`): else nobody would put the threshold back.
"""

from __future__ import annotations

import gc
import random
import threading
import time
from collections.abc import Callable

NEVER = 1_000_000_000
MIDDLE = 3
QUIET_SECONDS = 1.0
CALM_SECONDS = 0.2
LONG_SECONDS = 8.0
LONGEST_SECONDS = 30.0
CHANCE_SECONDS = 5.0
OFTEN_SECONDS = 4.0
APART_SECONDS = 2.0
CHEAP_SECONDS = 0.05
DEAR_SECONDS = 600.0


class Collector:
    """The threshold of one process. Any thread may call it.

    `now` answers seconds that only grow, `spent` those that this thread has computed, `apart` those that this process
    adds to `OFTEN_SECONDS`: workers that differ in them don't stop at the same moment.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.thread_time,
        apart: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._now = now
        self._spent = spent
        self._apart = apart
        self._often = OFTEN_SECONDS
        self._lock = threading.Lock()
        self._watchers = self._users = 0
        self._usual: tuple[int, int] | None = None  # The host's thresholds, while ours are in force.
        self._since = self._left = self._until = self._dear_until = 0.0

    def attend(self) -> None:
        """Somebody calls `relax` now and then from now on, until he calls `leave`."""
        with self._lock:
            if self._watchers == 0:
                self._often = OFTEN_SECONDS + self._apart()  # Now: a worker may be a copy of another process.
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
                young, middle, full = gc.get_threshold()
                self._usual = middle, full
                gc.set_threshold(young, min(middle, MIDDLE), NEVER)
                self._since = self._now()

    def done(self) -> None:
        """What `put_off` announced has ended."""
        with self._lock:
            self._users -= 1
            self._left = self._now()

    @property
    def is_off(self) -> bool:
        """True while full collections are put off: `relax` wants to be called within `CALM_SECONDS` then."""
        return self._usual is not None

    def relax(self) -> None:
        """Put the threshold back if all has been done for a while, or if it goes on for too long.

        Collects what was left, then: it may take as long as a full collection.
        """
        work = self._due()
        # Not under the lock: finalizers run in it, and may be anybody's.
        if work is not None:
            work()

    def _due(self) -> Callable[[], None] | None:
        with self._lock:
            if self._usual is None:
                return None
            now = self._now()
            lasts, calm = now - self._since, 0.0 if self._users else now - self._left
            hangs, cheap = lasts >= LONGEST_SECONDS, now >= self._dear_until and gc.isenabled()
            now_or_never = calm >= CALM_SECONDS and lasts >= (self._often if cheap else LONG_SECONDS)
            if not (hangs or now_or_never or calm >= QUIET_SECONDS):
                return None
            self._put_back()
            if hangs:
                self._until = now + CHANCE_SECONDS
            return (self._collect if cheap else _let_it_look) if now_or_never else None

    def _collect(self) -> None:
        began = self._spent()
        gc.collect()
        if self._spent() - began > CHEAP_SECONDS:
            self._dear_until = self._now() + DEAR_SECONDS

    def _put_back(self) -> None:
        """What somebody else has set meanwhile stays."""
        young, middle, full = gc.get_threshold()
        if self._usual is not None and full == NEVER:
            before, usual = self._usual
            gc.set_threshold(young, before if middle == min(before, MIDDLE) else middle, usual)
        self._usual = None


def _let_it_look() -> None:
    """Make so many objects that the collector looks whether a full collection is due: by its own rule, but now."""
    young = gc.get_threshold()[0]
    made = [[None] for _ in range(young + 1)]
    made.clear()


collector = Collector(apart=lambda: random.uniform(0.0, APART_SECONDS))  # noqa: S311 - no secret
