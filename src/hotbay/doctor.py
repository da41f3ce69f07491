"""What is wrong with a host's state, and how to mend it. Looks, and changes nothing; `mend` does.

Each check is a function of the patient that yields findings, so that one broken part does not hide the others.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hotbay import journal
from hotbay.beacon import Beacon
from hotbay.bench import images_in_use
from hotbay.errors import HotbayError, LeaseHeld
from hotbay.folder import digest
from hotbay.folders import Folders
from hotbay.grant import Grant
from hotbay.heal import restorable, restore_folders, restore_image, restore_rows
from hotbay.images import Images
from hotbay.leaks import all_leaks, marked
from hotbay.migrate import owned_tables
from hotbay.model import Live
from hotbay.presence import Lease, Workers, lives, ping, stopped
from hotbay.recover import stuck_because
from hotbay.rubbish import SUFFIX
from hotbay.settings import Settings
from hotbay.source import LocalSource
from hotbay.store import UNREADABLE, Store
from hotbay.suspects import Suspects
from hotbay.vault import Vault

OK, WARNING, ERROR = "ok", "warning", "error"
_LITTLE, _TOO_LITTLE = 512 * 1024 * 1024, 64 * 1024 * 1024


@dataclass(frozen=True)
class Finding:
    """What one check says. `fixable` is True where `hotbay doctor --fix` mends it."""

    check: str
    level: str
    message: str
    mend: str = ""
    plugin: str = ""
    fixable: bool = False

    def to_json(self) -> dict[str, Any]:
        """Flat JSON."""
        return asdict(self)


class Patient:
    """One host's state, as far as it can be read."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store: Store | None = None

    @cached_property
    def registry(self) -> Store:
        """The registry; only for checks that run after the database was found sound."""
        assert self.store is not None
        return self.store

    @cached_property
    def rows(self) -> dict[str, Live]:
        """The live rows."""
        return self.registry.all_live()

    @cached_property
    def busy(self) -> dict[str, Any]:
        """Who holds the lease; empty when nobody does."""
        lease = Lease(self.settings.run / "lease")
        try:
            with lease.hold(0, kind="examination", plugin="all plugins", actor="doctor"):
                return {}
        except LeaseHeld as error:
            return dict(error.detail["holder"]) or {"pid": "?"}

    def close(self) -> None:
        """Close the database."""
        if self.store is not None:
            self.store.close()


Findings = Iterator[Finding]


def examine(settings: Settings) -> list[Finding]:
    """Run every check. Raises nothing that a check can say itself."""
    patient = Patient(settings)
    try:
        found = [finding for check in _FIRST for finding in _carefully(check, patient)]
        if patient.store is not None:
            for check in _OF_ROWS:
                found += _carefully(check, patient)
        return found
    finally:
        patient.close()


def _carefully(check: Callable[[Patient], Findings], patient: Patient) -> list[Finding]:
    """A check that fails is a finding itself: what it looks at may be anything."""
    try:
        return list(check(patient))
    except Exception as error:  # noqa: BLE001
        name = check.__name__.removeprefix("_")
        return [Finding(name, ERROR, f"can't be examined: {type(error).__name__}: {error}")]


# ── what needs no rows ──────────────────────────────────────────────────────────────────────────────────────────


def _folders_writable(patient: Patient) -> Findings:
    settings = patient.settings
    names = ("home", "plugins", "images", "staging", "run", "exports", "data", "logs")
    folders = {name: getattr(settings, name) for name in names} | {"database": settings.database_path.parent}
    bad = [(name, path) for name, path in folders.items() if path.exists() and not os.access(path, os.W_OK | os.X_OK)]
    for name, path in bad:
        yield Finding("folders", ERROR, f"{name} {path} can't be written to", "give the server's user the right to")
    if not bad:
        yield Finding("folders", OK, f"all folders below {settings.home} can be written to")


def _disk(patient: Patient) -> Findings:
    place = next(path for path in (patient.settings.home, *patient.settings.home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    level = ERROR if free < _TOO_LITTLE else WARNING if free < _LITTLE else OK
    mend = "" if level == OK else "make room: installing needs space for images, backups and exports"
    yield Finding("disk", level, f"{free // 1024**2} MiB are free at {place}", mend)


def _database(patient: Patient) -> Findings:
    path = patient.settings.database_path
    if not path.exists():
        yield Finding("database", WARNING, f"there is no database {path} yet", "it is made at the first start")
        return
    problem = _integrity(path)
    if not problem:
        try:
            patient.store = Store(path)
        except HotbayError as error:
            problem = error.message
    if problem:
        yield Finding("database", ERROR, f"{path}: {problem}", "restore the file from a backup")
    else:
        yield Finding("database", OK, f"{path} is sound")


def _integrity(path: Path) -> str:
    """What SQLite says against the file; empty when it is sound."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)) as connection:
            said = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
    except sqlite3.Error as error:
        return str(error)
    return "" if said == ["ok"] else "; ".join(said)


def _local_packages(patient: Patient) -> Findings:
    folder = patient.settings.packages
    if patient.settings.plugin_source == "local" and not folder.is_dir():
        yield Finding("source", WARNING, f"there is no folder {folder}", "make it and put packages into it")
    for problem in LocalSource(folder).problems():
        yield Finding("source", WARNING, str(problem), "remove the file, or pack it again")


# ── what compares rows with the rest ────────────────────────────────────────────────────────────────────────────


def _operations(patient: Patient) -> Findings:
    for row in journal.cut_off(patient.registry):
        what = f"operation {row['id']}: {row['kind']} of {row['plugin']}"
        if patient.busy:
            yield Finding("operations", OK, f"{what} is in progress", plugin=row["plugin"])
        else:
            how = "finish" if row["switched"] else "undo"
            reason = stuck_because(row)
            stuck = f" and can't be closed: {reason}" if reason else ""
            mend = f"{'mend the cause; ' if reason else ''}--fix will {how} it; so does the next start or operation"
            yield Finding("operations", ERROR, f"{what} was cut off{stuck}", mend, row["plugin"], fixable=True)


def _plugins(patient: Patient) -> Findings:
    suspects = Suspects(patient.settings.loading)
    suspects.collect()
    for plugin, row in patient.rows.items():
        strikes = suspects.of(row.image)
        if row.problem.startswith(UNREADABLE):
            mend = "--fix restores it from its image, and so does the next start"
            yield Finding("plugins", ERROR, f"{plugin}: {row.problem}", mend, plugin, fixable=True)
        elif row.problem:
            mend = f"`hotbay logs {plugin}`; then upgrade, roll back or deactivate it, or `hotbay activate {plugin}`"
            yield Finding("plugins", ERROR, f"{plugin} does not serve: {row.problem}", mend, plugin)
        elif row.active and strikes is not None:
            mend = "it is tried again at its next use; one success clears it, a second failure leaves it out"
            yield Finding("plugins", WARNING, str(strikes), mend, plugin)
    yield from _unloading(patient)
    states = [row.state.value for row in patient.rows.values()]
    yield Finding("plugins", OK, f"{states.count('active')} active, {states.count('inactive')} inactive")


def _unloading(patient: Patient) -> Findings:
    leaks = all_leaks(patient.registry)
    for plugin in leaks:
        if text := marked(leaks, plugin, patient.settings.leak_limit):
            mend = "its author finds what holds it there; until then, restart the workers now and then"
            yield Finding("unloading", WARNING, text, mend, plugin)


def _images(patient: Patient) -> Findings:
    images = Images(patient.settings.images)
    for plugin, row in patient.rows.items():
        kept = {item["image"]: item["version"] for item in patient.registry.history(plugin)} | {row.image: row.version}
        for image, version in kept.items():
            problem = _image_problem(images, image)
            if problem:
                level = ERROR if image == row.image else WARNING
                mend = "install the plugin anew" if level == ERROR else "there is no way back to this version"
                there = level == ERROR and not images.has(image) and restorable(patient.settings, row)
                mend = "its content is there: --fix restores it, and so does its next use" if there else mend
                message = f"the image of {plugin} {version} {problem}"
                yield Finding("images", level, message, mend, plugin, fixable=there)


def _image_problem(images: Images, image: str) -> str:
    if not images.has(image):
        return "is missing"
    try:
        return "" if digest(images.path(image)) == image else "was changed: its content is not what was installed"
    except HotbayError as error:
        return f"can't be read: {error.message}"


def _leftovers(patient: Patient) -> Findings:
    if patient.busy:
        return
    for image in unreferenced(patient.settings, patient.registry):
        yield Finding("images", WARNING, f"image {image[:12]}… belongs to nothing", "--fix deletes it", fixable=True)
    for path in _staged(patient.settings):
        mend = "--fix deletes it"
        yield Finding("staging", WARNING, f"{path} was left by a process that died", mend, fixable=True)


def unreferenced(settings: Settings, registry: Store) -> list[str]:
    """The images that no live row and no kept version points at."""
    used = images_in_use(registry)
    return [image for image in Images(settings.images).all() if image not in used]


def _staged(settings: Settings) -> list[Path]:
    """Temporary trees (`<process>-…`) whose process is gone. Recovery deletes them."""
    if not settings.staging.is_dir():
        return []
    return [path for path in sorted(settings.staging.iterdir()) if not lives(path.name.partition("-")[0])]


def _folder_registry(patient: Patient) -> Findings:
    folders = Folders(patient.settings.plugins)
    found = folders.scan()
    if patient.rows and not found and not folders.read_registry():
        message = f"{patient.settings.plugins} was lost: it has neither folders nor addon_registry.json"
        yield Finding("plugins folder", ERROR, message, "--fix puts the folders back from the images", fixable=True)
        return
    for plugin, row in patient.rows.items():
        problem = _folder_problem(row, found.get(plugin))
        if problem:
            mend = "start the server: it follows the folders"
            if plugin not in found:
                mend = f"start the server to uninstall {plugin}; to keep it, copy {row.image[:12]}… from the images"
            yield Finding("plugins folder", WARNING, f"{plugin}: {problem}", mend, plugin)
    refused = patient.registry.all_refusals()
    for plugin, item in refused.items():
        mend = "correct its content, or remove the folder"
        yield Finding("plugins folder", WARNING, f"the folder of {plugin} was refused: {item['problem']}", mend, plugin)
    for plugin in sorted(set(found) - set(patient.rows) - set(refused)):
        message = f"{found[plugin].path} is not installed yet"
        yield Finding("plugins folder", WARNING, message, "start the server: it follows the folders", plugin)
    for name in folders.strangers():
        message = f"{patient.settings.plugins / name} is no plugin"
        yield Finding("plugins folder", WARNING, message, "move it elsewhere")


def _folder_problem(row: Live, folder: Any) -> str:
    if folder is None:
        return "its folder is missing"
    if folder.active != row.active:
        return f"its folder is called {folder.path.name}, but it is {row.state}"
    try:
        same = digest(folder.path) == row.image
    except HotbayError as error:
        return f"its folder can't be read: {error.message}"
    return "" if same else f"its folder has another content than {row.version} which is installed"


def _registry_file(patient: Patient) -> Findings:
    document = Folders(patient.settings.plugins).read_registry()
    written = document.get("addons", {})
    if not isinstance(written, dict) or not all(isinstance(one, dict) for one in written.values()):
        written = {}
    wanted = {plugin: (row.version, row.image, row.active) for plugin, row in patient.rows.items()}
    said = {plugin: (one.get("version"), one.get("image"), one.get("enabled")) for plugin, one in written.items()}
    if said != wanted and not patient.busy:
        names = sorted(name for name in {*said, *wanted} if said.get(name) != wanted.get(name))
        message = f"addon_registry.json does not say what the registry says of {', '.join(names)}"
        yield Finding("addon_registry.json", WARNING, message, "--fix writes it anew", fixable=True)


def _tables(patient: Patient) -> Findings:
    path = patient.settings.database_path
    with closing(sqlite3.connect(path)) as connection:
        there = {row[0].lower() for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for plugin, row in patient.rows.items():
        listed = row.manifest.get("database", {}).get("tables", ())
        missing = sorted(name for name in listed if name.lower() not in there)
        if missing and patient.registry.applied(plugin):
            message = f"the tables {', '.join(missing)} of {plugin} are missing"
            yield Finding("tables", ERROR, message, "restore a backup, or uninstall it and install it anew", plugin)
    for plugin, manifest in _former(patient).items():
        listed = frozenset(manifest.get("database", {}).get("tables", ()))
        tables = owned_tables(path, Grant(plugin, listed, others=frozenset(patient.rows)))
        if tables and patient.registry.applied(plugin):
            message = f"{plugin} is not installed, its data is kept: {', '.join(tables)}"
            yield Finding("tables", OK, message, f"`hotbay install {plugin}` uses it again", plugin)
        elif tables:
            message = f"{', '.join(tables)} belonged to {plugin}, which is not installed"
            yield Finding("tables", WARNING, message, "drop them if nobody needs them", plugin)


def _former(patient: Patient) -> dict[str, dict[str, Any]]:
    """The manifests of the plugins that were here once and are not now."""
    found: dict[str, dict[str, Any]] = {}
    for operation in journal.list_operations(patient.registry, limit=10_000):
        row, plugin = operation["plan"].get("row"), operation["plugin"]
        if row and plugin not in patient.rows:
            found.setdefault(plugin, row["manifest"])
    return found


def _workers(patient: Patient) -> Findings:
    workers = Workers(patient.settings.run)
    alive, dead = _fifos(patient.settings.run)
    beacon = Beacon(patient.settings.run)
    value = beacon.value
    beacon.close()
    for status in (found for name in alive if (found := workers.read(name)) is not None):
        if status.safe_mode:
            mend = "when the plugin to blame is deactivated or uninstalled, start the server without safe mode"
            yield Finding("workers", WARNING, f"worker {status.pid} runs in safe mode: no plugin is loaded", mend)
        if stopped(status.pid):
            yield Finding("workers", WARNING, f"worker {status.pid} is stopped", "it catches up when it goes on")
        elif status.beacon < value and not patient.busy:
            mend = "see the server's log, and restart it if this lasts"
            yield Finding("workers", WARNING, f"worker {status.pid} lags behind the registry", mend)
    yield Finding("workers", OK, f"{len(alive)} worker(s) serve")
    for path in sorted(patient.settings.run.glob(f"*{SUFFIX}")):
        yield Finding("workers", WARNING, f"{path} was moved aside: it is no signal", "--fix deletes it", fixable=True)
    for path in dead:
        yield Finding(
            "workers", WARNING, f"{path} was left by a process that is gone", "--fix deletes it", fixable=True
        )


def _fifos(folder: Path) -> tuple[list[str], list[Path]]:
    """The names of the workers that are there, and the files of processes that are not."""
    alive, dead = [], []
    for path in sorted(folder.glob("[wa]-*.fifo")):
        if ping(path):
            alive.append(path.stem)
        else:
            dead.append(path)
    dead += [path for path in sorted(folder.glob("w-*.json")) if path.stem not in alive]
    return [name for name in alive if name.startswith("w-")], dead


def _secrets(patient: Patient) -> Findings:
    key = patient.settings.home / "secret.key"
    if key.exists() and stat.S_IMODE(key.stat().st_mode) & 0o077:
        message = f"{key} can be read by others than its owner"
        yield Finding("secrets", ERROR, message, "--fix: chmod 600", fixable=True)
    vault = Vault(patient.registry, key)
    for plugin in patient.rows:
        if not patient.registry.read_settings(plugin)[1]:
            continue
        if not key.exists():
            yield Finding("secrets", ERROR, f"{key} is missing, {plugin} has secrets", "restore the key file", plugin)
            continue
        try:
            vault.read(plugin)
        except HotbayError as error:
            yield Finding("secrets", ERROR, error.message, error.mend, plugin)


_FIRST = (_folders_writable, _disk, _database, _local_packages)
_OF_ROWS = (
    _operations, _plugins, _images, _leftovers, _folder_registry, _registry_file, _tables, _workers, _secrets,
)  # fmt: skip


# ── mending ─────────────────────────────────────────────────────────────────────────────────────────────────────


def mend(settings: Settings, registry: Store) -> list[str]:
    """Mend what can be mended without a decision; answers what was done. Recovery comes first and is the caller's.

    Raises LeaseHeld while an operation is in progress.
    """
    lease = Lease(settings.run / "lease")
    with lease.hold(settings.lease_seconds, kind="mending", plugin="all plugins", actor="doctor"):
        return list(_mend(settings, registry))


def _mend(settings: Settings, registry: Store) -> Iterator[str]:
    images = Images(settings.images)
    for plugin in restore_rows(registry, settings):
        yield f"restored the row of {plugin}"
    for row in registry.all_live().values():
        if not images.has(row.image) and restore_image(settings, row) is not None:
            yield f"restored the image of {row.plugin} {row.version}"
    for plugin in restore_folders(registry, settings):
        yield f"put the folder of {plugin} back"
    for path in settings.run.glob(f"*{SUFFIX}"):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        yield f"deleted {path}"
    for image in unreferenced(settings, registry):
        images.remove(image)
        yield f"deleted image {image[:12]}…"
    for path in _fifos(settings.run)[1]:
        with suppress(FileNotFoundError):
            path.unlink()
        yield f"deleted {path}"
    Folders(settings.plugins).write_registry(registry.all_live().values(), *registry.rev())
    yield "wrote addon_registry.json"
    key = settings.home / "secret.key"
    if key.exists() and stat.S_IMODE(key.stat().st_mode) & 0o077:
        key.chmod(0o600)
        yield f"took the rights of others off {key}"
