"""What a plugin set going or opened on its own: tasks and timers that run its code, files and sessions left open.

Tasks and timers are ended. What is open and known to nobody but the plugin's modules is closed.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any

from hotbay.activate.owned import Owner

_TASK_SECONDS = 2.0
_CLOSE_SECONDS = 2.0
_AT_MOST = 2_000
_SAYING = ("closed", "is_closed", "_closed")
# The builtins' types have nothing to close, and what the plugin was given by its host is the host's.
_NOT_ASKED = ("builtins", "hotbay")
# References to what one dictionary or list holds and nobody else: that one, a name here, sys.getrefcount's argument.
_HERE = 3


class Files:
    """The files that a generation's own modules opened with `open`."""

    def __init__(self) -> None:
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()

    def wrap(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """`open`, for the modules of one generation."""
        opened = self._open

        def open(*args: Any, **kwargs: Any) -> Any:  # noqa: A001 - it is one
            found = real(*args, **kwargs)
            opened.add(found)
            return found

        return open

    def close(self) -> list[str]:
        """Close what is still open; in words."""
        found = [item for item in list(self._open) if not item.closed]
        for item in found:
            with suppress(OSError):
                item.close()
        return [f"the file {getattr(item, 'name', '')!r} left open" for item in found]


# ── on the loop ───────────────────────────────────────────────────────────────────────────────────────────────────


async def end(owner: Owner) -> list[str]:
    """Cancel the tasks and timers that run the generation's code; in words. On the worker's loop."""
    loop = asyncio.get_running_loop()
    done = [f"the timer {_handle_name(handle)}" for handle in _handles(loop, owner)]
    current = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not current and owner.task(task)]
    for task in tasks:
        task.cancel()
    if tasks:
        ended, _ = await asyncio.wait(tasks, timeout=_TASK_SECONDS)
        for task in ended:  # An exception that nobody reads would be reported when the task dies.
            if not task.cancelled():
                task.exception()
        done += [f"the task {task.get_name()!r}" for task in ended]
    return done + list(_timers(owner))


def _handles(loop: Any, owner: Owner) -> Iterator[Any]:
    """Calls that asyncio's own loop has for later; other loops keep theirs to themselves."""
    for handle in list(getattr(loop, "_scheduled", ())):
        if not handle.cancelled() and owner.owns(handle._callback):
            yield handle
            handle.cancel()


def _handle_name(handle: Any) -> str:
    return str(getattr(handle._callback, "__qualname__", handle._callback))


def _timers(owner: Owner) -> Iterator[str]:
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer) and owner.owns(getattr(thread, "function", None)):
            thread.cancel()
            thread.join(0.1)
            yield f"the timer {thread.name!r}"


# ── what is left open ─────────────────────────────────────────────────────────────────────────────────────────────


async def close(owner: Owner, modules: Mapping[str, ModuleType]) -> list[str]:
    """Close files, sockets, sessions and clients that only the generation's modules know; in words. On the loop."""
    done = []
    for where, thing in _exclusive(owner, modules):
        with suppress(Exception):  # A library may fail in closing what is half open; the collector finds it then.
            await _close(thing)
            done.append(f"{type(thing).__module__}.{type(thing).__qualname__} left open in {where}")
    return done


async def _close(thing: Any) -> None:
    work = getattr(thing, "aclose", None) or thing.close
    async with asyncio.timeout(_CLOSE_SECONDS):
        answer = work()
        if inspect.isawaitable(answer):
            await answer


def _exclusive(owner: Owner, modules: Mapping[str, ModuleType]) -> list[tuple[str, Any]]:
    found = []
    for where, holder, key in _places(owner, modules):
        thing = holder[key]
        if _is_open(thing) and sys.getrefcount(thing) <= _HERE:
            found.append((where, thing))
        del thing  # It would count while the next one is looked at, which may be inside of it.
    return found


def _places(owner: Owner, modules: Mapping[str, ModuleType]) -> Iterator[tuple[str, Any, Any]]:
    """Where things can be: the modules' names, and what is in lists, dictionaries and objects of theirs."""
    left = _AT_MOST
    for name, module in modules.items():
        public = owner.plugin + name[len(owner.private) :]
        for key in [key for key in vars(module) if not key.startswith("__")]:
            yield f"{public}.{key}", vars(module), key
            for inner in _inside(owner, vars(module), key):
                left -= 1
                if left < 0:
                    return
                yield f"{public}.{key}", *inner


def _inside(owner: Owner, space: dict[str, Any], key: str) -> Iterator[tuple[Any, Any]]:
    thing = space[key]
    kind = type(thing)
    if kind in (list, dict) and sys.getrefcount(thing) > _HERE:
        return  # Somebody else's as well: what is in it may be theirs.
    if kind is list:
        yield from ((thing, index) for index in range(len(thing)))
    elif kind is dict:
        yield from ((thing, name) for name in list(thing))
    elif owner.named(vars(kind).get("__module__")) and isinstance(own := getattr(thing, "__dict__", None), dict):
        yield from ((own, name) for name in list(own))


def _is_open(thing: Any) -> bool:
    """True for what a library made that says that it is not closed, and can be. Classes and modules say nothing."""
    kind = type(thing)
    if kind.__module__.startswith(_NOT_ASKED) or issubclass(kind, (type, ModuleType)):
        return False
    if not (callable(getattr(kind, "close", None)) or callable(getattr(kind, "aclose", None))):
        return False
    said = next((found for name in _SAYING if (found := getattr(thing, name, None)) is not None), None)
    return said is False
