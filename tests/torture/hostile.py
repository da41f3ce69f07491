"""Disks and databases that refuse. Each function runs in a process of its own, with mounts of its own.

python hostile.py NAME FOLDER     does one of them below FOLDER and prints JSON: what was tried, what was said
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from hosts import CASES, look, make_starts, opened  # noqa: E402
from hotbay.errors import HotbayError, StorageError  # noqa: E402

MEGABYTE = 1024 * 1024
Said = dict[str, Any]


def mount(*arguments: str) -> None:
    """Mount something; says what the machine lacks when it can't."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"these tests need root and mounts of their own (unshare -m): {done.stderr}")


def home_of(root: Path, name: str, place: Path) -> Path:
    """The host that an operation begins with, at `place/home-1-1`."""
    home = place / "home-1-1"
    shutil.copytree(root / CASES[name].start, home)
    folder = CASES[name].folder
    if folder is not None:
        folder(home / "plugins", root)
    return home


def attempt(home: Path, root: Path, name: str) -> Said:
    """One operation: what it said, as the API would."""
    try:
        with opened(home, root / "packages") as host:
            CASES[name].run(host)
    except HotbayError as error:
        return {**error.to_json(), "storage": isinstance(error, StorageError)}
    except Exception as error:
        return {"code": f"{type(error).__name__}: {error}"}
    return {"code": "done"}


def mended(home: Path, root: Path, name: str, said: Said) -> Said:
    """When the cause is gone: the state after recovery, and the operation again if it was not done."""
    with opened(home, root / "packages") as host:
        host.applier.recover_at_start()
    found = look(home, root / "packages")
    again = {"code": "done"} if said["code"] == "done" else attempt(home, root, name)
    return {**said, "found": found, "again": again, "end": look(home, root / "packages")}


def known(root: Path, name: str) -> Said:
    """The states before and after, where nothing refuses."""
    states = {}
    for state in ("old", "new"):
        home = home_of(root, name, root / "disk")
        if state == "new":
            assert attempt(home, root, name) == {"code": "done"}
        with opened(home, root / "packages") as host:
            host.applier.recover_at_start()
        states[state] = look(home, root / "packages")
        shutil.rmtree(home)
    return states


# ── what may be wrong ──


def full(root: Path, name: str, room: int) -> Said:
    """A disk with `room` bytes left."""
    disk = root / "disk"
    mount("-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk))
    try:
        home = home_of(root, name, disk)
        with (disk / "others").open("wb") as others:
            space = os.statvfs(disk)
            others.write(b"x" * (space.f_bavail * space.f_frsize - room))
        said = attempt(home, root, name)
        (disk / "others").unlink()
        return mended(home, root, name, said)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def read_only(root: Path, name: str, folder: str) -> Said:
    """One of the host's folders can't be written. Root may write everywhere, so it is mounted like that."""
    home = home_of(root, name, root / "disk")
    place = home / folder
    place.mkdir(exist_ok=True)
    made = not any(place.iterdir())
    mount("--bind", str(place), str(place))
    mount("-o", "remount,ro,bind", str(place))
    said = attempt(home, root, name)
    subprocess.run(["umount", str(place)], check=True)
    if made and not any(place.iterdir()):
        place.rmdir()
    answer = mended(home, root, name, said)
    shutil.rmtree(home)
    return answer


def locked(root: Path, name: str, _: str) -> Said:
    """Another program keeps the database's write lock."""
    from hotbay import store
    from hotbay.migrate import Migrator

    home = home_of(root, name, root / "disk")
    store.BUSY_SECONDS = 0.2
    Migrator.__init__.__kwdefaults__["busy_timeout_s"] = 0.2
    with closing(sqlite3.connect(home / "hotbay.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = attempt(home, root, name)
    answer = mended(home, root, name, said)
    shutil.rmtree(home)
    return answer


def damaged(root: Path, name: str, table: str) -> Said:
    """A page of the database is garbage; then the file is put back."""
    home = home_of(root, name, root / "disk")
    database = home / "hotbay.db"
    good = database.read_bytes()
    with closing(sqlite3.connect(database)) as connection:
        page, size = (
            connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0],
            connection.execute("PRAGMA page_size").fetchone()[0],
        )
    database.write_bytes(good[: (page - 1) * size] + b"\xa5" * size + good[page * size :])
    said = attempt(home, root, name)
    for suffix in ("-wal", "-shm"):
        (home / f"hotbay.db{suffix}").unlink(missing_ok=True)
    database.write_bytes(good)
    answer = mended(home, root, name, said)
    shutil.rmtree(home)
    return answer


@contextmanager
def _backwards() -> Iterator[None]:
    """From now on every look at the clock is an hour before the last one."""
    import datetime as real
    import time

    from hotbay import store

    hours = [0]

    class Clock(real.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            hours[0] += 1
            return real.datetime(2026, 1, 1, tzinfo=tz) - real.timedelta(hours=hours[0])

    store.datetime = Clock
    clock = time.time
    time.time = lambda: clock() - 3600 * (hours[0] + 1)
    yield


def clock(root: Path, name: str, _: str) -> Said:
    """The clock goes back all the time."""
    home = home_of(root, name, root / "disk")
    with _backwards():
        said = attempt(home, root, name)
        answer = mended(home, root, name, said)
    shutil.rmtree(home)
    return answer


CLOCKED = ("install restored", "upgrade folder", "rollback", "activate", "uninstall")
HOSTILE: dict[str, tuple[Callable[..., Said], tuple[tuple[str, Any], ...]]] = {
    "full": (
        full,
        tuple(
            (name, kilobytes * 1024)
            for name, rooms in {
                "install": (0, 32, 40, 48, 64, 96, 128, 192),
                "upgrade exclusive": (0, 96, 128, 192),
                "uninstall": (0, 40, 64, 128),
                "deactivate": (0, 40, 64),
            }.items()
            for kilobytes in rooms
        ),
    ),
    "read_only": (
        read_only,
        (
            ("install", "images"), ("install", "plugins"), ("install", "staging"), ("install", "data"),
            ("upgrade exclusive", "backups"), ("rollback", "plugins"), ("uninstall", "exports"),
            ("uninstall", "images"), ("deactivate", "plugins"), ("upgrade", "."),
        ),
    ),
    "locked": (locked, tuple((name, "") for name in ("install", "upgrade", "deactivate", "uninstall", "rollback"))),
    "damaged": (
        damaged,
        (
            ("upgrade", "hotbay_live"), ("upgrade", "hotbay_ledger"), ("uninstall", "shop_items"),
            ("activate", "hotbay_live"), ("upgrade exclusive", "shop_items"), ("deactivate", "hotbay_operations"),
        ),
    ),
    "clock": (clock, tuple((name, "") for name in CLOCKED)),
}  # fmt: skip


def main() -> None:
    """Do all cases of one kind."""
    kind, root = sys.argv[1], Path(sys.argv[2])
    (root / "disk").mkdir()
    make_starts(root)
    work, cases = HOSTILE[kind]
    states: dict[str, Said] = {}
    for name, how in cases:
        if name not in states:
            states[name] = known(root, name)
        answer = {"name": name, "how": how, **work(root, name, how)}
        for state in ("found", "end"):
            seen = answer.pop(state)
            answer[state] = _which(seen, states[name])
        print(json.dumps(answer), flush=True)


def _which(seen: Said, states: Said) -> Any:
    """`old`, `new`, or what is different from the nearer of them."""
    from lab import differences

    apart = {state: differences(_numberless(seen), _numberless(wanted)) for state, wanted in states.items()}
    nearest = min(apart, key=lambda state: len(apart[state]))
    return apart[nearest] or nearest


def _numberless(seen: Said) -> Said:
    """Without the operation's number: an operation that is done at the second try has another one."""
    ledger = [{key: row[key] for key in row if key != "operation"} for row in seen["ledger"]]
    exports = {re.sub(r"-\d+/", "/", name): value for name, value in seen["exports"].items()}
    return {**seen, "ledger": ledger, "exports": exports}


if __name__ == "__main__":
    main()
