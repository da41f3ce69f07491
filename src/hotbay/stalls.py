"""Who held the event loop, for how long, and where.

A thread looks at the loop's thread a few times a second. While the loop waits for events there is nothing to do: that
costs a look at one frame. Where it works, the thread asks it to answer, and as long as it does not, notes which code of
which plugin it is in. The time counts from the question, so it is less than the whole, by at most half the limit (after
a long idle time: by the limit).

A process that was stopped, or that got no processor, blames nobody: where a look comes late and the process has used no
time itself, that time does not count.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePath
from time import monotonic, process_time
from types import FrameType

from hotbay.activate.loader import PREFIX

log = logging.getLogger("hotbay.stalls")
_QUIET_SECONDS = 1.0
# So many looks in a row at a loop that waits, and the next ones are half as frequent.
_LONG_IDLE = 20
# A process that got less than this share of the time did not hold anything: it was held.
_AT_WORK = 0.25


@dataclass(frozen=True)
class Held:
    """How often and how long (seconds) one plugin held the loop of one worker; the host's own code is plugin ""."""

    count: int = 0
    seconds: float = 0.0
    worst: float = 0.0
    where: str = ""

    def and_again(self, seconds: float, where: str) -> Held:
        """With one more time; `where` stays that of the worst."""
        worse = seconds > self.worst
        return Held(self.count + 1, self.seconds + seconds, max(self.worst, seconds), where if worse else self.where)


class Stalls:
    """Watches one event loop. `limit` is in seconds: shorter stalls are nobody's business."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.held: dict[str, Held] = {}
        self._turn = self._pause = limit / 2
        self._idle = 0
        self._stop = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._watched = 0
        self._base: FrameType | None = None
        self._asked = self._answered = self._asleep = 0.0
        self._seen: Counter[tuple[str, str]] = Counter()
        self._last = self._used = 0.0
        self._told: dict[tuple[str, str], float] = {}

    def start(self) -> None:
        """Watch the running loop from now on."""
        self._loop, self._watched = asyncio.get_running_loop(), threading.get_ident()
        self._loop.call_soon(self._find_base)
        self._stop.acquire()
        self._thread = threading.Thread(target=self._run, name="hotbay stalls", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer; safe to repeat."""
        if self._thread is not None:
            self._stop.release()
            self._thread.join()
            self._thread, self._base = None, None

    def _find_base(self) -> None:
        """A loop that is written in C (uvloop) waits in the frame that started it."""
        caller = sys._getframe(1)
        self._base = None if caller.f_globals.get("__name__") == "asyncio.events" else caller

    # ── the watching thread ───────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        self._last, self._used = monotonic(), process_time()
        while not self._stop.acquire(timeout=self._pause):
            try:
                self._look(monotonic(), process_time())
            except RuntimeError:  # The loop was closed.
                break
        else:
            self._stop.release()

    def _look(self, now: float, used: float) -> None:
        late, work = now - self._last - self._pause, used - self._used
        self._last, self._used = now, used
        if late > self._turn and work < _AT_WORK * late:
            self._asleep += late
        if not self._asked:
            self._ask(now)
        elif self._answered:
            seconds = self._answered - self._asked - self._asleep
            if seconds >= self.limit and self._seen:
                self._note(seconds)
            self._asked = 0.0
        else:
            self._sample()
        self._pause = self._turn if self._asked or self._idle < _LONG_IDLE else self.limit

    def _ask(self, now: float) -> None:
        """Ask the loop to answer, unless it waits for something to do."""
        frame = sys._current_frames().get(self._watched)
        if frame is None or frame is self._base or _waits(frame):
            self._idle += 1
            return
        self._idle = 0
        self._seen.clear()
        self._answered, self._asleep, self._asked = 0.0, 0.0, now
        self._seen[culprit(frame)] += 1
        self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self._answered = monotonic()

    def _sample(self) -> None:
        frame = sys._current_frames().get(self._watched)
        if frame is not None:
            self._seen[culprit(frame)] += 1

    def _note(self, seconds: float) -> None:
        (plugin, where), _ = self._seen.most_common(1)[0]
        self.held[plugin] = self.held.get(plugin, Held()).and_again(seconds, where)
        if monotonic() - self._told.get((plugin, where), -_QUIET_SECONDS) < _QUIET_SECONDS:
            return
        self._told[(plugin, where)] = monotonic()
        if plugin:
            text = "plugin %s held the loop %d ms in %s"
            logging.getLogger(f"hotbay.plugin.{plugin}").warning(text, plugin, seconds * 1000, where)
        else:
            log.warning("the host held the loop %d ms in %s", seconds * 1000, where)


def _waits(frame: FrameType) -> bool:
    """True when asyncio's own loop waits for events."""
    return frame.f_code.co_name == "select" and frame.f_globals.get("__name__") == "selectors"


def culprit(frame: FrameType) -> tuple[str, str]:
    """The plugin whose code a frame is in or was called by, and its innermost place; "" for the host."""
    here: FrameType | None = frame
    while here is not None:
        name = here.f_globals.get("__name__", "")
        if isinstance(name, str) and name.startswith(PREFIX):
            root, *inside = name.split(".")
            return root.removeprefix(PREFIX).rpartition("_")[0], _place(here, len(inside))
        here = here.f_back
    return "", _place(frame, 1)


def _place(frame: FrameType, depth: int) -> str:
    """`routes.py:41`; modules further down with their folders."""
    path = PurePath(frame.f_code.co_filename)
    parts = path.parts[-max(1, depth + (path.name == "__init__.py")) :]
    return f"{'/'.join(parts)}:{frame.f_lineno}"
