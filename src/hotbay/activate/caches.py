"""Empties the caches of libraries that would keep an unloaded generation alive.

Measured holders: `functools.lru_cache`s on FastAPI's and others' module functions, and typing's generic caches. The
library modules are walked, not the heap: a heap walk stops the process for 50-200 ms.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy.util import LRUCache

LIBRARIES = ("fastapi", "starlette", "pydantic", "sqlalchemy", "anyio", "inspect", "functools")
LRU_CACHE: type = type(lru_cache(lambda: None))
_known: dict[str, tuple[Callable[[], Any], ...]] = {}


class Cache(NamedTuple):
    """A cache that may be emptied: its name, in words, and how."""

    name: str
    empty: Callable[[], object]


def emptiable(thing: object) -> Cache | None:
    """A library's `lru_cache`, or what an engine compiled. The host's own caches may hold what must not change."""
    if isinstance(thing, LRU_CACHE) and is_library(sys.modules.get(getattr(thing, "__module__", None) or "")):
        return Cache(f"the cache of {thing.__module__}.{thing.__qualname__}", thing.cache_clear)  # type: ignore[attr-defined]
    return Cache("the statements that an engine compiled", thing.clear) if type(thing) is LRUCache else None


def clear() -> int:
    """Empty all known caches; answers how many. Safe at any time: they are caches."""
    cleared = 0
    for empty in _caches():
        empty()
        cleared += 1
    for cleanup in getattr(typing, "_cleanups", ()):
        cleanup()
        cleared += 1
    return cleared


def _caches() -> Iterable[Callable[[], Any]]:
    for name, module in sys.modules.copy().items():  # another thread may import meanwhile
        if name.partition(".")[0] in LIBRARIES:
            if name not in _known:
                _known[name] = tuple(_find(module))
            yield from _known[name]


def _find(module: object) -> Iterable[Callable[[], Any]]:
    for thing in list(vars(module).values()) if hasattr(module, "__dict__") else ():
        empty = getattr(thing, "cache_clear", None) if type(thing).__name__ == "_lru_cache_wrapper" else None
        if callable(empty):
            yield empty


def is_library(module: object) -> bool:
    """True for a module of Python itself or of an installed package: not the host's own, nor a plugin's."""
    top = str(getattr(module, "__name__", "") or "").partition(".")[0]
    file = str(getattr(module, "__file__", "") or "")
    return top in sys.stdlib_module_names or "/site-packages/" in file or "/dist-packages/" in file
