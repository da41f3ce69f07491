"""A living worker closes what a killed actor left open: held requests need not wait for the next start."""

from __future__ import annotations

import asyncio
import logging
import os

from hotbay import journal
from hotbay.apply import Applier
from hotbay.store import Changes

log = logging.getLogger("hotbay.rescue")
_SECONDS = 1.0
_LONGEST_SECONDS = 60.0


def rescue(applier: Applier) -> bool:
    """Close operations that nobody works on; True when one is open still. Safe in several processes at once."""
    if not journal.cut_off(applier.store):
        return False
    fd = applier.lease.try_acquire()
    if fd is not None:  # Nobody holds it: who opened the operation is dead.
        os.close(fd)
        applier.recover_at_start()
    return bool(journal.cut_off(applier.store))


async def keep_rescuing(applier: Applier) -> None:
    """Look when something was written, and again while an operation is open: less often when it can't be closed."""
    changes, pause, waiting = Changes(applier.store.path), _SECONDS, False
    try:
        while True:
            await asyncio.sleep(pause)
            if not waiting and not changes.any():
                continue
            try:
                waiting = await asyncio.to_thread(rescue, applier)
            except Exception:
                log.exception("what was cut off could not be closed; that is tried again")
                waiting = True
            pause = min(pause * 1.5, _LONGEST_SECONDS) if waiting else _SECONDS
    finally:
        changes.close()
