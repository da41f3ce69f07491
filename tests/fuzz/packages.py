"""The state machine's plugins: a visitor's rows, a schema that grows and is contracted, and broken ones."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from hotbay.package import pack

PLUGINS = ("shop", "news")
VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")
SPLIT = "1.2.0"  # From here on the rows' `name` is called `title`: expanded, and contracted when the older one is gone.
THORN = "thorn"  # Rows of this name are what SPLIT's contract script can't take.
BROKEN = ("import", "syntax", "sql", "start", "health")

ROUTES = """
import time
from contextlib import suppress
from pathlib import Path

from fastapi import APIRouter
from sqlalchemy.exc import OperationalError
from hotbay_sdk import context

router = APIRouter(prefix="/{plugin}")
ctx = context(__name__)


@router.get("/version")
async def version():
    return {{"version": "{version}", "edition": "{edition}"}}


{insert}

@router.post("/items")
def add(name: str):
    insert(name)
    return {{"name": name}}


@router.post("/slowly")
def add_slowly(name: str, go: str):
    Path(go + ".begun").touch()
    while not Path(go).exists():
        time.sleep(0.005)
    return add(name)


@router.post("/pull")
def pull():
    for column in ("name", "title"):  # As long as there is a name, only that is in all rows.
        with suppress(OperationalError), ctx.database.engine.begin() as connection:
            connection.exec_driver_sql(f"DELETE FROM {plugin}_items WHERE {{column}} LIKE 'thorn%'")
"""
# SPLIT's code has to be right while `name` is still there, and when it is gone.
NAMED = """def insert(name):
    with ctx.database.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO {plugin}_items (name) VALUES (?)", (name,))
"""
TITLED = """def insert(name):
    try:
        with ctx.database.engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO {plugin}_items (name, title) VALUES (?, ?)", (name, name))
    except OperationalError:
        with ctx.database.engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO {plugin}_items (title) VALUES (?)", (name,))
"""
EXPAND = """ALTER TABLE {plugin}_items ADD COLUMN title TEXT;
CREATE TRIGGER {plugin}_title AFTER INSERT ON {plugin}_items WHEN NEW.title IS NULL BEGIN
    UPDATE {plugin}_items SET title = NEW.name WHERE id = NEW.id;
END;
"""
CONTRACT = """DROP TRIGGER {plugin}_title;
CREATE TABLE {plugin}_proof (name TEXT CHECK (name NOT LIKE 'thorn%'));
INSERT INTO {plugin}_proof SELECT name FROM {plugin}_items;
DROP TABLE {plugin}_proof;
UPDATE {plugin}_items SET title = name WHERE title IS NULL;
ALTER TABLE {plugin}_items DROP COLUMN name;
"""
MIGRATIONS = (
    ("1.0.0", "0001_items", "CREATE TABLE {plugin}_items (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);"),
    ("1.1.0", "0002_price", "ALTER TABLE {plugin}_items ADD COLUMN price INTEGER;"),
    (SPLIT, "0003_title", EXPAND),
    ("1.3.0", "0004_notes", "CREATE TABLE {plugin}_notes (item INTEGER, text TEXT);"),
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
    (folder / "backend" / "routes.py").write_text(_routes(plugin, version, edition))
    (folder / "backend" / "plugin.py").write_text(_FAULTS.get(broken, ""))
    for since, name, sql in MIGRATIONS:
        if since <= version:
            (folder / "migrations" / f"{name}.up.sql").write_text(sql.format(plugin=plugin))
    if version >= SPLIT:
        (folder / "migrations" / "0003_title.contract.sql").write_text(CONTRACT.format(plugin=plugin))
    if broken == "sql":
        text = f"CREATE TABLE {plugin}_extra (x);\nINSERT INTO {plugin}_no_such VALUES (1);"
        (folder / "migrations" / "0009_broken.up.sql").write_text(text)
    return folder


def _routes(plugin: str, version: str, edition: str) -> str:
    insert = (TITLED if version >= SPLIT else NAMED).format(plugin=plugin)
    return ROUTES.format(plugin=plugin, version=version, edition=edition, insert=insert)


def told(folder: Path) -> tuple[str, str]:
    """The version and the edition of a tree, as its code would answer."""
    found = re.search(r'"version": "(.*)", "edition": "(.*)"', (folder / "backend" / "routes.py").read_text())
    assert found, f"{folder} is no tree of these"
    return found[1], found[2]


def archive(root: Path, plugin: str, version: str, *, edition: str = "", broken: str = "") -> Path:
    """A package file."""
    name = "-".join(part for part in (plugin, version, edition, broken) if part)
    return pack(tree(root / "trees" / name, plugin, version, edition=edition, broken=broken), root / "packed" / name)
