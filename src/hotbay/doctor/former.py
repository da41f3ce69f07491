"""What plugins that are not installed left behind: tables, folders, settings, migrations.

Rows, files and settings are somebody's: they go only when they are named, and are exported before.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from sqlalchemy import select

from hotbay import journal, store
from hotbay.aside import put_aside
from hotbay.doctor.finding import ERROR, OK, WARNING, Finding, Findings, Patient, Surgeon
from hotbay.errors import StateError
from hotbay.facts import KEPT_TABLES
from hotbay.grant import Grant
from hotbay.migrate import owned_tables
from hotbay.schema import ledger, plugin_settings
from hotbay.settings import Settings
from hotbay.store import Store

_ID = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Former:
    """The plugins that are not installed and left something behind: what the registry and the folders know of them."""

    settings: Settings
    registry: Store

    @cached_property
    def live(self) -> frozenset[str]:
        """The plugins that are installed."""
        return frozenset(self.registry.all_live())

    @cached_property
    def kept(self) -> dict[str, list[str]]:
        """What plugins listed that were uninstalled with `--data keep`."""
        return dict(self.registry.get_meta(KEPT_TABLES, {}))

    @cached_property
    def listed(self) -> dict[str, frozenset[str]]:
        """By plugin, the tables with names of their own that its last manifest, or the registry, lists."""
        found: dict[str, frozenset[str]] = {}
        for operation in journal.list_operations(self.registry, limit=10_000):
            row = operation["plan"].get("row")
            if row and operation["plugin"] not in self.live:
                tables = row["manifest"].get("database", {}).get("tables", ())
                found.setdefault(operation["plugin"], frozenset(tables))
        return found | {plugin: frozenset(tables) for plugin, tables in self.kept.items()}

    @cached_property
    def ids(self) -> list[str]:
        """All of them."""
        with self.registry.read() as connection:
            known = {
                *connection.scalars(select(ledger.c.plugin)),
                *connection.scalars(select(plugin_settings.c.plugin)),
            }
        own = {path.name for path in folders(self.settings.data) if _ID.fullmatch(path.name)}
        return sorted((known | own | set(self.listed)) - self.live)

    def grant(self, plugin: str) -> Grant:
        """Its tables, without what belongs to somebody else by now."""
        others = (row.manifest.get("database", {}).get("tables", ()) for row in self.registry.all_live().values())
        taken = frozenset(name.lower() for tables in others for name in tables)
        tables = frozenset(name for name in self.listed.get(plugin, ()) if name.lower() not in taken)
        return Grant(plugin, tables, others=(self.live | frozenset(self.ids)) - {plugin}, foreign=taken)


def missing_tables(patient: Patient) -> Findings:
    """The tables that plugins list are there."""
    with closing(sqlite3.connect(patient.settings.database_path)) as connection:
        there = {row[0].lower() for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for plugin, row in patient.rows.items():
        listed = row.manifest.get("database", {}).get("tables", ())
        missing = sorted(name for name in listed if name.lower() not in there)
        if missing and patient.registry.applied(plugin):
            message = f"the tables {', '.join(missing)} of {plugin} are missing"
            mend = "restore a backup, or uninstall it and install it anew"
            yield Finding("tables", f"missing:{plugin}", ERROR, message, mend, plugin)


def left_behind(patient: Patient) -> Findings:
    """Rows, files and settings of plugins that are not installed."""
    if not patient.at_rest:
        return
    former = Former(patient.settings, patient.registry)
    for plugin in former.ids:
        yield from _of_former(former, plugin)
    for path in folders(patient.settings.data):
        if not _ID.fullmatch(path.name):
            yield Finding("data", f"stranger:{path.name}", WARNING, f"{path} is no plugin's", "move it elsewhere")


def _of_former(former: Former, plugin: str) -> Findings:
    tables = owned_tables(former.settings.database_path, former.grant(plugin))
    own = former.settings.data / plugin
    values = any(former.registry.read_settings(plugin))
    migrated = bool(former.registry.applied(plugin))
    cure = partial(_put_aside, plugin)
    if migrated or (plugin in former.kept and not tables):
        if not (tables or own.is_dir() or values):
            message = f"migrations of {plugin} are on record, whose tables are gone"
            mend = "--mend forgets them: the next install runs them"
            yield Finding("registry", f"ledger:{plugin}", WARNING, message, mend, plugin, partial(_forget, plugin))
            return
        message = f"{plugin} is not installed, its data is kept: {', '.join(tables) or 'files, settings'}"
        mend = f"`hotbay install {plugin}` uses it again; --mend tables:kept:{plugin} exports and drops it"
        yield Finding("tables", f"kept:{plugin}", OK, message, mend, plugin, cure, choice=True)
        return
    found = (
        ("tables", tables, f"{', '.join(tables)} belonged to {plugin}, which is not installed"),
        ("data", own.is_dir(), f"{own} belonged to {plugin}, which is not installed"),
        ("settings", values, f"there are settings of {plugin}, which is not installed"),
    )
    for check, there, message in found:
        if there:
            mend = f"--mend {check}:orphaned:{plugin} exports what is left of {plugin}, then removes it"
            yield Finding(check, f"orphaned:{plugin}", WARNING, message, mend, plugin, cure, choice=True)


def folders(place: Path) -> list[Path]:
    """The folders in a place that may not be there."""
    return sorted(path for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


def _put_aside(plugin: str, surgeon: Surgeon) -> str:
    grant = Former(surgeon.settings, surgeon.store).grant(plugin)
    if surgeon.store.find_live(plugin) is not None:
        raise StateError(f"{plugin} is installed by now", mend="look again")
    folder = put_aside(surgeon.settings, surgeon.store, grant)
    return f"exported what was left of {plugin} to {folder}, and removed it"


def _forget(plugin: str, surgeon: Surgeon) -> str:
    kept = {name: listed for name, listed in surgeon.store.get_meta(KEPT_TABLES, {}).items() if name != plugin}
    with surgeon.store.write(durable=True) as connection:
        store.forget_migrations(connection, plugin)
        store.set_meta(connection, KEPT_TABLES, kept)
    return f"forgot the migrations of {plugin}"
