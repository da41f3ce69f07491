"""The end of a generation: take back what it left, empty its modules, collect, and prove that it is gone."""

from __future__ import annotations

import gc
import inspect
import logging
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from hotbay.activate import Proof, caches, holders, mappings, patches, remains, traces
from hotbay.activate.owned import Owner
from hotbay.activate.threads import giving_way

log = logging.getLogger("hotbay.activate")
Watched = dict[str, weakref.ref[Any]]
# What is collected, and the seconds before the next time: the loop gets its turn, as a full one may cost 10 ms.
_YOUNG, _ALL = 1, 2
_COLLECTIONS = (
    *((_YOUNG, pause) for pause in (0.002, 0.002, 0.02, 0.1)),
    *((_ALL, pause) for pause in (0.002, 0.05, 0.25, 1.0, 0.0)),
)


def watch(modules: Mapping[str, ModuleType]) -> Watched:
    """Weak references to a generation's modules, classes and functions, by name."""
    watched: Watched = {}
    for name, module in modules.items():
        watched[name] = weakref.ref(module)
        for thing in vars(module).copy().values():
            if (inspect.isclass(thing) or inspect.isfunction(thing)) and thing.__module__ == name:
                watched[f"{name}.{thing.__qualname__}"] = weakref.ref(thing)
    return watched


@dataclass
class Left:
    """What a generation leaves: its modules, and what else led to its objects. Emptied by the proof."""

    modules: list[ModuleType]
    others: list[Any] = field(default_factory=list)

    def gather(self) -> list[Any]:
        """All that can be reached from here; before anything is taken apart, as that cuts the ways."""
        roots = [*self.others, *(vars(module) for module in self.modules)]
        self.others.clear()
        return remains.gather(roots)


def prove(owner: Owner, watched: Watched, left: Left, brought: traces.Brought, loop: Any) -> Proof:
    """Take back, empty, collect, look. In a thread; `left` is emptied."""
    with giving_way():
        found = left.gather()
        undone = _take_back(owner, left.modules, brought)
        unsure = tuple(traces.uncertain(brought))
        brought.forget()
        _empty(left.modules)
        caches.clear()
        remains.let_go(found)
        if not _alive(watched):
            return Proof(undone=tuple(undone), left=unsure)
        who = holders.find(owner, _strong(watched), loop)
        for cache in dict.fromkeys(who.caches):
            undone.append(cache.name)
            cache.empty()
        if who.caches:
            who = _again(owner, watched, loop)
        alive = tuple(_strong(watched))
        return Proof(alive, tuple(who.holders), tuple(undone), unsure)


def _take_back(owner: Owner, left: list[ModuleType], brought: traces.Brought) -> list[str]:
    done: list[str] = []
    kept: list[patches.Patch] = []

    def put_back() -> list[str]:
        undone, others = patches.undo(owner, [vars(module) for module in left])
        kept.extend(others)
        return undone

    for work in (put_back, lambda: traces.undo(owner, brought), lambda: mappings.undo(owner, left)):
        try:
            done += work()
        except Exception:
            log.exception("what %s left in the process could not be taken back", owner.plugin)
    if kept:
        # The host calls these functions: with empty modules they would fail.
        left.clear()
    return done


def _empty(left: list[ModuleType]) -> None:
    """Empty the modules one by one: what dies by its reference count need not be found by the collector, which stops
    the whole process while it looks."""
    while left:
        vars(left.pop()).clear()
        time.sleep(0)


def _again(owner: Owner, watched: Watched, loop: Any) -> holders.Found:
    return holders.find(owner, _strong(watched), loop) if _alive(watched) else holders.Found()


def _alive(watched: Watched) -> bool:
    """Collect, and look; several times.

    Weak dictionaries let go of their keys only when the values have died: generic models need two turns. What a thread
    or the loop has just finished with is let go of a moment later: what is left is made young again for that, as a full
    collection stops the process for as long as it visits all that lives.
    """
    for generation, pause in _COLLECTIONS:
        gc.collect(generation)
        if all(reference() is None for reference in watched.values()):
            return False
        time.sleep(pause)
        if generation == _YOUNG:
            remains.let_go(remains.gather(list(_strong(watched).values())))
    return True


def _strong(watched: Watched) -> dict[str, Any]:
    return {name: thing for name, reference in watched.items() if (thing := reference()) is not None}
