"""The state machine's plugins: rows that a visitor adds, a schema that grows with the versions, and broken ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from hotbay.package import pack

PLUGINS = ("shop", "news")
VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")
BROKEN = ("import", "syntax", "sql", "start", "health")

ROUTES = """
from fastapi import APIRouter
from hotbay_sdk import context

router = APIRouter(prefix="/{plugin}")
ctx = context(__name__)


@router.get("/version")
async def version():
    return {{"version": "{version}", "edition": "{edition}"}}


@router.post("/items")
def add(name: str):
    with ctx.database.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO {plugin}_items (name) VALUES (?)", (name,))
    return {{"name": name}}


@router.get("/items")
def items():
    with ctx.database.engine.begin() as connection:
        return [name for (name,) in connection.exec_driver_sql("SELECT name FROM {plugin}_items ORDER BY id")]
"""
MIGRATIONS = (
    ("1.0.0", "0001_items", "CREATE TABLE {plugin}_items (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);"),
    ("1.1.0", "0002_price", "ALTER TABLE {plugin}_items ADD COLUMN price INTEGER;"),
    ("1.2.0", "0003_notes", "CREATE TABLE {plugin}_notes (item INTEGER, text TEXT);"),
)
_FAULTS = {
    "import": "import hotbay_fuzz_no_such_module\n",
    "syntax": "def broken(:\n",
    "start": "def start(context):\n    raise RuntimeError('no')\n",
    "health": "def health():\n    raise RuntimeError('sick')\n",
}


def tree(folder: Path, plugin: str, version: str, *, edition: str = "", broken: str = "") -> Path:
    """The folder of a package. The same arguments give the same content."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "backend").mkdir(parents=True)
    (folder / "migrations").mkdir()
    manifest = {"id": plugin, "name": plugin.title(), "version": version}
    (folder / "metadata.json").write_text(json.dumps(manifest))
    (folder / "backend" / "__init__.py").write_text("")
    routes = ROUTES.format(plugin=plugin, version=version, edition=edition)
    (folder / "backend" / "routes.py").write_text(routes)
    (folder / "backend" / "plugin.py").write_text(_FAULTS.get(broken, ""))
    for since, name, sql in MIGRATIONS:
        if since <= version:
            (folder / "migrations" / f"{name}.up.sql").write_text(sql.format(plugin=plugin))
    if broken == "sql":
        text = f"CREATE TABLE {plugin}_extra (x);\nINSERT INTO {plugin}_no_such VALUES (1);"
        (folder / "migrations" / "0009_broken.up.sql").write_text(text)
    return folder


def archive(root: Path, plugin: str, version: str, *, edition: str = "", broken: str = "") -> Path:
    """A package file."""
    name = "-".join(part for part in (plugin, version, edition, broken) if part)
    return pack(tree(root / "trees" / name, plugin, version, edition=edition, broken=broken), root / "packed" / name)
