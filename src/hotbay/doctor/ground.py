"""What needs no rows: folders, disk, the database's file, the local source."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from hotbay.doctor.finding import ERROR, OK, WARNING, Finding, Findings, Patient
from hotbay.errors import HotbayError
from hotbay.source import LocalSource
from hotbay.store import Store

_LITTLE, _TOO_LITTLE = 512 * 1024 * 1024, 64 * 1024 * 1024
_NAMES = ("home", "plugins", "images", "staging", "run", "exports", "backups", "data", "logs")


def folders_writable(patient: Patient) -> Findings:
    """The server can write into its folders."""
    settings = patient.settings
    folders = {name: getattr(settings, name) for name in _NAMES} | {"database": settings.database_path.parent}
    bad = [(name, path) for name, path in folders.items() if path.exists() and not os.access(path, os.W_OK | os.X_OK)]
    for name, path in bad:
        mend = "give the server's user the right to"
        yield Finding("folders", f"closed:{name}", ERROR, f"{name} {path} can't be written to", mend)
    if not bad:
        yield Finding("folders", "all", OK, f"all folders below {settings.home} can be written to")


def disk(patient: Patient) -> Findings:
    """There is room for images, backups and exports."""
    place = next(path for path in (patient.settings.home, *patient.settings.home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    level = ERROR if free < _TOO_LITTLE else WARNING if free < _LITTLE else OK
    mend = "" if level == OK else "make room: installing needs space for images, backups and exports"
    yield Finding("disk", "free", level, f"{free // 1024**2} MiB are free at {place}", mend)


def database(patient: Patient) -> Findings:
    """The database is there and sound; opens it for the checks that follow."""
    path = patient.settings.database_path
    if not path.exists():
        message = f"there is no database {path} yet"
        yield Finding("database", "missing", WARNING, message, "it is made at the first start")
        return
    problem = _integrity(path)
    if not problem:
        try:
            patient.store = Store(path)
        except HotbayError as error:
            problem = error.message
    if problem:
        yield Finding("database", "damaged", ERROR, f"{path}: {problem}", "restore the file from a backup")
    else:
        yield Finding("database", "all", OK, f"{path} is sound")


def _integrity(path: Path) -> str:
    """What SQLite says against the file; empty when it is sound."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)) as connection:
            said = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
    except sqlite3.Error as error:
        return str(error)
    return "" if said == ["ok"] else "; ".join(said)


def local_packages(patient: Patient) -> Findings:
    """The packages of the local source can be read."""
    folder = patient.settings.packages
    if patient.settings.plugin_source == "local" and not folder.is_dir():
        message = f"there is no folder {folder}"
        yield Finding("source", "missing", WARNING, message, "make it and put packages into it")
    for problem in LocalSource(folder).problems():
        name = Path(problem.file or problem.field).name
        yield Finding("source", f"broken:{name}", WARNING, str(problem), "remove the file, or pack it again")
