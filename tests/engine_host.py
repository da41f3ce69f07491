"""A host without a server, packages made on the spot, and all of its state that an operation may change."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from hotbay import journal
from hotbay.bench import Bench
from hotbay.model import Kind
from hotbay.offline import OfflineHost, open_host
from hotbay.outcome import Outcome
from hotbay.package import pack
from hotbay.request import Request
from hotbay.settings import Settings, load
from hotbay.steps import STEPS

ITEMS = "CREATE TABLE shop_items (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);\n"
ROW = "INSERT INTO shop_items (name) VALUES ('first');\n"
NOTES = (
    "CREATE TABLE shop_notes (id INTEGER PRIMARY KEY, text TEXT);\nALTER TABLE shop_items ADD COLUMN price INTEGER;\n"
)
ROUTES = """
from fastapi import APIRouter
router = APIRouter()

@router.get("/shop/version")
def version() -> str:
    return "{version}"
"""
Files = dict[str, str]


def build(
    packages: Path,
    plugin: str = "shop",
    version: str = "1.0.0",
    *,
    files: Files | None = None,
    kind: Any = "zip",
    **fields: Any,
) -> Path:
    """A package in `packages`, made of a manifest and `files`; beside it, the folder that it was made of."""
    folder = packages.parent / "trees" / f"{plugin}-{version}"
    document = {"id": plugin, "name": plugin.title(), "version": version, **fields}
    for name, text in {"metadata.json": json.dumps(document), **(files or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return pack(folder, packages, kind=kind)


def shop(
    packages: Path, version: str, *, backend: str = "", migrations: Files | None = None, exclusive: bool = False
) -> Path:
    """The plugin of most tests: a route that says its version, `backend` in `plugin.py`, migrations by name."""
    fields: dict[str, Any] = {"migrations": "exclusive"} if exclusive else {}
    files = {"backend/__init__.py": "", "backend/routes.py": ROUTES.format(version=version)}
    files |= {"backend/plugin.py": backend} if backend else {}
    files |= {f"migrations/{name}.sql": text for name, text in (migrations or {"up": ITEMS + ROW}).items()}
    return build(packages, "shop", version, files=files, **fields)


TWO = {"0001_initial.up": ITEMS + ROW, "0002_notes.up": NOTES}


def settings_for(home: Path, **values: Any) -> Settings:
    """A host at `home` whose packages are beside it, so that a copied home finds them too."""
    return load(home=home, local_packages=home.parent / "packages", lease_seconds=0, **values)


@contextmanager
def opened(home: Path, **values: Any) -> Iterator[OfflineHost]:
    """The host at `home`."""
    host = open_host(settings_for(home, **values), actor="ann")
    try:
        yield host
    finally:
        host.close()


def run(host: OfflineHost, kind: Kind, plugin: str = "shop", **values: Any) -> Outcome:
    """One operation."""
    return host.applier.run(Request(kind, plugin, **values))


def query(host: OfflineHost, sql: str) -> list[Any]:
    """Rows of the host's database, through a connection of the test's own."""
    with closing(sqlite3.connect(host.settings.database_path)) as connection:
        return connection.execute(sql).fetchall()


def tree(folder: Path) -> Files:
    """The files below a folder without compiled code."""
    if not folder.is_dir():
        return {}
    files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(folder)): path.read_text(errors="replace") for path in sorted(files)}


def tables(database: Path) -> dict[str, Any]:
    """What is not Hotbay's in a database: the schema and all rows."""
    with closing(sqlite3.connect(database)) as connection:
        schema = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
        found = [row for row in schema if not row[2].startswith(("hotbay_", "sqlite_"))]
        content = {
            row[1]: connection.execute(f'SELECT * FROM "{row[1]}"').fetchall() for row in found if row[0] == "table"
        }
        counters = connection.execute("SELECT name, seq FROM sqlite_sequence ORDER BY 1").fetchall()
    return {"schema": found, "rows": content, "counters": [one for one in counters if not one[0].startswith("hotbay_")]}


TIMES = ("at", "applied_at", "updated_at", "installed_at")


def rows(database: Path, table: str) -> list[dict[str, Any]]:
    """Hotbay's rows without their times."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]
    return [{key: value for key, value in row.items() if key not in TIMES} for row in found]


def state(host: OfflineHost) -> dict[str, Any]:
    """Everything of a host that must be exactly the old or exactly the new one: database, files, folders."""
    settings, database = host.settings, host.settings.database_path
    registry = host.applier.folders.read_registry().get("addons", {})
    exports = {path.name for path in settings.exports.iterdir()} if settings.exports.is_dir() else set()
    return {
        "tables": tables(database),
        **{name: rows(database, f"hotbay_{name}") for name in ("live", "versions", "candidates", "ledger", "settings")},
        "images": sorted(path.name for path in settings.images.iterdir()),
        "folders": {name: text for name, text in tree(settings.plugins).items() if name != "addon_registry.json"},
        "registry": {name: {key: entry[key] for key in entry if key not in TIMES} for name, entry in registry.items()},
        "staging": sorted(tree(settings.staging)),
        "exports": sorted(exports),
        "backups": backups(settings),
        "data": tree(settings.data),
    }


def backups(settings: Settings) -> list[tuple[Any, ...]]:
    """The backups: their rows, and the files below their folder, which must fit together."""
    names = ("plugin", "version", "image", "reason", "operation", "folder", "counts", "restored_by")
    found = {row["folder"]: row for row in rows(settings.database_path, "hotbay_backups")}
    there = {path.name for path in settings.backups.iterdir()} if settings.backups.is_dir() else set()
    assert there == set(found)
    return [tuple(found[folder][name] for name in names) for folder in sorted(found)]


def seen(host: OfflineHost) -> dict[str, Any]:
    """The state of a host without what is staged."""
    return {name: part for name, part in state(host).items() if name != "staging"}


@contextmanager
def prepared(host: OfflineHost, kind: Kind, **values: Any) -> Iterator[Bench]:
    """An operation that is in the journal, its steps not begun."""
    with host.applier.drafter.draft(Request(kind, "shop", **values)) as draft:
        with host.store.write() as connection:
            verbs = [step.verb for step in draft.plan.steps]
            number = journal.open_operation(
                connection, kind=kind.value, plugin="shop", actor="ann", plan={}, verbs=verbs
            )
        bench = host.applier.bench(draft.plan, number, draft.old, draft.row)
        bench.tree = draft.tree
        yield bench


def do(bench: Bench, verb: str) -> dict[str, Any]:
    """Do one of the operation's steps."""
    step = next(step for step in bench.plan.steps if step.verb == verb)
    return STEPS[verb].do(bench, step.params)


# ── other processes ──

Work = Callable[..., None]
_context = multiprocessing.get_context("forkserver")
# The server does not know this folder: it preloads what is installed.
_context.set_forkserver_preload(["pytest", "hotbay.offline", "hotbay.frameworks", "hotbay.package"])


def elsewhere(work: Work, *arguments: Any, expect: int = 0) -> None:
    """Call a module's function in a process of its own and see how that ended."""
    child = _context.Process(target=work, args=arguments)
    child.start()
    child.join(60)
    assert child.exitcode == expect, f"exit code {child.exitcode}"


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_step(chosen: Callable[[int, str], bool], moment: str) -> None:
    """From now on this process dies in the step that is `chosen` by its place in its operation and by its verb.

    `moment` is `before` or `after` the step's effect. What a recovery does of an earlier operation is not counted.
    """
    gc.freeze()
    places: dict[int, int] = {}

    def deadly(real: Callable[..., Any]) -> Callable[..., Any]:
        def do(step: Any, bench: Any, params: Any) -> Any:
            place = places.get(bench.operation, -1) + 1
            if step.verb != bench.plan.steps[place].verb:  # One that a recovery goes on with does not begin.
                return real(step, bench, params)
            places[bench.operation] = place
            if not chosen(place, step.verb):
                return real(step, bench, params)
            if moment == "after":
                real(step, bench, params)
            return die()

        return do

    for step in STEPS.values():
        type(step).do = deadly(type(step).do)  # type: ignore[method-assign,assignment]


def operate_and_die(home: Path, kind: str, values: dict[str, Any], verb: str, moment: str) -> None:
    """Run an operation in this process and die in the step `verb`: `before` or `after` its effect."""
    die_in_step(lambda seq, found: found == verb, moment)
    with opened(home, keep_versions=1) as host:
        run(host, Kind(kind), **values)


def recover_here(home: Path) -> None:
    """What a fresh process does first."""
    gc.freeze()
    with opened(home) as host:
        host.applier.recover_at_start()
        assert host.applier.recover_at_start() == []
