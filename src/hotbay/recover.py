"""After a crash: operations that were cut off are undone (before their switch) or finished (after it).

Everything here may be cut off itself and is then repeated.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotbay import journal, store
from hotbay.model import Live
from hotbay.plan import Plan
from hotbay.steps import STEPS, Bench, images_in_use

if TYPE_CHECKING:
    from hotbay.apply import Applier

log = logging.getLogger("hotbay.recover")


def recover(applier: Applier) -> list[int]:
    """Close all operations that are recorded as running; answers their numbers. The caller holds the lease."""
    found = journal.cut_off(applier.store)
    for operation in found:
        log.warning("%s of %s was cut off", operation["kind"], operation["plugin"])
        _close(applier, operation)
    if found:
        sweep(applier)
    sweep_staging(applier.settings.staging)
    return [operation["id"] for operation in found]


def _close(applier: Applier, operation: dict[str, Any]) -> None:
    plan = Plan.from_json(operation["plan"])
    live = applier.store.find_live(plan.plugin)
    wanted = operation["plan"].get("row")
    bench = applier.bench(plan, operation["id"], live, Live.from_json(wanted) if wanted else None)
    if operation["switched"]:
        _finish(applier, bench)
        state = journal.DONE
    else:
        _undo(applier, bench)
        state = journal.UNDONE
    error = None if state == journal.DONE else {"detail": "cut off before its switch; everything was undone"}
    with applier.store.write() as connection:
        journal.close_operation(connection, bench.operation, state, result={"recovered": True}, error=error)
        store.add_audit(
            connection,
            actor=operation["actor"],
            action=plan.kind.value,
            plugin=plan.plugin,
            before=plan.before.version if plan.before else "",
            after=plan.after.version if plan.after else "",
            result=f"recovered: {state}",
            operation=bench.operation,
            detail={},
        )


def _undo(applier: Applier, bench: Bench) -> None:
    rows = journal.step_rows(applier.store, bench.operation)
    for seq in range(len(rows) - 1, -1, -1):
        if rows[seq]["state"] in (journal.RUNNING, journal.DONE):
            applier.undo_step(bench, seq, rows[seq]["record"])


def _finish(applier: Applier, bench: Bench) -> None:
    rows = journal.step_rows(applier.store, bench.operation)
    applier.beacon.bump()
    for row, step in zip(rows, bench.plan.steps, strict=True):
        if row["state"] != journal.DONE:
            record = STEPS[step.verb].do(bench, step.params) if step.right else row["record"]
            with applier.store.write() as connection:
                journal.mark_step(connection, bench.operation, row["seq"], journal.DONE, record=record)


def sweep(applier: Applier) -> None:
    """Remove what cut-off operations left behind: wishes, shelves, images that nothing points at."""
    with applier.store.write() as connection:
        for plugin in applier.store.all_candidates():
            store.set_candidate(connection, plugin, None)
    applier.beacon.bump()
    applier.workers.signal()
    applier.folders.sweep_shelves()
    used = images_in_use(applier.store)
    for image in applier.images.all():
        if image not in used:
            applier.images.remove(image)
    applier.images.sweep()


def sweep_staging(folder: Path) -> None:
    """Delete temporary trees (`<process>-…`) whose process is gone. Others may be planning: that needs no lease."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if not _lives(path.name.partition("-")[0]):
            shutil.rmtree(path, ignore_errors=True)


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True
