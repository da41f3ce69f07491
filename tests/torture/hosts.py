"""Hosts in every state that an operation begins in, the operations, and all of a host's state for comparing.

All rows that a visitor adds through the plugin have names like `w12`; everything else must be exactly the same.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine_host import ITEMS, NOTES, ROW, TIMES, build, rows
from hotbay import journal
from hotbay.model import DataPolicy, Kind, Rows
from hotbay.offline import OfflineHost, open_host
from hotbay.outcome import Outcome
from hotbay.request import Request
from hotbay.settings import Settings

ROUTES = """
from fastapi import APIRouter
from hotbay_sdk import context

router = APIRouter(prefix="/shop")
ctx = context(__name__)


@router.get("/version")
async def version():
    return {{"version": "{version}"}}


@router.post("/items")
def add(name: str):
    with ctx.database.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO shop_items (name) VALUES (?)", (name,))
    return {{"name": name}}
"""
STARTS = 'def start(context):\n    (context.data / "started.txt").touch()\n'
NARROW = "CREATE TABLE shop_tags (tag TEXT);\nALTER TABLE shop_items DROP COLUMN color;\n"
COLOR = ITEMS.replace("name TEXT", "name TEXT, color TEXT")
# A version that knows nothing of the color: the column goes when nobody of the version before is there.
SHADE = (
    "ALTER TABLE shop_items ADD COLUMN shade TEXT;\nCREATE TRIGGER shop_shade AFTER INSERT ON shop_items BEGIN\n"
    "    UPDATE shop_items SET shade = NEW.color WHERE id = NEW.id;\nEND;\n"
)
FADE = (
    "DROP TRIGGER shop_shade;\nUPDATE shop_items SET shade = color WHERE shade IS NULL;\n"
    "ALTER TABLE shop_items DROP COLUMN color;\n"
)
MIGRATIONS = {
    "0.9.0": {"0001_initial": COLOR + ROW},
    "1.0.0": {"0001_initial": COLOR + ROW},
    "1.1.0": {"0001_initial": COLOR + ROW, "0002_notes": NOTES},
    "1.2.0": {"0001_initial": COLOR + ROW, "0002_less": NARROW},
    "1.3.0": {"0001_initial": COLOR + ROW, "0002_shade": SHADE},
    "1.4.0": {"0001_initial": COLOR + ROW},
    "1.5.0": {"0001_initial": COLOR + ROW},
}
# Versions that bring sources for browsers, which the host compiles.
DRESSED = ("1.4.0", "1.5.0")
CONFIG = "export default { routes: [{ path: '/shop', component: () => import('./pages/Shop'), title: 'Shop' }] };\n"
PAGE = "import './shop.css';\nexport default function Shop() {{ return <b>{version}</b>; }}\n"
CONTRACTS = {"1.3.0": {"0002_shade": FADE}}
_VISITORS = re.compile(r"w\d+")
_PLACE = re.compile(r"home-\d+-\d+(?=/|$)")
_PATIENCE = {"ack_seconds": 20.0, "drain_seconds": 10.0, "hold_seconds": 30.0, "lease_seconds": 20.0}


def shop(root: Path, version: str) -> Path:
    """A plugin that says its version, keeps rows, writes a file when it starts, and grows by migrations."""
    files = {"backend/__init__.py": "", "backend/routes.py": ROUTES.format(version=version)}
    files |= {"backend/plugin.py": STARTS, "frontend/pages/Shop.tsx": f"export default () => '{version}'\n"}
    files |= {f"migrations/{name}.up.sql": text for name, text in MIGRATIONS[version].items()}
    files |= {f"migrations/{name}.contract.sql": text for name, text in CONTRACTS.get(version, {}).items()}
    fields: dict[str, Any] = {"migrations": "exclusive"} if version == "1.2.0" else {}
    if version in DRESSED:
        files |= {"frontend/addon.config.ts": CONFIG, "frontend/pages/Shop.tsx": PAGE.format(version=version)}
        files |= {"frontend/pages/shop.css": "b { color: red }"}
        fields = {"frontend": {"routes": ["/shop"]}}
    return build(root / "packages", "shop", version, files=files, **fields)


def settings_for(home: Path, packages: Path) -> Settings:
    """A host at `home` that keeps one version besides the present one."""
    return Settings(home=home, local_packages=packages, keep_versions=1, watch=False, **_PATIENCE)


@contextmanager
def opened(home: Path, packages: Path) -> Iterator[OfflineHost]:
    """The host at `home`."""
    host = open_host(settings_for(home, packages), actor="ann")
    try:
        yield host
    finally:
        host.close()


# ── operations ──


@dataclass(frozen=True)
class Case:
    """An operation on a host in the state `start`. `folder`: the plugins folder as somebody left it, for its sake."""

    start: str
    kind: Kind
    values: dict[str, Any] = field(default_factory=dict)
    folder: Callable[[Path, Path], None] | None = None

    @property
    def purges(self) -> bool:
        """True when the rows are meant to go."""
        return self.values.get("data") is DataPolicy.PURGE

    def run(self, host: OfflineHost) -> Outcome:
        """Do it."""
        values = dict(self.values)
        if self.folder is not None and self.kind in (Kind.INSTALL, Kind.UPGRADE):
            values["folder"] = host.applier.folders.scan()["shop"]
        return host.applier.run(Request(self.kind, "shop", **values))


def _put(version: str) -> Callable[[Path, Path], None]:
    """Somebody puts the tree of a version into the plugins folder."""

    def put(plugins: Path, root: Path) -> None:
        shutil.rmtree(plugins / "shop", ignore_errors=True)
        shutil.copytree(root / "trees" / f"shop-{version}", plugins / "shop")

    return put


def _rename(before: str, after: str) -> Callable[[Path, Path], None]:
    return lambda plugins, root: (plugins / before).rename(plugins / after) and None


CASES: dict[str, Case] = {
    "install": Case("empty", Kind.INSTALL, {"version": "1.0.0"}),
    "install inactive": Case("empty", Kind.INSTALL, {"version": "1.0.0", "inactive": True}),
    "install restored": Case("exported", Kind.INSTALL, {"version": "1.1.0", "restore": "latest"}),
    "install folder": Case("empty", Kind.INSTALL, folder=_put("1.0.0")),
    "upgrade": Case("one", Kind.UPGRADE, {"version": "1.1.0"}),
    "upgrade exclusive": Case("one", Kind.UPGRADE, {"version": "1.2.0"}),
    "upgrade contract": Case("one", Kind.UPGRADE, {"version": "1.3.0"}),
    "upgrade folder": Case("one", Kind.UPGRADE, folder=_put("1.1.0")),
    "rollback": Case("two", Kind.ROLLBACK, {"rows": Rows.MERGE, "accept_loss": True}),
    "rollback code": Case("two", Kind.ROLLBACK, {"rows": Rows.KEEP}),
    "backup": Case("two", Kind.BACKUP),
    "restore": Case("two", Kind.RESTORE, {"rows": Rows.MERGE, "accept_loss": True}),
    "deactivate": Case("one", Kind.DEACTIVATE),
    "deactivate folder": Case("one", Kind.DEACTIVATE, {"force": True}, _rename("shop", "_shop")),
    "activate": Case("resting", Kind.ACTIVATE),
    "activate folder": Case("resting", Kind.ACTIVATE, {"force": True}, _rename("_shop", "shop")),
    "uninstall": Case("two", Kind.UNINSTALL, {"data": DataPolicy.EXPORT}),
    "uninstall keep": Case("two", Kind.UNINSTALL, {"data": DataPolicy.KEEP}),
    "uninstall purge": Case("two", Kind.UNINSTALL, {"data": DataPolicy.PURGE}),
    "install frontend": Case("empty", Kind.INSTALL, {"version": "1.4.0"}),
    "upgrade frontend": Case("dressed", Kind.UPGRADE, {"version": "1.5.0"}),
    "rollback frontend": Case("redressed", Kind.ROLLBACK, {"rows": Rows.KEEP}),
    "uninstall frontend": Case("redressed", Kind.UNINSTALL),
    "uninstall folder": Case(
        "two", Kind.UNINSTALL, {"force": True}, lambda plugins, root: shutil.rmtree(plugins / "shop")
    ),
}


def make_starts(root: Path) -> None:
    """All hosts that operations begin with, below `root`: `empty`, `older`, `one`, `two`, `resting`, `exported`.

    With a frontend `dressed`, and `redressed` with another version of that.
    """
    for version in MIGRATIONS:
        shop(root, version)
    steps = (
        ("empty", "", None, {}),
        ("older", "empty", Kind.INSTALL, {"version": "0.9.0"}),
        ("one", "older", Kind.UPGRADE, {"version": "1.0.0"}),
        ("two", "one", Kind.UPGRADE, {"version": "1.1.0"}),
        ("resting", "one", Kind.DEACTIVATE, {}),
        ("exported", "two", Kind.UNINSTALL, {}),
        ("dressed", "one", Kind.UPGRADE, {"version": "1.4.0"}),
        ("redressed", "dressed", Kind.UPGRADE, {"version": "1.5.0"}),
    )
    for name, base, kind, values in steps:
        if base:
            shutil.copytree(root / base, root / name)
        with opened(root / name, root / "packages") as host:
            if kind is not None:
                host.applier.run(Request(kind, "shop", **values))
            if name == "older":
                _use(host)


def _use(host: OfflineHost) -> None:
    """What users did before: rows, a file of the plugin's own."""
    with host.store.write() as connection:
        for name in ("w1", "w2", "w3"):
            connection.exec_driver_sql("INSERT INTO shop_items (name, color) VALUES (?, 'red')", (name,))
    (host.settings.data / "shop").mkdir(parents=True, exist_ok=True)
    (host.settings.data / "shop" / "file.txt").write_text("the plugin's own")


# ── all of a host's state ──


def look(home: Path, packages: Path) -> dict[str, Any]:
    """Everything that must be exactly the old or exactly the new, and beside it the visitors' rows.

    Call it after recovery, when nobody writes.
    """
    with opened(home, packages) as host:
        settings, database = host.settings, host.settings.database_path
        found = {name: rows(database, f"hotbay_{name}") for name in ("live", "versions", "candidates", "ledger")}
        found["settings"] = rows(database, "hotbay_settings")
        found |= {"tables": _tables(database), "registry": _registry(settings.plugins)}
        found["files"] = {
            name: text
            for place in ("plugins", "images", "assets", "data", "logs", "staging")
            for name, text in _files(home, home / place)
        }
        found["exports"] = _exports(settings.exports)
        found["backups"] = _backups(database, settings.backups)
        found["others"] = sorted(path.name for path in home.iterdir() if path.name not in _EXPECTED)
        found["running"] = [row["id"] for row in journal.cut_off(host.store)]
        found["odd"] = host.applier.beacon.value % 2
        found["run"] = _strangers(settings.run)
        found["cache"] = _stale(settings.documents, settings.images)
    visitors = {"visitors": sorted(_visitors(database)), "exported": sorted(_exported(settings.exports))}
    return _placeless({**found, **visitors})


def _placeless(found: Any) -> Any:
    """The same without the host's place."""
    if isinstance(found, dict):
        return {key: _placeless(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_placeless(value) for value in found]
    return _PLACE.sub("HOME", found) if isinstance(found, str) else found


_MEETING = {"beacon", "lease", "watch", "notary", "loading", "loading/lock"}
_EXPECTED = {
    "plugins",
    "images",
    "assets",
    "data",
    "cache",
    "logs",
    "staging",
    "exports",
    "backups",
    "run",
    "secret.key",
    "receipts.key",
}
_EXPECTED |= {"backups", "hotbay.db", "hotbay.db-wal", "hotbay.db-shm"}


def _tables(database: Path) -> dict[str, Any]:
    """The schema and the rows of what is not Hotbay's, without those of visitors."""
    with closing(sqlite3.connect(database)) as connection:
        schema = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
        kept = [row for row in schema if not row[2].startswith(("hotbay_", "sqlite_"))]
        names = [row[1] for row in kept if row[0] == "table"]
        rows = {name: connection.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall() for name in names}
        bad = connection.execute("PRAGMA integrity_check").fetchall()
    own = {name: [row for row in found if not _is_visitors(row)] for name, found in rows.items()}
    return {"schema": kept, "rows": own, "integrity": bad}


def _is_visitors(row: tuple[Any, ...]) -> bool:
    return any(isinstance(value, str) and _VISITORS.fullmatch(value) for value in row)


def _visitors(database: Path) -> Iterator[str]:
    with closing(sqlite3.connect(database)) as connection, suppress(sqlite3.OperationalError):
        yield from (row[0] for row in connection.execute("SELECT name FROM shop_items") if _is_visitors(row))


def _exported(folder: Path) -> Iterator[str]:
    for file in folder.glob("*/data.db"):
        yield from _visitors(file)


def _registry(plugins: Path) -> dict[str, Any]:
    try:
        addons = json.loads((plugins / "addon_registry.json").read_text())["addons"]
    except FileNotFoundError:
        return {}
    return {name: {key: entry[key] for key in entry if key not in TIMES} for name, entry in addons.items()}


def _files(home: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Every file and empty folder, hidden ones too; compiled code and generated documents by their name only."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = str(path.relative_to(home))
        if path.is_dir():
            if not any(path.iterdir()):
                yield name + "/", ""
        elif name != "plugins/addon_registry.json":
            opaque = path.suffix == ".pyc" or name.startswith("logs/")
            yield name, "" if opaque else path.read_text(errors="replace")


def _exports(folder: Path) -> dict[str, Any]:
    """Exports by the plugin's version: the number of the operation in their name may differ."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = str(path.relative_to(folder))
        if path.is_file():
            found[name] = _tables(path) | {"schema": None} if path.suffix == ".db" else path.read_text(errors="replace")
    return found


def _backups(database: Path, folder: Path) -> Any:
    """The backups by what they are of; their rows in the registry and their files must fit together."""
    found = {row["folder"]: row for row in rows(database, "hotbay_backups")}
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    names = ("plugin", "version", "image", "reason")
    known = sorted([[row[name] for name in names] + [bool(row["restored_by"])] for row in found.values()])
    return {
        "rows": known,
        "apart": sorted(there ^ set(found)),
        "files": [_tables(folder / one / "data.db")["rows"] for one in sorted(there & set(found))],
    }


def _stale(documents: Path, images: Path) -> list[str]:
    """A cache need not be full, but has nothing of what is gone."""
    kept = {f"{path.name}.json" for path in images.iterdir()}
    return sorted({path.name for path in documents.iterdir()} - kept) if documents.is_dir() else []


def _strangers(run: Path) -> list[str]:
    """What is left in the processes' meeting place by those that are gone."""
    names = [str(path.relative_to(run)) for path in run.rglob("*")]
    return sorted(name for name in names if name not in _MEETING and not name.endswith(".strikes"))
