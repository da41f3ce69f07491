"""Who loads when: in one worker any number together, or one that is under suspicion alone; and of several workers one
before the others, so that what kills its process kills one."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

_PATIENCE_SECONDS = 5.0
# A small plugin is loaded in 3 ms; to look costs 5 µs.
_POLL_SECONDS = 0.001
_SLOW_POLL_SECONDS = 0.01
_SOON_SECONDS = 0.2


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


@asynccontextmanager
async def one_first(folder: Path, operation: int, patience: float) -> AsyncIterator[None]:
    """For the block, be the first worker that loads for an operation, or come after the first one's success.

    The first holds a lock, which the system frees when it dies. Whoever has waited for `patience` seconds goes on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fd, began = os.open(folder / "first", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), monotonic()
    try:
        while not _passed(fd, operation) and not _locked(fd) and (waited := monotonic() - began) < patience:  # noqa: ASYNC110 - a lock is no event
            await asyncio.sleep(_POLL_SECONDS if waited < _SOON_SECONDS else _SLOW_POLL_SECONDS)
        yield
        os.pwrite(fd, b"%20d" % operation, 0)
    finally:
        os.close(fd)


def _passed(fd: int, operation: int) -> bool:
    """True when some worker has loaded for this operation already."""
    return os.pread(fd, 20, 0).strip() == b"%d" % operation


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
