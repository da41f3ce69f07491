"""A package's migration scripts: find them, and read them.

migrations/up.sql, down.sql                      number 1
migrations/0002_name.up.sql, .down.sql           for every engine
migrations/0002_name.sqlite.up.sql               for SQLite; wins over the portable file
migrations/0002_name.contract.sql                what the version before could not live with: after the switch
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hotbay.errors import InvalidPackage, Problem
from hotbay.script import split

LARGEST = 8 * 1024 * 1024
NAME = re.compile(
    r"(?:(?P<number>\d{1,9})_(?P<name>[A-Za-z0-9][A-Za-z0-9_-]*)\.)?"
    r"(?:(?P<engine>sqlite|postgres)\.)?(?P<way>up|down|contract)\.sql"
)


@dataclass(frozen=True)
class Migration:
    """One numbered change: its script, the one that undoes it (None: not given) and the hash of the first.

    `contract` is what runs when the version before is gone (None: nothing does); `up` is empty where that is all.
    """

    number: int
    name: str
    up: str
    down: str | None
    checksum: str
    up_file: str = "up.sql"
    down_file: str = "down.sql"
    contract: str | None = None
    contract_file: str = "contract.sql"

    @property
    def title(self) -> str:
        """`0002_rating`."""
        return f"{self.number:04d}_{self.name}"


def checksum(script: str) -> str:
    """SHA-256 (hex) of a script, the same whatever its line ends."""
    return hashlib.sha256(script.replace("\r\n", "\n").encode()).hexdigest()


def read_migrations(root: Path) -> list[Migration]:
    """The migrations of the package unpacked at `root`, by number; none when it has no folder `migrations`.

    Raises InvalidPackage listing every file that can't be used: its name, its encoding, doubles, a down
    without anything that it would undo.
    """
    folder = root / "migrations"
    if not folder.is_dir():
        return []
    problems: list[Problem] = []
    scripts: dict[tuple[int, str], dict[str, Path]] = {}
    for path in sorted(folder.rglob("*.sql")):
        _sort_in(path, folder, scripts, problems)
    migrations = [_migration(key, files, problems) for key, files in sorted(scripts.items())]
    problems += _doubles([key for key, _ in sorted(scripts.items())])
    if problems:
        raise InvalidPackage("the package's migrations can't be used", problems=tuple(problems))
    return [migration for migration in migrations if migration]


def _sort_in(
    path: Path, folder: Path, scripts: dict[tuple[int, str], dict[str, Path]], problems: list[Problem]
) -> None:
    match = NAME.fullmatch(path.name)
    number = int(match["number"] or 1) if match else 0
    if not match or number < 1 or path.parent != folder:
        mend = "call it up.sql, down.sql, or 0001_name.up.sql (down, contract), from 0001 on, right in migrations/"
        problems.append(Problem("name", "is no migration's name", path.name, _file(path), mend))
        return
    files = scripts.setdefault((number, match["name"] or "initial"), {})
    if match["engine"] != "postgres":
        files[f"{match['way']}.{match['engine'] or 'any'}"] = path
    else:
        files["postgres"] = path


def _migration(key: tuple[int, str], files: dict[str, Path], problems: list[Problem]) -> Migration | None:
    up, down, contract = (files.get(f"{way}.sqlite", files.get(f"{way}.any")) for way in ("up", "down", "contract"))
    if up is None and contract is None:
        rule = "has no up script for SQLite"
        some = next(iter(files.values()))
        problems.append(Problem(f"migration {key[0]}", rule, some.name, _file(some), "add its .up.sql"))
        return None
    text = _read(up, problems) if up else ""
    undo, last = (_read(path, problems) if path else None for path in (down, contract))
    up_file, down_file, contract_file = (_file(path) if path else "" for path in (up, down, contract))
    return Migration(*key, text, undo, checksum(text), up_file, down_file, last, contract_file)


def _doubles(keys: list[tuple[int, str]]) -> list[Problem]:
    return [
        Problem(
            f"migration {number}",
            "is there twice",
            f"{before[1]}, {name}",
            "migrations",
            "give each migration a number of its own (up.sql counts as 1)",
        )
        for before, (number, name) in pairwise(keys)
        if before[0] == number
    ]


def _file(path: Path) -> str:
    return f"migrations/{path.name}"


def _read(path: Path, problems: list[Problem]) -> str:
    data = path.read_bytes()
    rule = ""
    if len(data) > LARGEST:
        rule = f"is larger than {LARGEST // 1024 // 1024} MiB"
    elif b"\0" in data:
        rule = "has a NUL character in it"
    try:
        text = data.decode("utf-8-sig")
        if not rule:
            split(text, _file(path))
    except UnicodeDecodeError as error:
        rule, text = f"is not UTF-8 (byte {error.start})", ""
    except InvalidPackage as error:
        problems.extend(error.problems)
    if rule:
        problems.append(Problem("content", rule, "", _file(path), "write it as UTF-8 text, in parts if it is large"))
    return text
