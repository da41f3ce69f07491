"""Tasks that end with their owner at the latest, and not in silence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("hotbay.tasks")


class Tasks:
    """The tasks of one owner, on one event loop."""

    def __init__(self) -> None:
        self._kept: set[asyncio.Task[Any]] = set()

    def keep(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run a task; what it raises is logged under its name."""
        task = asyncio.create_task(work, name=name)
        self._kept.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._kept.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)

    async def end(self) -> None:
        """Cancel all, and wait for their ends; safe to repeat."""
        for task in self._kept:
            task.cancel()
        await asyncio.gather(*self._kept, return_exceptions=True)
