"""A living worker closes what a killed actor left open: held requests need not wait for the next start."""

from __future__ import annotations

import os
from functools import partial

from hotbay import journal
from hotbay.apply import Applier
from hotbay.contract import waits_for_workers
from hotbay.duty import keep_looking

_SECONDS = 1.0


def rescue(applier: Applier) -> bool:
    """Close operations that nobody works on; True when one is open still. Safe in several processes at once.

    Contract scripts that are owed because a worker had not left the version before are tried again as well.
    """
    if not _open(applier):
        return False
    fd = applier.lease.try_acquire()
    if fd is not None:  # Nobody holds it: who opened the operation is dead.
        os.close(fd)
        applier.recover_at_start()
    return _open(applier)


def _open(applier: Applier) -> bool:
    return bool(journal.cut_off(applier.store)) or waits_for_workers(applier.store)


async def keep_rescuing(applier: Applier) -> None:
    """Look when something was written, and again while an operation is open: less often when it can't be closed."""
    await keep_looking(applier.store.path, "closing what was cut off", partial(rescue, applier), _SECONDS)
