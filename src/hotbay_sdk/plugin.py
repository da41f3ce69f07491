"""What a plugin's backend may offer, and what it is given.

Every capability is optional. A backend offers one by defining a module-level name in its package (`__init__.py`,
`plugin.py`, `hooks.py` or `jobs.py`), or as a method of the object named `plugin` there:

    router                      in routes.py: routes, included below the host's API prefix
    app                         an ASGI application instead of a router
    start(context)              runs once when a generation starts in a worker (sync or async)
    stop(context)               runs once after the generation has drained
    health(context)             raises, or returns False, when the generation can't serve
    Settings                    a pydantic model: the plugin's settings
    on_settings(context, new)   called after the settings were changed live

and by marking functions with the decorators of this module: `@on`, `@filters`, `@every`, `@cron`, `@service`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

Function = TypeVar("Function", bound=Callable[..., Any])
MARKS = "__hotbay_marks__"


@dataclass(frozen=True)
class Mark:
    """What a decorator of this module wrote on a function: `kind` is event, filter, every, cron or service."""

    kind: str
    name: str
    seconds: float = 0.0
    order: int = 100


def _mark(mark: Mark) -> Callable[[Function], Function]:
    def remember(function: Function) -> Function:
        setattr(function, MARKS, (*getattr(function, MARKS, ()), mark))
        return function

    return remember


def on(event: str) -> Callable[[Function], Function]:
    """Call the function (sync or async, keyword arguments) whenever the host or a plugin emits `event`."""
    return _mark(Mark("event", event))


def filters(name: str, *, order: int = 100) -> Callable[[Function], Function]:
    """Let the function change a value: it gets `value` and keyword arguments and returns the new value.

    Filters of one name run by ascending `order`, then by plugin id. One that raises is logged and left out.
    """
    return _mark(Mark("filter", name, order=order))


def every(seconds: float, *, name: str = "") -> Callable[[Function], Function]:
    """Run the function every `seconds` (at least 0.1) on one worker; a run that is still going is not doubled."""
    if seconds < 0.1:
        raise ValueError(f"every({seconds}): an interval of at least 0.1 seconds is needed")
    return _mark(Mark("every", name, seconds=seconds))


def cron(expression: str) -> Callable[[Function], Function]:
    """Run the function at the times of a five-field cron expression (host's local time) on one worker."""
    return _mark(Mark("cron", expression))


def service(name: str) -> Callable[[Function], Function]:
    """Publish the function to other plugins as `<plugin id>.<name>`."""
    return _mark(Mark("service", name))


class Database(Protocol):
    """The host's database, confined to the plugin's own tables and those it was granted to read."""

    @property
    def engine(self) -> Any:
        """An SQLAlchemy `Engine`."""

    def session(self) -> AbstractContextManager[Any]:
        """An SQLAlchemy `Session` in a transaction: commits at the end of the block, rolls back on an exception."""


@runtime_checkable
class Context(Protocol):
    """What a generation of a plugin is given. Get it with `context(__name__)`."""

    id: str
    version: str
    generation: int
    log: logging.Logger

    @property
    def data(self) -> Path:
        """The plugin's own folder; it exists."""

    @property
    def settings(self) -> Any:
        """The validated settings: an instance of the plugin's `Settings`, replaced whole when they change."""

    @property
    def database(self) -> Database:
        """The plugin's own door to the database."""

    def spawn(self, work: Coroutine[Any, Any, Any], name: str = "") -> Any:
        """Run a coroutine as a task that is cancelled when the generation stops."""

    def on_close(self, undo: Callable[[], Any]) -> None:
        """Register what undoes an acquisition; all run backwards when the generation stops."""

    def service(self, name: str) -> Callable[..., Any]:
        """A callable for another plugin's service `<plugin id>.<name>`, looked up anew at each call."""

    async def emit(self, event: str, **payload: Any) -> None:
        """Tell the host and all plugins that something happened."""

    async def filter(self, name: str, value: Any, **info: Any) -> Any:
        """Let all plugins change a value."""

    @property
    def closing(self) -> bool:
        """True from the moment at which the generation should end its long-lived responses."""

    def closed(self) -> Awaitable[None]:
        """Wait until `closing` is true: end a stream or close a WebSocket (1012) then."""


_contexts: dict[str, Context] = {}


def context(module: str) -> Context:
    """The context of the generation that `module` (pass `__name__`) belongs to.

    Raises LookupError when the module was not loaded by a host or by `hotbay_sdk.testing`.
    """
    package = module.partition(".")[0]
    try:
        return _contexts[package]
    except KeyError:
        raise LookupError(
            f"module {module!r} does not belong to a running plugin: pass __name__ from a module of the plugin's "
            "backend, and call context() in a host or under hotbay_sdk.testing"
        ) from None


def bind(package: str, value: Context | None) -> None:
    """For runtimes: make `context()` answer `value` for the modules of `package`; None forgets it."""
    if value is None:
        _contexts.pop(package, None)
    else:
        _contexts[package] = value
