"""What is left of a generation, put where the collector looks first.

A full collection stops the process for as long as it takes to visit everything that lives: the other plugins, and what
the host made since its start. What a generation left can be found from its namespaces instead, in a thread that gives
way, and be moved to the youngest generation of the collector; a collection of the young ones then visits little else.
Measured with the AI chatbot: 2.5 ms instead of 10, and independent of the other plugins. That something was not found
is no harm: the proof looks at weak references, and a full collection follows when one is alive.

What is the host's is known by weak references, which `freeze` made. To ask the collector for all that is not frozen
would be simpler, but that list holds, as long as somebody goes through it, what other threads have just done with: a
cursor that is held keeps its statement open, and SQLite then refuses what needs none to be. Going through it in one
call of C stops everybody for 10 ms.

`PyObject_GC_Track` and `PyObject_GC_UnTrack`: CPython's documentation, "Supporting Cyclic Garbage Collection".
"""

from __future__ import annotations

import ctypes
import gc
import operator
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, cycle
from types import ModuleType
from typing import Any

from hotbay.activate.loader import PREFIX

# More than this is not one plugin: the walk went astray in a host that is not frozen.
MOST = 100_000
AGAIN_SECONDS = 10.0
_SLICE = 200
_HUBS = (ModuleType, type)
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement, or as if by one.
_host: dict[int, weakref.ref[Any]] = {}
_freezing = threading.Lock()


@dataclass
class _Frozen:
    """How many hosts run that called `freeze`, whether more may follow, when it did last, and what is loaded."""

    hosts: int = 0
    more: bool = False
    at: float = -AGAIN_SECONDS
    plugins: set[str] = field(default_factory=set)


_frozen = _Frozen()


def freeze(*, more: bool = False) -> None:
    """Collect, and take what lives from the collector's sight: it is the host's and costs no collection any more.

    Called when a host starts, before the first plugin is loaded, because a generation that is frozen would be kept for
    ever; once more adds what came since. `thaw` undoes it. `more` lets `comes` add more.
    """
    gc.collect()
    for place in [place for place, known in _host.items() if known() is None]:
        del _host[place]
    _host.update((id(thing), weakref.ref(thing)) for thing in gc.get_objects() if _leads_astray(type(thing)))
    with _freezing:
        gc.freeze()
        _frozen.hosts += 1
        _frozen.more = more


def comes(plugin: str) -> None:
    """To be called before a plugin's code is loaded, with a name that no other has. Where no plugin is in the process,
    freezes what the host made since `freeze`, without knowing it for the host's; at most once in `AGAIN_SECONDS`, and
    only where `freeze` said so.

    That is some thousands of objects (what it imports at the first request, the statements that it asked, libraries
    that a plugin imported which is gone), and a full collection would visit them between any two operations. What a
    request in flight holds in that moment and leaves in a cycle stays for ever: so it is done seldom. `freeze` itself
    is not for a server at work: it holds what it goes through.
    """
    with _freezing:
        now = time.monotonic()
        if _frozen.more and not _frozen.plugins and now - _frozen.at >= AGAIN_SECONDS:
            _frozen.at = now
            gc.collect()
            gc.freeze()
        _frozen.plugins.add(plugin)


def gone(plugin: str) -> None:
    """Nothing of the plugin's code is in the process any more: that is proven."""
    with _freezing:
        _frozen.plugins.discard(plugin)


def thaw() -> None:
    """A host has stopped, and the process goes on: with the last one the collector sees all again."""
    with _freezing:
        _frozen.hosts = max(0, _frozen.hosts - 1)
        if _frozen.hosts == 0:
            _frozen.more = False
            _host.clear()
            gc.unfreeze()


def _leads_astray(kind: type) -> bool:
    """Modules, classes and instances of classes. Functions are many, and lead to little but namespaces."""
    return bool(kind.__weakrefoffset__) and (issubclass(kind, _HUBS) or bool(kind.__flags__ & _HEAP_TYPE))


def gather(roots: Iterable[object], most: int = MOST) -> list[Any]:
    """What the collector tracks, is not the host's and can be reached from these; nothing if that is more than `most`.

    The walk ends at the host's modules, and at its classes and instances of before the first plugin. What it can't tell
    from a plugin's, as lists and functions, it takes along. The answer holds it all: `let_go` before a collection.
    """
    spaces = _namespaces()
    found: dict[int, Any] = {}
    edge = list(roots)
    while edge:
        met = {id(thing): thing for thing in referents(edge) if id(thing) not in spaces and id(thing) not in found}
        fresh = {place: thing for place, thing in met.items() if gc.is_tracked(thing) and not _of_host(thing)}
        found |= fresh
        if len(found) > most:
            return []
        edge = list(fresh.values())
    return list(found.values())


def _of_host(thing: object) -> bool:
    known = _host.get(id(thing))
    return known is not None and known() is thing


def _namespaces() -> set[int]:
    """Of the modules that are no plugin's."""
    modules = [module for name, module in sys.modules.copy().items() if not name.startswith(PREFIX)]
    return {id(vars(module)) for module in modules if issubclass(type(module), ModuleType)}


def referents(things: Iterable[object]) -> list[Any]:
    """What these refer to; of a module, only its names.

    The state of one that is written in C may show objects that are dead and kept for reuse: `_asyncio` of 3.12 does.
    Whoever takes a reference to one and lets it go frees it a second time, and from then on each collection runs in a
    circle, with the whole process waiting for it.
    """
    modules, others = list[ModuleType](), list[object]()
    for thing in things:
        if issubclass(type(thing), ModuleType):
            modules.append(thing)  # type: ignore[arg-type]
        else:
            others.append(thing)
    return [*map(vars, modules), *gc.get_referents(*others)]


def let_go(found: list[Any]) -> None:
    """Make these young, and empty the list, in slices: the other threads get their turn between two."""
    if _is_known():
        for start in range(0, len(found), _SLICE):
            _renew(found[start : start + _SLICE])
            time.sleep(0)
    while found:
        del found[-_SLICE:]
        time.sleep(0)


def _is_known() -> bool:
    """Without the lock of the interpreter there are no generations, and no moment in which nobody else runs."""
    return sys.implementation.name == "cpython" and bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def _renew(things: list[Any]) -> None:
    """Take each out of its generation and put it into the youngest.

    To track what is tracked already ends the process, and a dictionary is tracked by whoever writes to it. So nothing
    may run between the two calls: the whole slice is one call of C, and no collection may start in it.
    """
    calls = map(operator.call, cycle(_MOVES), chain.from_iterable(zip(things, things, strict=True)))
    with _without_collection():
        deque(calls, maxlen=0)


@contextmanager
def _without_collection() -> Iterator[None]:
    usual = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if usual:
            gc.enable()


def _function(name: str) -> Any:
    # By index: the attribute is shared with everyone else who calls it, and so would be its argument types.
    function = ctypes.pythonapi[name]
    function.argtypes, function.restype = (ctypes.py_object,), None
    return function


_MOVES = tuple(map(_function, ("PyObject_GC_UnTrack", "PyObject_GC_Track"))) if _is_known() else ()
