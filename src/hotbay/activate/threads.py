"""Runs what may take long, or hang, in threads, without making the loop wait for the interpreter."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, TypeVar

from hotbay.activate.collector import collector
from hotbay.errors import ActivationFailed

T = TypeVar("T")
_SHORT_SECONDS = 0.0002
_lock = threading.Lock()
_busy = 0
_usual = sys.getswitchinterval()


@contextmanager
def handing_over() -> Iterator[None]:
    """While the block runs, threads hand the interpreter over after 0.2 ms instead of 5.

    Each time the loop wakes up, and after each of its system calls, it would wait out the whole interval, once for each
    thread that computes. Safe across awaits, and from any thread.
    """
    global _busy, _usual  # noqa: PLW0603 - the interval is the process's, and so is its count of users
    with _lock:
        if _busy == 0:
            _usual = sys.getswitchinterval()
            sys.setswitchinterval(min(_usual, _SHORT_SECONDS))
        _busy += 1
    try:
        yield
    finally:
        with _lock:
            _busy -= 1
            if _busy == 0:
                sys.setswitchinterval(_usual)


class Calm:
    """Whether it is calm: what has time waits while others compute in threads, but for at most `patience` seconds.

    Each thread more that wants the interpreter makes the loop wait for it longer.
    """

    def __init__(self, patience: float, now: Callable[[], float] = monotonic) -> None:
        self._patience = patience
        self._now = now
        self._since: float | None = None

    def __call__(self) -> bool:
        """True when it is calm, or was not since it was asked for `patience` seconds."""
        with _lock:
            busy = _busy > 0
        if self._since is None:
            self._since = self._now()
        if busy and self._now() - self._since < self._patience:
            return False
        self._since = None
        return True


@contextmanager
def giving_way() -> Iterator[None]:
    """`handing_over`, for what makes and drops many objects: no full collection begins by itself meanwhile either."""
    collector.put_off()
    try:
        with handing_over():
            yield
    finally:
        collector.done()


async def quietly(function: Callable[..., T], *args: Any) -> T:
    """`asyncio.to_thread` for what computes for more than some milliseconds and is not urgent."""

    def work() -> T:
        with giving_way():
            return function(*args)

    return await asyncio.to_thread(work)


async def in_thread(function: Callable[[], T], seconds: float, name: str) -> T:
    """Run a function in a daemon thread of its own: one that hangs neither blocks others nor the worker's end.

    Raises ActivationFailed when it takes longer than `seconds`; the thread can't be ended and is left to itself.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(method: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            method(value)

    def work() -> None:
        try:
            with giving_way():
                result = function()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
            _post(loop, settle, future.set_exception, error)
        else:
            _post(loop, settle, future.set_result, result)

    threading.Thread(target=work, name=name, daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(future)
    except TimeoutError:
        raise ActivationFailed(
            f"{name}: not done within {seconds:g} s",
            mend="the plugin hangs while it is imported; correct it, or raise start_seconds",
            step="start",
            hung=True,
        ) from None


def _post(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *args: Any) -> None:
    with suppress(RuntimeError):  # The loop was closed meanwhile: nobody waits any more.
        loop.call_soon_threadsafe(function, *args)
