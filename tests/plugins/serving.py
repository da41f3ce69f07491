"""Real servers for tests: an ASGI application under uvicorn in a thread, on a free port of the loopback."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import uvicorn

BILLING = Path(__file__).parents[2] / "examples" / "billing"


def fresh_billing(database: Path, name: str = "app.factory") -> Any:
    """Import the billing panel anew, bound to that database file, and return one of its modules."""
    for module in [m for m in sys.modules if m == "app" or m.startswith("app.")]:
        del sys.modules[module]
    if str(BILLING) not in sys.path:
        sys.path.insert(0, str(BILLING))
    environment = {"BILLING_DATABASE": str(database)}
    with patch.dict(os.environ, environment):
        os.environ.pop("HOTBAY_DATABASE_URL", None)
        importlib.import_module("app.core.database")
    return importlib.import_module(name)


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve the application and give its address."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_level="warning",
        timeout_graceful_shutdown=3,
        ws="websockets-sansio",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{_port(server, thread)}"
    finally:
        server.should_exit = True
        thread.join(10)


def _port(server: uvicorn.Server, thread: threading.Thread) -> int:
    deadline = time.monotonic() + 15
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise RuntimeError("the server did not start")
        time.sleep(0.01)
    return int(server.servers[0].sockets[0].getsockname()[1])
