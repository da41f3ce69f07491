"""The billing host with one more path, which tells what is in its memory: what leak.py starts.

`GET /bench/memory` collects and answers the process's resident memory, how many generations' classes or functions are
in memory, and with `?types=1` the number of objects by type. All of it stops the process for a while.
"""

from __future__ import annotations

import gc
import json
import os
import tracemalloc
from collections import Counter
from types import FunctionType
from typing import Any

from app.main import app
from hotbay.activate.loader import PREFIX

PATH = "/bench/memory"
_snapshots: list[tracemalloc.Snapshot] = []
_PAGE = os.sysconf("SC_PAGE_SIZE")


def _generations() -> set[str]:
    """Known by the names of modules that classes and functions carry, also when their modules are gone."""
    found = set()
    for thing in gc.get_objects():
        kind = type(thing)
        if kind is FunctionType or issubclass(kind, type):
            name = thing.__module__ if kind is FunctionType else vars(thing).get("__module__")
            if isinstance(name, str) and name.startswith(PREFIX):
                found.add(name.partition(".")[0])
    return found


def _resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - one short read
        return int(file.read().split()[1]) * _PAGE


def _told(query: bytes) -> dict[str, Any]:
    gc.collect()
    told: dict[str, Any] = {"resident": _resident(), "generations": sorted(_generations())}
    if b"types" in query:
        objects = gc.get_objects()
        told["objects"] = len(objects)
        if tracemalloc.is_tracing():
            told["allocated"] = _allocated()
        told["types"] = dict(Counter(f"{type(item).__module__}.{type(item).__qualname__}" for item in objects))
    return told


def _allocated() -> list[str]:
    """Where more is allocated than when this was asked before (`PYTHONTRACEMALLOC=1`)."""
    fresh = tracemalloc.take_snapshot()
    older, _snapshots[:] = list(_snapshots), [fresh]
    return [str(item) for item in fresh.compare_to(older[0], "lineno")[:40]] if older else []


class Telling:
    """Answers the path before the host sees it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self.inner(scope, receive, send)
            return
        body = json.dumps(_told(scope["query_string"])).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


app.add_middleware(Telling)
