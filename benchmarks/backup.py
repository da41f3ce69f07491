"""How long do a backup and the way back take with a million rows? Goals: backup ≤ 2 s, reverted ≤ 5 s.

A plugin with one table (five columns, about 100 bytes a row) and two indexes, on a host without a server. Each time is
that of a whole operation, planning, journal, flushing to the disk and all: `backup_s` of `backup`; `restore_s` of
`restore`, which backs up the present rows, compares both, and puts the backup in place; `reverted_s` of `rollback`,
code and rows, after an exclusive upgrade that changed every row. Before each way back a thousandth of the rows is
changed. `copy_s` is SQLite's own backup API, of the whole database into a file that is flushed; the ratios are against
that, in the same minute. `upgrade_s` is the upgrade's, its backup included.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from harness import arguments, report, say, sized, temporary
from hotbay.model import Kind
from hotbay.offline import OfflineHost, open_host
from hotbay.package import pack
from hotbay.request import Request
from hotbay.settings import Settings
from packages import metadata, write_tree

PLUGIN = "ledger"
FIRST = """
CREATE TABLE ledger_rows (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, name TEXT NOT NULL, amount REAL, text TEXT
);
CREATE INDEX ledger_rows_account ON ledger_rows (account);
CREATE INDEX ledger_rows_name ON ledger_rows (name);
"""
SECOND = "ALTER TABLE ledger_rows ADD COLUMN note TEXT;\nUPDATE ledger_rows SET amount = amount + 1;\n"


def package(folder: Path, version: str, scripts: dict[str, str], **more: str) -> None:
    """The plugin in one version (`more` is the manifest's), in the folder's `packages`."""
    files = {f"migrations/{name}.up.sql": text for name, text in scripts.items()}
    tree = write_tree(
        folder / f"tree-{version}", metadata(PLUGIN, version, **more), {"backend/__init__.py": "", **files}
    )
    pack(tree, folder / "packages")


def fill(database: Path, rows: int) -> None:
    """Rows as a host has them: written by others than the engine."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO ledger_rows (account, name, amount, text) "
            "SELECT i * 7919 % 10007, printf('customer %08d', i * 48271 % 2147483647), i / 7.0, "
            "'what was said of it, in about as many words as people use' FROM n",
            (rows,),
        )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def change(database: Path) -> None:
    """A thousandth of the rows."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE ledger_rows SET amount = -1 WHERE id % 1000 = 0")


def count(database: Path) -> tuple[int, float]:
    """What must be the same before and after."""
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute("SELECT count(*), round(total(amount), 3) FROM ledger_rows").fetchone()
        return int(found[0]), float(found[1])


def copy(database: Path, out: Path) -> None:
    """SQLite's own way."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(out)) as target:
        source.backup(target)
    with out.open("rb") as stream:
        os.fsync(stream.fileno())


def timed(work: Callable[[], Any]) -> float:
    """Seconds."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def operate(host: OfflineHost, kind: Kind, **values: Any) -> float:
    """The seconds of one operation, planned and done; what its steps took, for people."""
    began = time.monotonic()
    outcome = host.applier.run(Request(kind, PLUGIN, **values))
    seconds = time.monotonic() - began
    told = ", ".join(f"{step['verb']} {step['seconds']:.2f}" for step in outcome.steps if step["seconds"] > 0.05)
    say(f"{kind}: {seconds:.2f} s ({told})")
    return seconds


def measure(folder: Path, rows: int) -> dict[str, Any]:
    """One host, all operations in turn; each way back is checked."""
    package(folder, "1.0.0", {"0001_rows": FIRST})
    package(folder, "1.1.0", {"0001_rows": FIRST, "0002_more": SECOND}, migrations="exclusive")
    settings = Settings(home=folder / "home", local_packages=folder / "packages", watch=False)
    host, database = open_host(settings), settings.database_path
    operate(host, Kind.INSTALL, version="1.0.0")
    fill(database, rows)
    before = count(database)
    found = {"copy_s": timed(lambda: copy(database, folder / "copy.db"))}
    say(f"copy: {found['copy_s']:.2f} s")
    found["backup_s"] = operate(host, Kind.BACKUP)
    change(database)
    found["restore_s"] = operate(host, Kind.RESTORE, backup="latest", accept_loss=True)
    restored = count(database) == before
    found["upgrade_s"] = operate(host, Kind.UPGRADE, version="1.1.0")
    change(database)
    found["reverted_s"] = operate(host, Kind.ROLLBACK, accept_loss=True)
    reverted = count(database) == before
    host.close()
    ratios = {f"{name}_ratio": found[f"{name}_s"] / found["copy_s"] for name in ("backup", "restore", "reverted")}
    same = restored and reverted
    return {"rows": rows, "same": same, **{key: round(value, 3) for key, value in (found | ratios).items()}}


def main() -> int:
    """Measure; the exit code says whether the rows came back as they were."""
    options = arguments(__doc__).parse_args()
    with temporary("backup") as folder:
        answer = measure(folder, sized(options, 1_000_000, 100_000, 2_000))
    report("backup", options, answer)
    return int(not answer["same"])


if __name__ == "__main__":
    sys.exit(main())
