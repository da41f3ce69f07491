"""The steps of operations: one small class a verb, with `do` and `undo`.

`do` answers a record for the journal. `undo` must work after a `do` that was cut off anywhere, so it looks at what is
there instead of believing what should be. Steps right of the switch have no undo: they are repeated until they succeed.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from sqlalchemy import Connection

from hotbay import confirmations, journal, store
from hotbay.backups import backup_of, retire_backups
from hotbay.bench import Bench, Record, answers, ask, image_of, images_in_use, make_durable, withdraw
from hotbay.contract import Contract, forget_owed
from hotbay.dress import Compile, settle
from hotbay.errors import ActivationFailed, HotbayError, OperationFailed, Problem
from hotbay.expand import ADDON, Expand, revert
from hotbay.facts import KEPT_TABLES
from hotbay.migrate import Transaction
from hotbay.model import Contributions, Kind, Live, State
from hotbay.presence import Status, gone
from hotbay.preserve import BackUp, Export, Restore
from hotbay.suspects import Suspects, killer

log = logging.getLogger("hotbay.steps")
_DYING_SECONDS, _TURN_SECONDS = 1.0, 0.01


class Step(Protocol):
    """A verb."""

    verb: str

    def do(self, bench: Bench, params: Record) -> Record:
        """Do it; the answer goes into the journal."""

    def undo(self, bench: Bench, record: Record) -> None:
        """Take back all or part of it."""


class Stage:
    """Unpacked and byte-compiled beside the other images."""

    verb = "stage"

    def do(self, bench: Bench, params: Record) -> Record:
        """Adopt the verified tree."""
        fresh = not bench.images.has(params["image"])
        if bench.tree is not None:
            bench.images.adopt(bench.tree, params["image"])
        bench.sync_later(bench.images.path(params["image"]))
        return {"fresh": fresh}

    def undo(self, bench: Bench, record: Record) -> None:
        """Delete the image unless something else uses it."""
        bench.stop_syncing()
        target = bench.plan.after
        if target is not None and target.image not in images_in_use(bench.store):
            bench.images.remove(target.image)


class Shelve:
    """The new content of the plugin's folder, beside the folder."""

    verb = "shelve"

    def do(self, bench: Bench, params: Record) -> Record:
        """Copy it, beside the steps that follow: nothing needs it before the switch."""
        image = bench.images.path(params["image"])
        bench.later(lambda: make_durable(bench.folders.shelve(image, bench.operation, bench.plugin)))
        return {}

    def undo(self, bench: Bench, record: Record) -> None:
        """Delete the copy."""
        bench.stop_syncing()
        bench.folders.unshelve(bench.operation, bench.plugin)


class Hold:
    """New requests wait; those in flight end."""

    verb = "hold"

    def do(self, bench: Bench, params: Record) -> Record:
        """Ask all workers, and wait until each has drained."""
        ask(bench, {"verb": "hold", "operation": bench.operation})
        bench.beacon.bump()

        def drained(status: Status) -> str:
            said = status.of(bench.plugin)
            if said.get("drained") == bench.operation:
                return "done"
            if status.beacon < bench.beacon.value:
                return "silent"
            return "busy" if "revision" in said else "done"

        return answers(bench.cohort.gather(drained, bench.settings.drain_seconds + 5))

    def undo(self, bench: Bench, record: Record) -> None:
        """Let the requests go on."""
        withdraw(bench)


class Start:
    """The new generation, loaded, started and healthy in every worker, while the old one serves."""

    verb = "start"

    def do(self, bench: Bench, params: Record) -> Record:
        """Ask all workers; where there is none, try it here."""
        row = bench.row
        if row is None:
            raise OperationFailed("there is nothing to start")
        held = any(step.verb == "hold" for step in bench.plan.steps)
        asked = len(bench.cohort.workers.statuses())
        ask(bench, {"verb": "start", "operation": bench.operation, "row": row.to_json(), "held": held})
        failed: list[Record] = []
        found: list[Record] = []

        def prepared(status: Status) -> str:
            return judge_prepared(status, bench, failed, found)

        limit = bench.settings.start_seconds * 2 + bench.settings.health_seconds + 5
        said = bench.cohort.gather(prepared, limit)
        if failed:
            raise as_error(failed[0])
        refuse_killer(bench)
        if found:
            contributions = Contributions.from_json(found[0])
        elif asked and not (said.done or said.late):
            raise all_gone(row.plugin, row.version)
        else:
            contributions = bench.workshop.try_out(image_of(bench, bench.images.path(row.image)))
        Suspects(bench.settings.loading).clear(row.image)
        bench.row = replace(row, contributions=contributions)
        return answers(said) | {"contributions": contributions.to_json()}

    def undo(self, bench: Bench, record: Record) -> None:
        """Withdraw the wish; the workers discard what they prepared. Held requests wait until the tables are back."""
        held = any(step.verb == "hold" for step in bench.plan.steps)
        if held:
            ask(bench, {"verb": "hold", "operation": bench.operation})
            bench.beacon.bump()
            bench.cohort.workers.signal()
        else:
            withdraw(bench)
        if any(step.verb == self.verb and step.params.get("fresh") for step in bench.plan.steps):
            self._forget_files(bench, held)

    def _forget_files(self, bench: Bench, held: bool) -> None:
        """Delete the plugin's own folder, which was not there before: what the start wrote into it.

        Not before the workers have looked at the wishes anew: one that has just begun to load does not tell it yet.
        """
        target = bench.beacon.value

        def let_go(status: Status) -> str:
            said = status.of(bench.plugin).get("prepared", {})
            # What is ready stays prepared as long as the hold does.
            if said.get("operation") == bench.operation and (said["state"] == "loading" or not held):
                return "busy"
            return "done" if status.attended >= target else "silent"

        bench.cohort.gather(let_go, bench.settings.start_seconds + bench.settings.health_seconds)
        shutil.rmtree(bench.settings.data / bench.plugin, ignore_errors=True)


def judge_prepared(status: Status, bench: Bench, failed: list[Record], found: list[Record]) -> str:
    """How far a worker is with what the operation asked for; a failure anywhere ends the waiting everywhere."""
    said = status.of(bench.plugin).get("prepared", {})
    if failed:
        return "done"
    if said.get("operation") != bench.operation:
        return "silent"
    if said["state"] == "failed":
        failed.append(said["error"])
    elif said["state"] == "ready":
        found.append(said["contributions"])
    return "busy" if said["state"] == "loading" else "done"


def refuse_killer(bench: Bench) -> None:
    """Raise ActivationFailed when a worker died of what it was to load. A dying process lets go of one file after the
    other, so a mark of a worker that is not there any more is waited for."""
    suspects, deadline = Suspects(bench.settings.loading), time.monotonic() + _DYING_SECONDS
    while (strikes := suspects.killed_in(bench.operation)) is None:
        busy = set(suspects.in_progress(bench.operation))
        told = bench.cohort.workers.statuses() if busy else []
        there = {status.pid for status in told if not gone(status.pid)}
        if busy <= there or time.monotonic() > deadline:
            return
        time.sleep(_TURN_SECONDS)
    raise killer(strikes)


def all_gone(plugin: str, version: str) -> ActivationFailed:
    """Why it is not tried here what every worker ended over, known suspect or not: this process would be the next."""
    return ActivationFailed(
        f"{plugin} {version} is not taken: every worker ended while it was to load it; it may have killed the process",
        mend=f"the server's log and `hotbay logs {plugin}` may say why; start the server and try again",
        step="start",
    )


def as_error(data: Record) -> HotbayError:
    """A worker's problem document as the error that it was."""
    return ActivationFailed(
        data.get("detail", "the plugin could not be started"),
        mend=data.get("mend", ""),
        step="start",
        problems=tuple(_problem(item) for item in data.get("problems", ())),
    )


def _problem(data: Record) -> Problem:
    return Problem(**data)


class Switch:
    """The point of no return: one transaction with the live row and the journal; then every worker follows."""

    verb = "switch"

    def do(self, bench: Bench, params: Record) -> Record:
        """Commit, and wait until the workers have seen it."""
        bench.wait_synced()
        try:
            if bench.row is None:
                self._remove(bench, drop=bool(params.get("drop")))
            else:
                self._put(bench, bench.row)
        finally:
            bench.beacon.end()
        begun = confirmations.find_confirmation(bench.store, bench.plugin) if params.get("confirm") else None
        if begun is not None:
            bench.notes["confirmation"] = begun.to_json()
        target = bench.beacon.value
        seen = bench.cohort.gather(
            lambda status: "done" if status.beacon >= target else "silent", bench.settings.ack_seconds
        )
        return answers(seen)

    def _put(self, bench: Bench, row: Live) -> None:
        with bench.store.write(durable=True) as connection:
            # The write lock is ours: only now may the workers wait for the beacon.
            bench.beacon.begin()
            store.put_live(connection, row)
            self._record(connection, bench)

    def _record(self, connection: Connection, bench: Bench) -> None:
        store.set_candidate(connection, bench.plugin, None)
        store.clear_refusal(connection, bench.plugin)
        if bench.plan.kind not in (Kind.ACTIVATE, Kind.DEACTIVATE):  # The same code and tables: what is owed stays so.
            forget_owed(connection, bench.plugin)
        self._mark(connection, bench)

    def _mark(self, connection: Connection, bench: Bench) -> None:
        confirmations.note_switch(connection, bench.plan, bench.operation, bench.row, bench.notes)
        journal.mark_switched(connection, bench.operation)

    def _remove(self, bench: Bench, *, drop: bool) -> None:
        with bench.migrator().transaction() as transaction:
            if drop:
                self._drop(bench, transaction)
            bench.beacon.begin()
            transaction.trusted(lambda connection: self._forget(connection, bench, drop=drop))

    def _drop(self, bench: Bench, transaction: Transaction) -> None:
        rows = bench.store.applied(bench.plugin)
        if any(row["number"] == ADDON for row in rows):
            leniently(transaction, lambda: self._addon(bench, transaction))
        leniently(transaction, lambda: revert(transaction, [row for row in rows if row["down"] is not None]))
        transaction.drop_owned()

    def _addon(self, bench: Bench, transaction: Transaction) -> None:
        if bench.old is not None:
            image = image_of(bench, bench.images.path(bench.old.image))
            bench.workshop.with_addon(image, lambda addon: _addon_uninstall(addon, transaction))

    def _forget(self, connection: Connection, bench: Bench, *, drop: bool) -> None:
        store.remove_live(connection, bench.plugin, settings=drop)
        forget_owed(connection, bench.plugin)
        kept = dict(bench.store.get_meta(KEPT_TABLES, {}))
        kept.pop(bench.plugin, None)
        if drop:
            store.forget_migrations(connection, bench.plugin)
        else:
            kept[bench.plugin] = list(bench.manifest.database.tables)
        store.set_meta(connection, KEPT_TABLES, kept)
        self._mark(connection, bench)

    def undo(self, bench: Bench, record: Record) -> None:
        """Nothing: a switch that did not commit did nothing, and one that did is not undone."""
        bench.beacon.bump()


def leniently(transaction: Transaction, work: Callable[[], None]) -> None:
    """Run the author's way of removal. One that fails must not keep a plugin installed: its tables go anyway."""
    raw = transaction.raw
    with raw.lifted():
        raw.execute("SAVEPOINT hotbay_down")
    try:
        work()
    except HotbayError as error:
        log.warning("the plugin's own removal failed, its tables are dropped without it: %s", error)
        with raw.lifted():
            raw.execute("ROLLBACK TO hotbay_down")
    finally:
        with raw.lifted():
            raw.execute("RELEASE hotbay_down")
        raw.refresh()


def _addon_uninstall(addon: Any, transaction: Transaction) -> None:
    method = getattr(addon, "uninstall", None) or getattr(addon, "drop_tables", None)
    if method is not None:
        transaction.run(method)


class Drain:
    """The old generation's requests have ended and its code is out of every worker."""

    verb = "drain"

    def do(self, bench: Bench, params: Record) -> Record:
        """Wait for the workers."""

        def left(status: Status) -> str:
            return "busy" if status.of(bench.plugin).get("leaving") else "done"

        said = bench.cohort.gather(left, bench.settings.drain_seconds + 10)
        told = {str(item.pid): item.of(bench.plugin) for item in bench.cohort.workers.statuses()}
        alive = {pid: list(found) for pid, item in told.items() if (found := item.get("alive"))}
        return answers(said) | {
            "alive": alive,
            "unload": {pid: item["unload"] for pid, item in told.items() if "unload" in item},
        }

    def undo(self, bench: Bench, record: Record) -> None:
        """Right of the switch nothing is undone."""
        raise OperationFailed("drain can't be undone")


class Publish:
    """The folder registry and `addon_registry.json` say what the rows say."""

    verb = "publish"

    def do(self, bench: Bench, params: Record) -> Record:
        """Swap or rename the folder; safe to repeat."""
        state, was = bench.plan.state, params.get("was")
        if state is None:
            bench.folders.remove(bench.operation, bench.plugin, was=was)
        else:
            bench.folders.publish(bench.operation, bench.plugin, active=state is State.ACTIVE, was=was)
        mine = backup_of(bench.store, bench.operation)
        if mine is not None:
            retire_backups(bench.settings, bench.store, bench.plugin, frozenset({mine.id}))
        with bench.store.one_moment():
            live, (epoch, rev) = bench.store.all_live(), bench.store.rev()
        settle(bench.settings, live.get(bench.plugin), bench.plugin)
        bench.folders.write_registry(live.values(), epoch, rev)
        return {}

    def undo(self, bench: Bench, record: Record) -> None:
        """Right of the switch nothing is undone."""
        raise OperationFailed("publish can't be undone")


class Prune:
    """What nothing needs any more is gone."""

    verb = "prune"

    def do(self, bench: Bench, params: Record) -> Record:
        """Delete images and, with the plugin, its own folder and log; safe to repeat."""
        with bench.store.write() as connection:
            store.forget_versions(connection, bench.plugin, params["images"])
        used = images_in_use(bench.store)
        for image in params["images"]:
            if image not in used:
                bench.images.remove(image)
                (bench.settings.documents / f"{image}.json").unlink(missing_ok=True)
        if params.get("data"):
            shutil.rmtree(bench.settings.data / bench.plugin, ignore_errors=True)
        return {}

    def undo(self, bench: Bench, record: Record) -> None:
        """Right of the switch nothing is undone."""
        raise OperationFailed("prune can't be undone")


_EVERY: tuple[Step, ...] = (
    *(Stage(), Compile(), Shelve(), Hold(), BackUp(), Restore(), Expand(), Start(), Export()),
    *(Switch(), Drain(), Contract(), Publish(), Prune()),
)
STEPS: dict[str, Step] = {step.verb: step for step in _EVERY}
