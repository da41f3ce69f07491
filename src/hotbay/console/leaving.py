"""Whether the server is about to leave.

A server that is asked to stop waits for its open answers before it tells the application. A stream of events would
make it wait for ever, so the streams look at the server's own flag and end by themselves.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

_DEPTH = 32


def server_leaving() -> Callable[[], bool]:
    """A function that is True once the uvicorn server that runs this loop was asked to stop.

    Call it on the loop. For other servers, which close open streams themselves, the function is always False.
    """
    server = next((found for task in asyncio.all_tasks() if (found := _server_of(task)) is not None), None)
    return lambda: server is not None and bool(server.should_exit)


def ends_with_server() -> bool:
    """True when this process, as far as one can tell, ends with the server that was asked to stop. On the loop.

    A server in another thread than the main one is somebody's test, or a part of a larger process.
    """
    return server_leaving()() and threading.current_thread() is threading.main_thread()


def _server_of(task: asyncio.Task[Any]) -> Any:
    """The uvicorn server whose `serve` the task runs, directly or inside another coroutine."""
    work: Any = task.get_coro()
    for _ in range(_DEPTH):
        frame = getattr(work, "cr_frame", None)
        found = frame.f_locals.get("self") if frame is not None else None
        if hasattr(found, "should_exit") and hasattr(found, "force_exit"):
            return found
        work = getattr(work, "cr_await", None)
    return None
