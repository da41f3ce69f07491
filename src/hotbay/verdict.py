"""What follows from two strikes: the live row says why its plugin is left out, for all who look at it."""

from __future__ import annotations

import logging
import time

from hotbay import store
from hotbay.model import Live
from hotbay.store import Store
from hotbay.suspects import Strikes, Suspects

ACTOR = "boot guard"
_PREFIX = "left out: "
_MONTH = 30 * 24 * 3600.0


def pronounce(registry: Store, suspects: Suspects) -> list[Strikes]:
    """Note on the rows what is left out and what is not any more; answers what is new. Safe to repeat."""
    suspects.collect()
    rows, held = registry.all_live(), {item.image: item for item in suspects.all()}
    new = [item for row in rows.values() if (item := _verdict(registry, row, held.get(row.image))) is not None]
    _forget_old(suspects, {row.image for row in rows.values()})
    return new


def _verdict(registry: Store, row: Live, strikes: Strikes | None) -> Strikes | None:
    noted, out = row.problem.startswith(_PREFIX), strikes is not None and strikes.out
    if noted == (out and row.active) or (row.problem and not noted):
        return None
    problem = f"{_PREFIX}{strikes}; `hotbay activate {row.plugin}` tries it again" if out and row.active else ""
    with registry.write() as connection:
        store.set_problem(connection, row.plugin, problem)
        store.add_audit(
            connection,
            actor=ACTOR,
            action="leave out" if problem else "let in",
            plugin=row.plugin,
            before=row.version,
            after=row.version,
            result="done",
            operation=None,
            detail={"problem": problem},
        )
    if not problem:
        return None
    logging.getLogger(f"hotbay.plugin.{row.plugin}").error("%s %s is %s", row.plugin, row.version, problem)
    return strikes


def _forget_old(suspects: Suspects, live: set[str]) -> None:
    """Strikes against what is nowhere any more need not be kept for ever."""
    for path in suspects.folder.glob("*.strikes"):
        if path.stem not in live and path.stat().st_mtime < time.time() - _MONTH:
            suspects.clear(path.stem)
