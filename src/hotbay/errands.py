"""What a worker does beside serving, when it has time for it. Each errand runs until it is cancelled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from hotbay.activate.threads import Calm, handing_over
from hotbay.catalog import Catalog
from hotbay.duty import keep_looking
from hotbay.notary import Notary

log = logging.getLogger("hotbay.errands")
_CATALOG_SECONDS = 2.0
_RECEIPTS_SECONDS = 1.0
_CALM_SECONDS = 5.0


async def follow_catalog(catalog: Catalog, changed: Callable[[], Awaitable[None]]) -> None:
    """Know the local packages, and those put there later: `changed` is called then.

    For a worker that serves already, because reading them takes time.
    """
    said = ""
    while True:
        try:
            if await asyncio.to_thread(catalog.refresh):
                await changed()
            said = ""
        except Exception as error:  # A folder that vanishes while it is read, for example.
            if said != repr(error):  # Not every two seconds for as long as it lasts.
                log.exception("the local packages could not be read; that is tried again")
            said = repr(error)
        await asyncio.sleep(_CATALOG_SECONDS)


async def write_receipts(notary: Notary) -> None:
    """Write the receipts of operations that ended a while ago, whoever ran them; not while a plugin is loaded."""
    calm = Calm(_CALM_SECONDS)

    def write_due() -> bool:
        """True when some operations have to wait for theirs."""
        if not calm():
            return True
        with handing_over():
            return bool(notary.write_due())

    seconds = _RECEIPTS_SECONDS
    await keep_looking(notary.store.path, "writing receipts", write_due, seconds, longest=seconds)
