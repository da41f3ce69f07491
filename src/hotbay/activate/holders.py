"""Who keeps an unloaded generation alive: the way from something that the process needs to what should be gone.

Runs only when something is alive. The search goes forward, from threads, tasks, signals and modules through what they
refer to: `gc.get_referrers` would not see the host's objects, which are frozen (see `asgi`), and would stop the whole
process while it looks. It is bounded in objects and seconds, and lets other threads run in between.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import signal
import sqlite3
import sys
import threading
import time
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from hotbay.activate import Holder
from hotbay.activate.caches import Cache
from hotbay.activate.loader import PREFIX
from hotbay.activate.owned import Owner
from hotbay.activate.paths import AtExit, Standing, Way, describe, public
from hotbay.activate.remains import referents

_SECONDS = 3.0
_OBJECTS = 600_000
_BREATH = 256
_NAMED = 20
_REFERRERS = 50


@dataclass
class Found:
    """The holders, and caches that are among them and may be emptied."""

    holders: list[Holder] = field(default_factory=list)
    caches: list[Cache] = field(default_factory=list)


def find(
    owner: Owner, alive: Mapping[str, Any], loop: Any, *, seconds: float = _SECONDS, objects: int = _OBJECTS
) -> Found:
    """Name the holder of each object in `alive` (by name; at most 20 are named). In a thread, not on the loop."""
    search = _Search(owner, dict(list(alive.items())[:_NAMED]), loop)
    del alive
    search.forward(seconds, objects)
    return search.answer()


class _Search:
    """Breadth first, so that each way is a shortest one. Keeps what it has seen alive until it is gone itself."""

    def __init__(self, owner: Owner, alive: dict[str, Any], loop: Any) -> None:
        self.owner = owner
        self.targets = {id(thing): (name, thing) for name, thing in alive.items()}
        self.frames = sys._current_frames()
        self.frames.pop(threading.get_ident(), None)
        standing = list(_standings(self.frames))
        self.nodes: list[Any] = []
        self.parents = array("q")
        self.found: dict[int, int] = {}
        self.complete = True
        self._seen: set[int] = {id(alive), id(self.targets), id(self.nodes), id(self.found), id(self.frames)}
        self._seen |= {id(pair) for pair in self.targets.values()}
        for root in (*_roots(loop), *standing):
            self._add(root, -1)

    def _add(self, thing: Any, parent: int) -> None:
        key = id(thing)
        # A cursor that is held keeps its statement open, and SQLite then refuses what needs none to be.
        if key in self._seen or not gc.is_tracked(thing) or issubclass(type(thing), sqlite3.Cursor):
            return
        self._seen.add(key)
        self.nodes.append(thing)
        self.parents.append(parent)
        if key in self.targets and key not in self.found:
            self.found[key] = len(self.nodes) - 1

    def forward(self, seconds: float, objects: int) -> None:
        """Go on until each target was met, everything was seen, or the bounds are reached."""
        deadline, number = time.monotonic() + seconds, 0
        while number < len(self.nodes) and len(self.found) < len(self.targets):
            for thing in referents([self.nodes[number]]):
                self._add(thing, number)
            number += 1
            if number % _BREATH == 0:
                time.sleep(0)
                if time.monotonic() > deadline or len(self.nodes) > objects:
                    self.complete = False
                    return

    # ── the answer ────────────────────────────────────────────────────────────────────────────────────────────

    def answer(self) -> Found:
        """A holder for each target, in the targets' order."""
        found = Found()
        for key, (name, thing) in self.targets.items():
            if key in self.found:
                way = Way(self.owner, self._nodes_to(self.found[key]), self.frames)
                found.holders.append(way.holder(name))
                found.caches += way.caches()
            else:
                found.holders.append(self._elsewhere(name, thing))
        return found

    def _nodes_to(self, number: int) -> list[Any]:
        way = []
        while number >= 0:
            way.append(self.nodes[number])
            number = self.parents[number]
        return way[::-1]

    def _elsewhere(self, name: str, thing: Any) -> Holder:
        """What no way leads to: it is on the stack of a thread, or held by what only the collector knows."""
        for ident, frame in self.frames.items():
            for item in _stack(frame):
                if self.owner.runs(item):
                    return self._standing(name, ident, item)
        return self._referred(name, thing)

    def _standing(self, name: str, ident: int, frame: FrameType) -> Holder:
        thread = next((item for item in threading.enumerate() if item.ident == ident), None)
        text = describe(self.owner, thread) if thread is not None else f"thread {ident}"
        file, line = self.owner.show(frame.f_code.co_filename), frame.f_lineno
        place = f"it stands in {frame.f_code.co_qualname} ({file}:{line})"
        name = public(self.owner, name)
        return Holder(name, "thread", text, file, line, (text, place, name))

    def _referred(self, name: str, thing: Any) -> Holder:
        file, line = self.owner.place(thing)
        name = public(self.owner, name)
        if gc.get_freeze_count():  # The host's objects are frozen: the rest of the heap is small.
            ours = {id(self.nodes), id(self.targets), id(self.targets[id(thing)])}
            others = [item for item in gc.get_referrers(thing)[:_REFERRERS] if id(item) not in ours]
            texts = [describe(self.owner, item) for item in others if not isinstance(item, FrameType)]
            if texts:
                return Holder(name, "object", texts[0], file, line, (*texts[:1], name))
        why = "something in C code" if self.complete else "something that was not found in the time for searching"
        return Holder(name, "unknown", why, file, line, (f"{sys.getrefcount(thing)} references", name))


def _standings(frames: Mapping[int, FrameType]) -> Iterator[Standing]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, top in frames.items():
        yield from (Standing(names.get(ident, str(ident)), frame) for frame in _stack(top))


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _roots(loop: Any) -> Iterator[Any]:
    """What the process itself holds; what says most about itself comes first."""
    yield from threading.enumerate()
    yield from _tasks(loop)
    yield from (handler for number in signal.valid_signals() if (handler := signal.getsignal(number)) is not None)
    yield contextvars.copy_context()
    yield AtExit()
    yield loop
    yield from (module for name, module in sys.modules.copy().items() if not name.startswith(PREFIX))
    yield from (module for name, module in sys.modules.copy().items() if name.startswith(PREFIX))


def _tasks(loop: Any) -> list[Any]:
    for _ in range(5):
        try:
            return list(asyncio.all_tasks(loop))
        except RuntimeError:  # The loop made one while we looked.
            continue
    return []
