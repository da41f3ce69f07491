"""Compiled statements of a plugin in the engines of its host.

A plugin that asks through the host's session (`from app.core.database import get_db`, as the seeds' plugins do) has its
statements compiled and kept by the host's engine, up to 500, with the plugin's models in their keys and results.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Engine

from hotbay.activate.caches import is_library


def forget(mentioned: Iterable[object]) -> int:
    """Remove each statement that mentions one of these mappers and tables; answers how many these were.

    The host's own statements stay compiled. Safe to repeat.
    """
    wanted, removed = {id(thing) for thing in mentioned}, 0
    for cache in _kept() if wanted else ():
        for key in [key for key in cache.copy() if _mentions(key, wanted)]:
            removed += cache.pop(key, None) is not None
    return removed


def _kept() -> Iterator[dict[Any, Any]]:
    """What each engine of the host keeps; engines with other options share it."""
    seen: set[int] = set()
    for engine in engines():
        kept = getattr(engine._compiled_cache, "_data", None)
        if isinstance(kept, dict) and id(kept) not in seen:
            seen.add(id(kept))
            yield kept


def engines() -> Iterator[Engine]:
    """The engines that modules of the host name. One that is elsewhere is found by the search for holders."""
    for module in sys.modules.copy().values():
        space = getattr(module, "__dict__", None)
        if isinstance(space, dict) and not is_library(module):
            yield from (engine for thing in space.copy().values() if (engine := _engine(thing)) is not None)


def _engine(thing: object) -> Engine | None:
    kind = type(thing)  # Not isinstance(): a proxy of the host's would run its code to say what it is.
    if issubclass(kind, Engine):
        return thing  # type: ignore[return-value]
    named = (kind.__module__, kind.__qualname__)
    return thing.sync_engine if named == ("sqlalchemy.ext.asyncio.engine", "AsyncEngine") else None  # type: ignore[attr-defined]


def _mentions(key: object, wanted: set[int]) -> bool:
    """Keys are tuples of tuples; a table or mapper stands in them as itself."""
    edge = [key]
    while edge:
        thing = edge.pop()
        if id(thing) in wanted:
            return True
        if isinstance(thing, tuple):
            edge.extend(thing)
    return False
