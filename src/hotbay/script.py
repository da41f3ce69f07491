"""SQL scripts as text: split them into statements, and those into words. Nothing is rewritten, nothing is run."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from hotbay.errors import InvalidPackage, Problem

# Strings, names in quotes, comments and words: enough to read a statement's head, never to rewrite it.
TOKEN = re.compile(
    r"""(?P<skip>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))|(?P<text>'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])|(?P<word>[^\W]+)|(?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)


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


def words(text: str) -> list[str]:
    """A statement's tokens: names without quotes and in lower case, strings as ''; the `;` at its end is left out."""
    out = []
    for match in TOKEN.finditer(text):
        kind, part = match.lastgroup, match.group()
        if kind == "quoted":
            out.append(part[1:-1].lower())
        elif kind != "skip":
            out.append("''" if kind == "text" else part.lower())
    while out[-1:] == [";"]:
        out.pop()
    return out
