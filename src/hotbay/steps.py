"""The steps of operations: one small class a verb, with `do` and `undo`.

`do` answers a record for the journal. `undo` must work after a `do` that was cut off anywhere, so it looks at what is
there instead of believing what should be. Steps right of the switch have no undo: they are repeated until they succeed.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection

from hotbay import journal, store
from hotbay.activate import Image
from hotbay.beacon import Beacon
from hotbay.catalogue import inverse
from hotbay.cohort import Answers, Cohort
from hotbay.errors import ActivationFailed, HotbayError, MigrationFailed, OperationFailed, Problem
from hotbay.export import export_data, restore_data
from hotbay.facts import KEPT_TABLES
from hotbay.folder import fsync_dir, fsync_tree
from hotbay.folders import Folders
from hotbay.grant import Grant
from hotbay.images import Images
from hotbay.migrate import Applied, Migrator, Transaction
from hotbay.migrations import Migration, read_migrations
from hotbay.model import Contributions, Live, Version
from hotbay.plan import Plan
from hotbay.presence import Status
from hotbay.settings import Settings
from hotbay.store import Store
from hotbay_sdk.manifest import Manifest, parse

log = logging.getLogger("hotbay.steps")
Record = dict[str, Any]
_disk = ThreadPoolExecutor(max_workers=2, thread_name_prefix="hotbay disk")
ADDON = 0  # The ledger's number for what a seed 002 addon class created itself.


class Workshop(Protocol):
    """How an actor runs a plugin's code itself, where no worker does it."""

    def try_out(self, image: Image) -> Contributions:
        """Load, start, check, stop and unload a plugin here. Raises ActivationFailed."""

    def with_addon(self, image: Image, work: Callable[[Any], None]) -> None:
        """Call `work` with the plugin's addon object (seed 002), or not at all when it has none."""


@dataclass
class Bench:
    """What the steps of one operation work on. `row` is the live row to be, `old` the one that is."""

    settings: Settings
    store: Store
    images: Images
    folders: Folders
    beacon: Beacon
    cohort: Cohort
    workshop: Workshop
    plan: Plan
    operation: int
    old: Live | None
    row: Live | None
    tree: Path | None = None
    notes: Record = field(default_factory=dict)
    syncing: list[Future[None]] = field(default_factory=list)

    @property
    def plugin(self) -> str:
        """The plugin's id."""
        return self.plan.plugin

    @property
    def manifest(self) -> Manifest:
        """The manifest of what is to be, or of what is."""
        row = self.row or self.old
        if row is None:
            raise OperationFailed(f"{self.plugin} has no row to work on")
        return parse(row.manifest)

    def sync_later(self, folder: Path) -> None:
        """Begin to make a new folder durable, in a thread: it takes about 2 ms a file, and only the switch needs it."""
        self.syncing.append(_disk.submit(_make_durable, folder))

    def wait_synced(self) -> None:
        """Wait until all new folders are durable. Raises what the disk says."""
        while self.syncing:
            self.syncing.pop().result()

    def stop_syncing(self) -> None:
        """Wait for the disk before the folders are deleted again; what it says does not matter any more."""
        while self.syncing:
            self.syncing.pop().exception()

    def migrator(self) -> Migrator:
        """The door to the plugin's tables."""
        return Migrator(self.settings.database_path, grant_for(self.manifest, self.store.all_live()))


class Step(Protocol):
    """A verb."""

    verb: str

    def do(self, bench: Bench, params: Record) -> Record:
        """Do it; the answer goes into the journal."""

    def undo(self, bench: Bench, record: Record) -> None:
        """Take back all or part of it."""


def _make_durable(folder: Path) -> None:
    fsync_tree(folder)
    fsync_dir(folder.parent)


def grant_for(manifest: Manifest, plugins: Iterable[str]) -> Grant:
    """What a plugin may touch in the database."""
    others = frozenset(plugin for plugin in plugins if plugin != manifest.id)
    return Grant(manifest.id, frozenset(manifest.database.tables), frozenset(manifest.database.reads), others)


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
        """Copy it."""
        shelf = bench.folders.shelve(bench.images.path(params["image"]), bench.operation, bench.plugin)
        bench.sync_later(shelf)
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


class Expand:
    """The plugin's tables as the new version needs them; what the old one uses stays."""

    verb = "expand"

    def do(self, bench: Bench, params: Record) -> Record:
        """Restore rows if asked, run what is pending, and write the ledger in the same transaction."""
        folder = bench.images.path(params["image"])
        known = {row["number"] for row in bench.store.applied(bench.plugin)}
        held = any(step.verb == "hold" for step in bench.plan.steps)
        if held:
            export_data(bench.settings.database_path, wide_grant(bench), backup_file(bench), meta={})
        with bench.migrator().transaction() as transaction:
            if params.get("restore"):
                known |= self._restore(bench, transaction, Path(params["restore"]))
            pending = [item for item in read_migrations(folder) if item.number not in known]
            applied = transaction.apply(pending)
            if known and not held:
                refuse_irreversible(applied)
            rows = [ledger_row(item.migration, item.undo) for item in applied]
            if params.get("addon") and ADDON not in known:
                rows.append(self._addon(bench, transaction, folder))
            transaction.trusted(lambda connection: self._write(connection, bench, rows))
        if params.get("files"):
            self._bring_files(bench, Path(params["restore"]).parent / "files")
        return {"migrations": [row["number"] for row in rows]}

    def _bring_files(self, bench: Bench, source: Path) -> None:
        """The plugin's own folder, which was not there when this was planned, as the export keeps it."""
        shutil.copytree(source, bench.settings.data / bench.plugin, symlinks=True, dirs_exist_ok=True)

    def _restore(self, bench: Bench, transaction: Transaction, file: Path) -> set[int]:
        meta = restore_data(file, transaction)
        rows = [{key: row[key] for key in _LEDGER} for row in meta.get("ledger", ())]
        transaction.trusted(lambda connection: self._write(connection, bench, rows))
        settings = meta.get("settings", {})
        if any(settings.values()):
            # Secrets come back as they were encrypted: only the host that wrote them has the key.
            values = settings["data"], settings["secrets"]
            transaction.trusted(lambda connection: store.put_settings(connection, bench.plugin, *values))
        return {row["number"] for row in rows}

    def _write(self, connection: Connection, bench: Bench, rows: list[Record]) -> None:
        store.record_migrations(connection, bench.plugin, rows, bench.operation)

    def _addon(self, bench: Bench, transaction: Transaction, folder: Path) -> Record:
        """Let a seed 002 addon class create its own tables, guarded and in this transaction."""

        def create(addon: Any) -> None:
            method = getattr(addon, "install", None) or getattr(addon, "create_tables", None)
            if method is not None:
                transaction.run(method)

        before = transaction.catalogue()
        bench.workshop.with_addon(image_of(bench, folder), create)
        undo = inverse(before, transaction.catalogue())
        return {"number": ADDON, "name": "addon", "checksum": "", "down": None, "undo": undo}

    def undo(self, bench: Bench, record: Record) -> None:
        """Take back what this operation wrote into the ledger, and nothing else."""
        rows = bench.store.applied(bench.plugin)
        mine = [row for row in rows if row["operation"] == bench.operation]
        if mine:
            self._take_back(bench, rows, mine)
        if any(step.params.get("restore") for step in bench.plan.steps):
            with bench.store.write() as connection:
                store.forget_settings(connection, bench.plugin)
        if any(step.params.get("files") for step in bench.plan.steps):
            shutil.rmtree(bench.settings.data / bench.plugin, ignore_errors=True)
        backup_file(bench).unlink(missing_ok=True)

    def _take_back(self, bench: Bench, rows: list[Record], mine: list[Record]) -> None:
        backup = backup_file(bench)
        with Migrator(bench.settings.database_path, wide_grant(bench)).transaction() as transaction:
            if backup.exists() or len(mine) == len(rows):
                transaction.drop_owned()
            else:
                revert(transaction, mine)
            if backup.exists():
                restore_data(backup, transaction)
            numbers = [row["number"] for row in mine]
            transaction.trusted(lambda connection: store.forget_migrations(connection, bench.plugin, numbers))


_LEDGER = ("number", "name", "checksum", "down", "undo")


def ledger_row(migration: Migration, undo: tuple[str, ...] | None) -> Record:
    """What the ledger keeps of an applied migration: enough to undo it without its image."""
    return {
        "number": migration.number,
        "name": migration.name,
        "checksum": migration.checksum,
        "down": migration.down,
        "undo": None if undo is None else list(undo),
    }


def backup_file(bench: Bench) -> Path:
    """Where the plugin's tables are kept while its requests are held: until the switch, or until they are back."""
    return bench.settings.exports / f".backup-{bench.operation}.db"


def wide_grant(bench: Bench) -> Grant:
    """The tables of the new version and of the old one."""
    grant = bench.migrator().grant
    listed = parse(bench.old.manifest).database.tables if bench.old is not None else ()
    return replace(grant, tables=grant.tables | frozenset(listed))


def refuse_irreversible(applied: Sequence[Applied]) -> None:
    """Without a way back, a version that does not start would leave the old one with tables that it can't use."""
    for item in applied:
        if item.undo is None and item.migration.down is None:
            raise MigrationFailed(
                f"{item.migration.up_file} can't be undone: it does more than add",
                mend='write its .down.sql, or say "migrations": "exclusive" in the manifest (requests wait meanwhile)',
            )


def revert(transaction: Transaction, rows: list[Record]) -> None:
    """Undo migrations as the ledger remembers them, and what an addon made after them."""
    addon = [row for row in rows if row["number"] == ADDON and row["undo"] is not None]
    real = [*(row for row in rows if row["number"] != ADDON), *addon]
    migrations = [Migration(row["number"], row["name"], "", row["down"], row["checksum"]) for row in real]
    transaction.revert(migrations, undo={row["number"]: row["undo"] for row in real})


class Start:
    """The new generation, loaded, started and healthy in every worker, while the old one serves."""

    verb = "start"

    def do(self, bench: Bench, params: Record) -> Record:
        """Ask all workers; where there is none, try it here."""
        row = bench.row
        if row is None:
            raise OperationFailed("there is nothing to start")
        held = any(step.verb == "hold" for step in bench.plan.steps)
        ask(bench, {"verb": "start", "operation": bench.operation, "row": row.to_json(), "held": held})
        failed: list[Record] = []
        found: list[Record] = []

        def prepared(status: Status) -> str:
            return judge_prepared(status, bench, failed, found)

        limit = bench.settings.start_seconds * 2 + bench.settings.health_seconds + 5
        said = bench.cohort.gather(prepared, limit)
        if failed:
            raise as_error(failed[0])
        if found:
            contributions = Contributions.from_json(found[0])
        else:
            contributions = bench.workshop.try_out(image_of(bench, bench.images.path(row.image)))
        bench.row = replace(row, contributions=contributions)
        return answers(said) | {"contributions": contributions.to_json()}

    def undo(self, bench: Bench, record: Record) -> None:
        """Withdraw the wish; the workers discard what they prepared. Held requests wait until the tables are back."""
        if any(step.verb == "hold" for step in bench.plan.steps):
            ask(bench, {"verb": "hold", "operation": bench.operation})
            bench.cohort.workers.signal()
        else:
            withdraw(bench)


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


class Export:
    """The plugin's rows and its own folder, in a place of their own, before they go."""

    verb = "export"

    def do(self, bench: Bench, params: Record) -> Record:
        """Write the file that `install --restore` reads."""
        folder = self._folder(bench)
        folder.mkdir(parents=True, exist_ok=True)
        ledger = [{key: row[key] for key in _LEDGER} for row in bench.store.applied(bench.plugin)]
        version = bench.plan.before.version if bench.plan.before else ""
        plain, secrets = bench.store.read_settings(bench.plugin)
        settings = {"data": plain, "secrets": secrets}
        meta = {"plugin": bench.plugin, "version": version, "ledger": ledger, "settings": settings, "at": store.now()}
        info = export_data(bench.settings.database_path, bench.migrator().grant, folder / "data.db", meta=meta)
        own = bench.settings.data / bench.plugin
        if own.is_dir():
            shutil.copytree(own, folder / "files", symlinks=True)
        bench.notes["export"] = str(folder)
        return {"folder": str(folder), "rows": info.rows, "bytes": info.bytes, "sha256": info.sha256}

    def _folder(self, bench: Bench) -> Path:
        version = bench.plan.before.version if bench.plan.before else "0"
        return bench.settings.exports / f"{bench.plugin}-{version}-{bench.operation}"

    def undo(self, bench: Bench, record: Record) -> None:
        """Delete the file: the rows stay where they are."""
        shutil.rmtree(self._folder(bench), ignore_errors=True)


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
        kept = dict(bench.store.get_meta(KEPT_TABLES, {}))
        kept.pop(bench.plugin, None)
        if drop:
            store.forget_migrations(connection, bench.plugin)
        else:
            kept[bench.plugin] = list(bench.manifest.database.tables)
        store.set_meta(connection, KEPT_TABLES, kept)
        journal.mark_switched(connection, bench.operation)

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
        alive = {item.pid: found for item in bench.cohort.workers.statuses() if (found := self._alive(item, bench))}
        return answers(said) | {"alive": {str(pid): names for pid, names in alive.items()}}

    def _alive(self, status: Status, bench: Bench) -> list[str]:
        return list(status.of(bench.plugin).get("alive", ()))

    def undo(self, bench: Bench, record: Record) -> None:
        """Right of the switch nothing is undone."""
        raise OperationFailed("drain can't be undone")


class Publish:
    """The folder registry and `addon_registry.json` say what the rows say."""

    verb = "publish"

    def do(self, bench: Bench, params: Record) -> Record:
        """Swap or rename the folder; safe to repeat."""
        state = bench.plan.state
        if state is None:
            bench.folders.remove(bench.operation, bench.plugin)
        else:
            bench.folders.publish(bench.operation, bench.plugin, active=state.value == "active")
        backup_file(bench).unlink(missing_ok=True)
        epoch, rev = bench.store.rev()
        bench.folders.write_registry(bench.store.all_live().values(), epoch, rev)
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


STEPS: dict[str, Step] = {
    step.verb: step
    for step in (Stage(), Shelve(), Hold(), Expand(), Start(), Export(), Switch(), Drain(), Publish(), Prune())
}


# ── shared by the verbs ─────────────────────────────────────────────────────────────────────────────────────────


def ask(bench: Bench, candidate: Record) -> None:
    """Tell the workers what to prepare."""
    with bench.store.write() as connection:
        store.set_candidate(connection, bench.plugin, candidate)


def withdraw(bench: Bench) -> None:
    """Tell the workers that nothing is to be prepared, and let held requests go on."""
    with bench.store.write() as connection:
        store.set_candidate(connection, bench.plugin, None)
    bench.beacon.bump()
    bench.cohort.workers.signal()


def answers(said: Answers) -> Record:
    """Who answered, for the journal."""
    return {"done": said.done, "late": said.late}


def image_of(bench: Bench, folder: Path) -> Image:
    """What a runtime loads for this operation."""
    row = bench.row or bench.old
    if row is None:
        raise MigrationFailed(f"{bench.plugin} has no code here")
    version = Version(row.plugin, row.version, row.sha256, row.image, row.source)
    return Image(version, folder, parse(row.manifest))


def images_in_use(registry: Store) -> set[str]:
    """The images that live rows or the kept history point at."""
    return registry.images()
