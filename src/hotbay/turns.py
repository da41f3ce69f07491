"""Who loads when, in one worker: any number together, or one that is under suspicion alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_PATIENCE_SECONDS = 5.0


class Turns:
    """Turns to load, for the tasks of one event loop. Nobody waits for long: an answer is worth more than fairness."""

    def __init__(self, patience: float = _PATIENCE_SECONDS) -> None:
        self._together = self._alone = 0
        self._changed = asyncio.Condition()
        self._patience = patience

    @asynccontextmanager
    async def turn(self, *, alone: bool) -> AsyncIterator[None]:
        """Wait for a turn, and have it for the block."""
        async with self._changed:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await self._changed.wait_for(lambda: not self._alone and not (alone and self._together))
            self._count(alone, 1)
        try:
            yield
        finally:
            self._count(alone, -1)
            async with self._changed:
                self._changed.notify_all()

    def _count(self, alone: bool, by: int) -> None:
        if alone:
            self._alone += by
        else:
            self._together += by
