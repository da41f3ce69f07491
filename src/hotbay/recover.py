"""After a crash: operations that were cut off are undone (before their switch) or finished (after it).

Everything here may be cut off itself and is then repeated. An operation that can't be closed stays in the journal as
running, with the reason beside it: the others are closed, and only its own plugin waits for somebody to mend it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hotbay import journal, store
from hotbay.aside import moved_aside, settle_aside
from hotbay.backups import sweep_backups
from hotbay.beacon import Beacon
from hotbay.bench import Bench, images_in_use
from hotbay.contract import Debt, all_owed, forget_owed
from hotbay.documents import Documents
from hotbay.dress import in_use
from hotbay.errors import HotbayError, StateError, StorageError
from hotbay.folders import Folders
from hotbay.frontend.assets import Assets
from hotbay.images import Images
from hotbay.mishap import explain
from hotbay.model import Live
from hotbay.plan import Plan
from hotbay.presence import Workers
from hotbay.process import lives
from hotbay.settings import Settings
from hotbay.staging import sweep_staging
from hotbay.steps import STEPS
from hotbay.store import Store
from hotbay.suspects import Suspects

log = logging.getLogger("hotbay.recover")


class Writer(Protocol):
    """What recovery needs of whoever holds the lease."""

    settings: Settings
    store: Store
    images: Images
    folders: Folders
    beacon: Beacon
    workers: Workers

    def bench(self, plan: Plan, number: int, old: Live | None, row: Live | None) -> Bench:
        """What the steps of an operation work on."""

    def undo_step(self, bench: Bench, seq: int, record: Mapping[str, Any] | None) -> None:
        """Undo one step, and say so in the journal."""


@dataclass(frozen=True)
class Recovery:
    """The numbers of the operations that were closed, and the rows of those that could not be."""

    closed: tuple[int, ...] = ()
    stuck: tuple[Mapping[str, Any], ...] = ()

    def refuse(self, plugin: str) -> None:
        """Raise StateError when an operation on this plugin could not be closed."""
        for operation in self.stuck:
            if operation["plugin"] == plugin:
                raise StateError(
                    f"operation {operation['id']}, {operation['kind']} of {plugin}, was cut off and can't be "
                    f"{'finished' if operation['switched'] else 'undone'}: {stuck_because(operation)}",
                    mend="mend the cause (see the server's log); then repeat this, or `hotbay doctor --mend all`",
                    unfinished=operation["id"],
                )


def recover(writer: Writer, *, thorough: bool = False) -> Recovery:
    """Close the operations that are recorded as running; answers what came of it.

    What can't be closed is logged and tried again by the next recovery. `thorough`: look for what was left behind also
    when none was cut off, and try every contract script that is owed; a machine that lost power may have kept files and
    not the record. The caller holds the lease.
    """
    found = _close_all(writer, thorough=thorough) if thorough or _anything_left(writer.store) else Recovery()
    sweep_staging(writer.settings.staging)
    sweep_marks(writer.settings.loading)
    sweep_keys(writer.settings.home)
    writer.workers.sweep()
    return found


def _anything_left(registry: Store) -> bool:
    """True when rows say that something was cut off or is owed; every operation asks, so they are read in one go."""
    with registry.one_moment():
        return bool(moved_aside(registry) or journal.cut_off(registry) or all_owed(registry))


def _close_all(writer: Writer, *, thorough: bool) -> Recovery:
    settle_aside(writer.settings, writer.store)
    found = journal.cut_off(writer.store)
    closed = tuple(operation["id"] for operation in found if _try_to_close(writer, operation))
    if found and len(closed) == len(found):
        # Not beside one that is still open: its shelf and images may be needed to finish it.
        sweep(writer)
    elif thorough and not found:
        sweep_files(writer)
    stuck = tuple(journal.cut_off(writer.store)) if found else ()
    settle(writer, every=thorough)
    return Recovery(closed, stuck)


def stuck_because(operation: Mapping[str, Any]) -> str:
    """Why the last recovery could not close an operation; empty when none has tried."""
    return str((operation["error"] or {}).get("detail", ""))


def _try_to_close(writer: Writer, operation: dict[str, Any]) -> bool:
    log.warning("%s of %s was cut off", operation["kind"], operation["plugin"])
    try:
        _close(writer, operation)
    except Exception as error:
        log.exception("operation %s can't be closed; %s waits for that", operation["id"], operation["plugin"])
        refused = error if isinstance(error, HotbayError) else explain(error, writer.settings.database_path)
        reason = refused.message if refused is not None else f"{type(error).__name__}: {error}"
        try:
            with writer.store.write() as connection:
                journal.mark_stuck(connection, operation["id"], {"detail": reason})
        except StorageError:
            log.error("why operation %s can't be closed is not written down either", operation["id"])
        writer.beacon.bump()  # Nobody must wait for a switch that it was cut off in.
        return False
    return True


def _close(writer: Writer, operation: dict[str, Any]) -> None:
    plan = Plan.from_json(operation["plan"])
    live = writer.store.find_live(plan.plugin)
    wanted = operation["plan"].get("row")
    bench = writer.bench(plan, operation["id"], live, Live.from_json(wanted) if wanted else None)
    if operation["switched"]:
        _finish(writer, bench)
        state = journal.DONE
    else:
        _undo(writer, bench)
        state = journal.UNDONE
    error = None if state == journal.DONE else {"detail": f"{_why(writer, bench)}; everything was undone"}
    with writer.store.write() as connection:
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
            detail={"reason": plan.reason} if plan.reason else {},
        )


def settle(writer: Writer, *, every: bool) -> None:
    """Run contract scripts that are owed because a worker was late, or `every` one, if that can be done at once."""
    busy = {operation["plugin"] for operation in journal.cut_off(writer.store)}
    for plugin, debt in all_owed(writer.store).items():
        live = writer.store.find_live(plugin)
        if live is None or live.image != debt["image"]:
            with writer.store.write() as connection:
                forget_owed(connection, plugin)
        elif plugin not in busy and (every or debt["late"]):
            _settle(writer, live, debt)


def _settle(writer: Writer, live: Live, debt: Debt) -> None:
    plan, number = Plan.from_json(debt["plan"]), debt["operation"]
    step = next(step for step in plan.steps if step.verb == "contract")
    try:
        record = STEPS[step.verb].do(writer.bench(plan, number, live, live), {**step.params, "patience": 0.0})
    except StorageError as error:
        log.error("contract scripts of %s are owed: %s", live.plugin, error)
        return
    if "owed" not in record:
        with writer.store.write() as connection:
            names = {"plugin": live.plugin, "before": live.version, "after": live.version}
            store.add_audit(
                connection, actor="recovery", action="contract", result="done", operation=number,
                detail=record, **names,
            )  # fmt: skip


def _why(writer: Writer, bench: Bench) -> str:
    strikes = Suspects(writer.settings.loading).killed_in(bench.operation)
    return "cut off before its switch" if strikes is None else str(strikes)


def _undo(writer: Writer, bench: Bench) -> None:
    rows = journal.step_rows(writer.store, bench.operation)
    for seq in range(len(rows) - 1, -1, -1):
        if rows[seq]["state"] in (journal.RUNNING, journal.DONE):
            writer.undo_step(bench, seq, rows[seq]["record"])


def _finish(writer: Writer, bench: Bench) -> None:
    rows = journal.step_rows(writer.store, bench.operation)
    writer.beacon.bump()
    for row, step in zip(rows, bench.plan.steps, strict=True):
        if row["state"] != journal.DONE:
            record = STEPS[step.verb].do(bench, step.params) if step.right else row["record"]
            with writer.store.write() as connection:
                journal.mark_step(connection, bench.operation, row["seq"], journal.DONE, record=record)


def sweep(writer: Writer) -> None:
    """Remove what cut-off operations left behind: wishes, shelves, images that nothing points at."""
    with writer.store.write() as connection:
        for plugin in writer.store.all_candidates():
            store.set_candidate(connection, plugin, None)
    writer.beacon.bump()
    writer.workers.signal()
    sweep_files(writer)


def sweep_files(writer: Writer) -> None:
    """Remove files that nothing points at. Only for the holder of the lease, and while no operation is open."""
    writer.folders.sweep_shelves()
    sweep_backups(writer.settings, writer.store)
    used = images_in_use(writer.store)
    for image in writer.images.all():
        if image not in used:
            writer.images.remove(image)
    writer.images.sweep()
    Documents(writer.settings.documents).sweep(used)
    Assets(writer.settings.assets).sweep(in_use(writer.store.all_live().values()), writer.settings.asset_seconds)


def sweep_marks(folder: Path) -> None:
    """Delete marks of loads (`<process>-….new`) that a killed process had half written; whole ones are evidence."""
    for path in folder.glob("*.new"):
        if not lives(path.name.partition("-")[0]):
            path.unlink(missing_ok=True)


def sweep_keys(home: Path) -> None:
    """Delete keys (`.<name>.key.<process>.…`, see `keyfile`) that a killed process had half made."""
    for path in home.glob(".*.key.*.*"):
        if not lives(path.name.split(".")[-2]):
            path.unlink(missing_ok=True)
