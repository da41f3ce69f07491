"""Live events for administrators: snapshots of the registry and the progress of operations, as server-sent events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hotbay.apply import Progress

if TYPE_CHECKING:
    from hotbay.asgi import Hotbay


class Feed:
    """What this worker tells its subscribers. Belongs to one event loop, but for `publish`."""

    def __init__(self, hotbay: Hotbay) -> None:
        self.hotbay = hotbay
        self.ended = asyncio.Event()

    def start(self) -> None:
        """Begin, on the running loop."""

    def stop(self) -> None:
        """End every stream, so that the server's shutdown is not held up."""
        self.ended.set()

    def changed(self) -> None:
        """This worker's table changed."""

    def publish(self, progress: Progress) -> None:
        """An operation of this worker got further."""
