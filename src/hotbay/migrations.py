"""Migration scripts as text: find them, split them, and say what in them the old version could not live with.

migrations/up.sql, down.sql                      number 1
migrations/0002_name.up.sql, .down.sql           for every engine
migrations/0002_name.sqlite.up.sql               for SQLite; wins over the portable file
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hotbay.errors import InvalidPackage, Problem

LARGEST = 8 * 1024 * 1024
NAME = re.compile(
    r"(?:(?P<number>\d{1,9})_(?P<name>[A-Za-z0-9][A-Za-z0-9_-]*)\.)?"
    r"(?:(?P<engine>sqlite|postgres)\.)?(?P<way>up|down)\.sql"
)
# Strings, names in quotes, comments and words: enough to read a statement's head, never to rewrite it.
TOKEN = re.compile(
    r"""(?P<skip>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))|(?P<text>'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])|(?P<word>[^\W]+)|(?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Migration:
    """One numbered change: its script, the one that undoes it (None: not given) and the hash of the first."""

    number: int
    name: str
    up: str
    down: str | None
    checksum: str
    up_file: str = "up.sql"
    down_file: str = "down.sql"


@dataclass(frozen=True)
class Statement:
    """One statement of a script: its number and the line on which it begins, both from 1."""

    number: int
    line: int
    text: str

    @property
    def field(self) -> str:
        """Where it is, for a Problem."""
        return f"statement {self.number}, line {self.line}"

    @property
    def excerpt(self) -> str:
        """The first 120 characters, on one line."""
        flat = " ".join(self.text.split())
        return flat if len(flat) <= 120 else flat[:117] + "..."


def checksum(script: str) -> str:
    """SHA-256 (hex) of a script, the same whatever its line ends."""
    return hashlib.sha256(script.replace("\r\n", "\n").encode()).hexdigest()


def split(script: str, file: str = "up.sql") -> list[Statement]:
    """The statements of a script. Raises InvalidPackage when the last one never ends (a quote, BEGIN without END)."""
    found: list[Statement] = []
    start = 0
    for end in (match.end() for match in re.finditer(";", script)):
        if sqlite3.complete_statement(script[start:end]):
            _add(found, script, start, end)
            start = end
    rest = script[start:]
    if any(_tokens(rest)):
        if not sqlite3.complete_statement(rest + "\n;"):
            problem = Problem(
                f"statement {len(found) + 1}, line {_first_line(script, start)}",
                "never ends",
                " ".join(rest.split())[:120],
                file,
                "close the quote, the comment or the trigger's BEGIN … END, and end it with ;",
            )
            raise InvalidPackage("a migration can't be split into statements", problems=(problem,))
        _add(found, script, start, len(script))
    return found


def _add(found: list[Statement], script: str, start: int, end: int) -> None:
    text = script[start:end].strip()
    if any(part != ";" for part in _tokens(text)):
        found.append(Statement(len(found) + 1, _first_line(script, start), text))


def _first_line(script: str, start: int) -> int:
    for match in TOKEN.finditer(script, start):
        if match.lastgroup != "skip":
            return script.count("\n", 0, match.start()) + 1
    return script.count("\n", 0, start) + 1


def _tokens(text: str) -> Iterator[str]:
    return (match.group() for match in TOKEN.finditer(text) if match.lastgroup != "skip")


def read_migrations(root: Path) -> list[Migration]:
    """The migrations of the package unpacked at `root`, by number; none when it has no folder `migrations`.

    Raises InvalidPackage listing every file that can't be used: its name, its encoding, doubles, a down
    without up.
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
        mend = "call it up.sql, down.sql, or 0001_name.up.sql, from 0001 on, right in migrations/"
        problems.append(Problem("name", "is no migration's name", path.name, _file(path), mend))
        return
    files = scripts.setdefault((number, match["name"] or "initial"), {})
    if match["engine"] != "postgres":
        files[f"{match['way']}.{match['engine'] or 'any'}"] = path
    else:
        files["postgres"] = path


def _migration(key: tuple[int, str], files: dict[str, Path], problems: list[Problem]) -> Migration | None:
    up = files.get("up.sqlite", files.get("up.any"))
    down = files.get("down.sqlite", files.get("down.any"))
    if up is None:
        rule = "has no up script for SQLite"
        some = next(iter(files.values()))
        problems.append(Problem(f"migration {key[0]}", rule, some.name, _file(some), "add its .up.sql"))
        return None
    text = _read(up, problems)
    undo = _read(down, problems) if down else None
    files_named = (_file(up), _file(down) if down else "")
    return Migration(key[0], key[1], text, undo, checksum(text), *files_named)


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


# ── lint ──

SPLIT = (
    "keep it out of this migration: release the version that no longer needs it first and put this statement into a "
    'later version\'s migration, or say "migrations": "exclusive" in the manifest (requests then wait while it runs)'
)


def lint(migration: Migration) -> list[Problem]:
    """The statements that the version in service could not live with (drop, rename, tighten), and how to
    split them.

    What the same script created before may be changed freely. Advisory: it reads the statements' heads only.
    """
    problems: list[Problem] = []
    new: set[str] = set()
    for statement in split(migration.up, migration.up_file):
        words = _words(statement.text)
        rule = _breaks(words, new)
        if rule:
            problems.append(Problem(statement.field, rule, statement.excerpt, migration.up_file, SPLIT))
        created = _created(words)
        if created:
            new.add(created)
    return problems


def _words(text: str) -> list[str]:
    """The statement's tokens: names without quotes and in lower case, literals as ''."""
    out = []
    for match in TOKEN.finditer(text):
        kind, part = match.lastgroup, match.group()
        if kind == "quoted":
            out.append(part[1:-1].lower())
        elif kind != "skip":
            out.append("''" if kind == "text" else part.lower())
    if out[:2] == ["explain", "query"]:
        return []
    return [part for part in out if part != ";"]


def _created(words: list[str]) -> str:
    kinds = ("table", "view", "index", "trigger")
    if words[:1] != ["create"]:
        return ""
    at = next((place for place, word in enumerate(words[:4]) if word in kinds), None)
    return _name(words, at + 1)[0] if at is not None else ""


def _name(words: list[str], at: int) -> tuple[str, int]:
    """The object's name at `at`, past IF [NOT] EXISTS and a schema's name, and the place after it."""
    while words[at : at + 1] and words[at] in ("if", "not", "exists"):
        at += 1
    if words[at + 1 : at + 2] == ["."]:
        at += 2
    return (words[at] if at < len(words) else ""), at + 1


def _breaks(words: list[str], new: set[str]) -> str:
    """Why the running version could not live with this statement; empty when it can."""
    rules: dict[str, Callable[[list[str], set[str]], str]] = {
        "drop": _drop,
        "alter": _alter,
        "create": _create,
        "delete": _delete,
    }
    return rules[words[0]](words, new) if words and words[0] in rules else ""


def _drop(words: list[str], new: set[str]) -> str:
    kind = words[1] if len(words) > 1 else ""
    name, _ = _name(words, 2)
    if name in new or kind in ("index", "trigger"):
        return ""
    return f"drops {kind} {name}"


def _alter(words: list[str], new: set[str]) -> str:
    table, at = _name(words, 2)
    rest = words[at:]
    if table in new or not rest:
        return ""
    if rest[0] == "rename":
        return f"renames {'table' if rest[1:2] == ['to'] else 'a column of'} {table}"
    if rest[0] == "drop":
        return f"drops a column of {table}"
    if rest[0] == "alter":
        return f"changes a column of {table}"
    if {"not", "null"} <= set(rest) and "default" not in rest:
        return f"adds a NOT NULL column without a default to {table}: the old version's INSERT fails"
    return ""


def _create(words: list[str], new: set[str]) -> str:
    on, _ = _name(words, words.index("on") + 1) if "on" in words else ("", 0)
    if on in new or not on:
        return ""
    if words[1:3] == ["unique", "index"]:
        return f"makes rows of {on} unique: the old version may write doubles"
    if "trigger" in words[:4] and "raise" in words:
        return f"lets a trigger refuse rows of {on} that the old version writes"
    return ""


def _delete(words: list[str], new: set[str]) -> str:
    table, _ = _name(words, 2)
    return "" if table in new else f"deletes rows of {table}"
