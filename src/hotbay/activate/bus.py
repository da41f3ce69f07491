"""Events and filters of one worker, on pluggy: registered with a generation, gone with it."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import pluggy

from hotbay.errors import HotbayError
from hotbay_sdk.plugin import Mark

PROJECT = "hotbay"
HOST = "host"
_impl = pluggy.HookimplMarker(PROJECT)
log = logging.getLogger("hotbay.bus")


async def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a sync function in a thread, an async one here; keyword arguments that it does not take are left out."""
    return await _run(function, args, _picked(kwargs, _parameters(function)) if kwargs else kwargs)


async def _run(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if inspect.iscoroutinefunction(function):
        return await function(*args, **kwargs)
    result = await asyncio.to_thread(function, *args, **kwargs)
    return await result if inspect.isawaitable(result) else result


def _parameters(function: Callable[..., Any]) -> frozenset[str] | None:
    """The names of the arguments that it takes; None when it takes any, or nobody knows."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    if any(item.kind is inspect.Parameter.VAR_KEYWORD for item in parameters.values()):
        return None
    return frozenset(parameters)


def _picked(given: dict[str, Any], names: frozenset[str] | None) -> dict[str, Any]:
    return given if names is None else {name: value for name, value in given.items() if name in names}


def _hook(kind: str, name: str) -> str:
    return f"{kind}__{name.replace('.', '__').replace('-', '_')}"


class Door(Protocol):
    """Who may be called now."""

    def open(self, owner: str) -> bool:
        """True when the owner may be called at once."""

    async def enter(self, owner: str) -> None:
        """Wait until the owner may be called; other functions may be registered for it then.

        Raises HotbayError when it can't be called.
        """


class _AlwaysOpen:
    def open(self, owner: str) -> bool:
        return True

    async def enter(self, owner: str) -> None:
        """Nobody waits."""


_OPEN = _AlwaysOpen()


class _Listeners:
    """A plugin as pluggy sees it; equal to none but itself."""


class Bus:
    """Who listens to what, in one worker. Not thread-safe: use it on the worker's loop."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(PROJECT)

    def register(
        self,
        owner: str,
        marks: Iterable[tuple[Mark, Callable[..., Any]]],
        track: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        """Add a generation's events and filters; replaces what `owner` had. Each call runs inside `track()`."""
        self.unregister(owner)
        namespace, ranks = _Listeners(), Counter[tuple[str, str]]()
        for number, (mark, function) in enumerate(marks):
            if mark.kind in ("event", "filter"):
                listener = _adapter(owner, mark, function, track)
                listener.turn = (mark.order, owner, ranks[mark.kind, mark.name])
                ranks[mark.kind, mark.name] += 1
                setattr(namespace, f"impl_{number}", listener)
        self._manager.register(namespace, name=owner)

    def unregister(self, owner: str) -> None:
        """Remove all of an owner; safe to repeat."""
        if self._manager.has_plugin(owner):
            self._manager.unregister(name=owner)

    def _listeners(self, kind: str, name: str) -> list[Any]:
        caller = getattr(self._manager.hook, _hook(kind, name), None)
        found = [] if caller is None else [impl.function for impl in caller.get_hookimpls()]
        return sorted(found, key=lambda item: item.turn)

    async def emit(self, event: str, payload: dict[str, Any], door: Door = _OPEN) -> int:
        """Tell all listeners; answers how many there were. One that raises is logged and does not stop the others.

        One whose `door` does not open is logged and left out.
        """

        async def tell(listener: Any) -> None:
            await _run(listener.function, (), _picked(payload, listener.takes))

        return await self._each("event", event, tell, door)

    async def filter(
        self, name: str, value: Any, info: dict[str, Any], *, strict: bool = False, door: Door = _OPEN
    ) -> Any:
        """Pass a value through all filters. One that raises, or whose `door` does not open, is logged and left out;
        `strict` lets its exception through."""

        async def change(listener: Any) -> None:
            nonlocal value
            value = await _run(listener.function, (value,), _picked(info, listener.takes))

        await self._each("filter", name, change, door, strict)
        return value

    async def _each(
        self, kind: str, name: str, use: Callable[[Any], Awaitable[None]], door: Door, strict: bool = False
    ) -> int:
        """Use each listener at its turn, as it is then; answers how many were used."""
        waiting, count = self._listeners(kind, name), 0
        while waiting:
            owner = waiting[0].owner
            if not door.open(owner):
                waiting = await self._entered(kind, name, waiting, door, strict)
                if not waiting or waiting[0].owner != owner:
                    continue
            listener = waiting.pop(0)
            count += 1
            try:
                with listener.track():
                    await use(listener)
            except Exception:
                _report(listener, name)
                if strict:
                    raise
        return count

    async def _entered(self, kind: str, name: str, waiting: list[Any], door: Door, strict: bool) -> list[Any]:
        """Who waits still when the first one may be called; without all of its plugin's, if they may not."""
        first = waiting[0]
        try:
            await door.enter(first.owner)
        except HotbayError:
            _report(first, name)
            if strict:
                raise
            return [item for item in waiting if item.owner != first.owner]
        # While it waited, its plugin may have got another version.
        return [item for item in self._listeners(kind, name) if item.turn >= first.turn]


def _report(listener: Any, name: str) -> None:
    logging.getLogger(f"hotbay.plugin.{listener.owner}").exception("%s failed on %s", listener.function, name)


def _adapter(
    owner: str, mark: Mark, function: Callable[..., Any], track: Callable[[], AbstractContextManager[Any]]
) -> Any:
    """What pluggy holds: a callable that carries whose it is and what is called."""

    def deliver() -> Callable[..., Any]:
        return function

    marked: Any = _impl(specname=_hook(mark.kind, mark.name))(deliver)
    marked.owner, marked.function, marked.takes, marked.track = owner, function, _parameters(function), track
    return marked
