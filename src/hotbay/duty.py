"""What a worker does again and again: a post that one worker at a time has; looks when something was written."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from hotbay.commits import Changes
from hotbay.presence import Lease

log = logging.getLogger("hotbay.duty")
_LONGEST_SECONDS = 60.0


class Post:
    """Work that one worker at a time does: all compete for the post, and who has it takes a turn every `seconds`.

    The system gives it to another when its holder dies. A turn that raises is logged (`what` failed), and the next one
    tries again. Belongs to one event loop.
    """

    def __init__(self, path: Path, what: str, turn: Callable[[], Awaitable[None]], seconds: float) -> None:
        self._lease = Lease(path)
        self._what = what
        self._turn = turn
        self._seconds = seconds
        self._fd: int | None = None
        self._woken = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        """True while this worker has it."""
        return self._fd is not None

    @property
    def started(self) -> bool:
        """True when this worker competes, or did."""
        return self._task is not None

    def start(self) -> None:
        """Compete from now on."""
        self._task = asyncio.create_task(self._work(), name=f"hotbay {self._what}")

    def wake(self) -> None:
        """Take the next turn now."""
        self._woken.set()

    async def stop(self, ending: Callable[[], Awaitable[None]] | None = None) -> None:
        """Finish a turn that has begun, wait for `ending`, and leave the post to others; safe to repeat."""
        self._stopping = True
        self._woken.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        if ending is not None:
            await ending()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    async def _work(self) -> None:
        while not self._stopping:
            await self._try()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._woken.wait()
            self._woken.clear()

    async def _try(self) -> None:
        try:
            if self._fd is None:
                self._fd = self._lease.try_acquire()
            if self._fd is not None:
                await self._turn()
        except Exception:
            log.exception("%s failed; the next turn tries again", self._what)


async def keep_looking(
    database: Path, what: str, look: Callable[[], bool], seconds: float, longest: float = _LONGEST_SECONDS
) -> None:
    """Call `look` in a thread at once and then whenever something was written, asking every `seconds` whether it was.

    While it answers True, because something has to wait, it is called again all the same: after pauses that grow to
    `longest`. So it is when it raises, which is logged, with pauses of up to a minute. Runs until it is cancelled.
    """
    changes, pause, waiting = Changes(database), seconds, True
    try:
        while True:
            if changes.any() or waiting:
                waiting, most = await _looked(what, look, longest)
                pause = min(pause * 1.5, most) if waiting else seconds
            await asyncio.sleep(pause)
    finally:
        changes.close()


async def _looked(what: str, look: Callable[[], bool], longest: float) -> tuple[bool, float]:
    """Whether it is to be done again, and how long the pause before that may be."""
    try:
        return await asyncio.to_thread(look), longest
    except Exception:
        log.exception("%s failed; that is tried again", what)
        return True, _LONGEST_SECONDS
