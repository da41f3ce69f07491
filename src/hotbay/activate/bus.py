"""Events and filters of one worker, on pluggy: registered with a generation, gone with it."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pluggy

from hotbay_sdk.plugin import Mark

PROJECT = "hotbay"
HOST = "host"
_impl = pluggy.HookimplMarker(PROJECT)
log = logging.getLogger("hotbay.bus")


async def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a sync function in a thread, an async one here; keyword arguments that it does not take are left out."""
    if kwargs:
        kwargs = _accepted(function, kwargs)
    if inspect.iscoroutinefunction(function):
        return await function(*args, **kwargs)
    result = await asyncio.to_thread(function, *args, **kwargs)
    return await result if inspect.isawaitable(result) else result


def _accepted(function: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    if any(item.kind is inspect.Parameter.VAR_KEYWORD for item in parameters.values()):
        return given
    return {name: value for name, value in given.items() if name in parameters}


def _hook(kind: str, name: str) -> str:
    return f"{kind}__{name.replace('.', '__').replace('-', '_')}"


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
        namespace = _Listeners()
        for number, (mark, function) in enumerate(marks):
            if mark.kind in ("event", "filter"):
                setattr(namespace, f"impl_{number}", _adapter(owner, mark, function, track))
        self._manager.register(namespace, name=owner)

    def unregister(self, owner: str) -> None:
        """Remove all of an owner; safe to repeat."""
        if self._manager.has_plugin(owner):
            self._manager.unregister(name=owner)

    def _listeners(self, kind: str, name: str) -> list[Any]:
        caller = getattr(self._manager.hook, _hook(kind, name), None)
        found = [] if caller is None else [impl.function for impl in caller.get_hookimpls()]
        return sorted(found, key=lambda item: (item.order, item.owner))

    async def emit(self, event: str, payload: dict[str, Any]) -> int:
        """Tell all listeners; answers how many there were. One that raises is logged and does not stop the others."""
        listeners = self._listeners("event", event)
        for listener in listeners:
            try:
                with listener.track():
                    await call(listener.function, **payload)
            except Exception:  # noqa: BLE001 - a plugin's fault is the plugin's
                _report(listener, event)
        return len(listeners)

    async def filter(self, name: str, value: Any, info: dict[str, Any], *, strict: bool = False) -> Any:
        """Pass a value through all filters. One that raises is logged and left out; `strict` lets it through."""
        for listener in self._listeners("filter", name):
            try:
                with listener.track():
                    value = await call(listener.function, value, **info)
            except Exception:
                _report(listener, name)
                if strict:
                    raise
        return value


def _report(listener: Any, name: str) -> None:
    logging.getLogger(f"hotbay.plugin.{listener.owner}").exception("%s failed on %s", listener.function, name)


def _adapter(
    owner: str, mark: Mark, function: Callable[..., Any], track: Callable[[], AbstractContextManager[Any]]
) -> Callable[..., Any]:
    """What pluggy holds: a callable that carries whose it is and when its turn comes."""

    def deliver() -> Callable[..., Any]:
        return function

    marked: Any = _impl(specname=_hook(mark.kind, mark.name))(deliver)
    marked.owner, marked.order, marked.function, marked.track = owner, mark.order, function, track
    result: Callable[..., Any] = marked
    return result
