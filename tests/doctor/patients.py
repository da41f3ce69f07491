"""A host whose state somebody damages, and the way of each finding: made, listed, mended, gone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from engine_host import shop
from hotbay.doctor import OK, Finding, examine, mend
from hotbay.model import DataPolicy, Kind
from hotbay.offline import OfflineHost


def found(host: OfflineHost, *, all_levels: bool = False) -> dict[str, Finding]:
    """What is not well, by id; each id once."""
    every = [item for item in examine(host.settings) if all_levels or item.level != OK]
    assert len({item.id for item in every}) == len(every)
    return {item.id: item for item in every}


def one(host: OfflineHost) -> Finding:
    """The only finding."""
    (item,) = found(host).values()
    return item


def mends_itself(host: OfflineHost, name: str) -> str:
    """The finding is listed; mending all mends it; it is gone and in the audit. Answers what was said."""
    assert found(host)[name].fixable
    made = mend(host.applier)
    assert not made.failed
    assert name not in found(host, all_levels=True)
    told = {item["detail"]["finding"]: item for item in host.store.audit_entries() if item["action"] == "mend"}
    assert (told[name]["actor"], told[name]["result"]) == (host.applier.actor, "done")
    return made.done[name]


def mends_by_choice(host: OfflineHost, name: str) -> str:
    """The finding is listed; mending all leaves it; mending it by name mends it. Answers what was said."""
    item = found(host, all_levels=True)[name]
    assert item.choice and not item.fixable and f"--mend {name}" in item.mend
    assert name not in mend(host.applier).done
    assert name in found(host, all_levels=True)
    made = mend(host.applier, [name])
    assert not made.failed
    assert name not in found(host, all_levels=True)
    return made.done[name]


def sql(host: OfflineHost, *statements: str) -> None:
    """Somebody writes into the host's database."""
    with closing(sqlite3.connect(host.settings.database_path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def tables(database: Path) -> set[str]:
    """The plugins' tables."""
    with closing(sqlite3.connect(database)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name for name in names if not name.startswith(("hotbay_", "sqlite_"))}


def leave_tables(host: OfflineHost, packages: Path) -> None:
    """A plugin is installed and uninstalled, its data is kept: a table with a row, a file, settings."""
    from engine_host import run

    shop(packages, "1.0.0")
    run(host, Kind.INSTALL, version="1.0.0")
    own = host.settings.data / "shop"
    own.mkdir(parents=True, exist_ok=True)
    (own / "note.txt").write_text("mine")
    with host.store.write() as connection:
        from hotbay import store

        store.put_settings(connection, "shop", {"word": "mine"}, {})
    run(host, Kind.UNINSTALL, data=DataPolicy.KEEP)
