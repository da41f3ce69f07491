"""Judges what the load saw: was each answer of the depot right at its time, whom may a killed worker take along, and
what does the log say of a failure?"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

ABSENT = "404"
DEPOT = "depot"
_TAKEN_ALONG_SECONDS = 1.0
_NUMBER = re.compile(r'"error_id": "([0-9a-f]{12})"')
_RECORD = re.compile(r"\d{4}-\d\d-\d\d ")
_LONGEST = 600
Swap = dict[str, Any]
Failure = dict[str, Any]


def after(item: Swap) -> str:
    """What the depot answers after an operation: a version, or that it is absent."""
    return ABSENT if item["kind"] == "deactivate" else str(item["version"])


def wrong_versions(witnessed: Sequence[Sequence[Any]], swaps: Sequence[Swap], first: str) -> list[Failure]:
    """The answers that were wrong at their time: `(sent, ended, what)` each.

    Between the end of one operation and the beginning of the next one, only one answer is right. What overlaps
    operations may see what was before the first of them, and what each of them leads to.
    """
    mine = [item for item in swaps if item["plugin"] == DEPOT]
    ends = [item["ended"] for item in mine]
    begins = [item["began"] for item in mine]
    states = [first, *(after(item) for item in mine)]
    found = []
    for sent, ended, what in witnessed:
        known = bisect_right(ends, sent)  # Operations that had ended when it was sent: the last of them is certain.
        possible = states[known : bisect_left(begins, ended) + 1]
        if what not in possible:
            why = f"answered {what}, right was {' or '.join(dict.fromkeys(possible))}"
            found.append({"at": ended, "request": f"depot, sent {ended - sent:.3f} s before", "why": why})
    return found


def taken_along(failure: Failure, kills: Sequence[dict[str, Any]]) -> bool:
    """True when a failure is of a connection to a worker that was killed: that worker's requests die with it.

    Where nobody knows yet who was at the other end (no answer came), the moment of the kill decides.
    """
    worker = failure.get("worker", 0)
    for kill in kills:
        soon = 0.0 <= failure["at"] - kill["at"] <= _TAKEN_ALONG_SECONDS
        if soon and worker in (kill["pid"], 0):
            return True
    return False


def logged(why: str, logs: Path) -> str:
    """What raised an error that an answer names by its number, of the plugins' logs; empty when no log knows it."""
    number = _NUMBER.search(why)
    for file in sorted(logs.glob("*.log")) if number else ():
        lines = iter(file.read_text(encoding="utf-8", errors="replace").splitlines())
        if any(line.endswith(f"error {number[1]}") for line in lines):
            told = [line for line in takewhile(lambda line: not _RECORD.match(line), lines) if line[:1].strip()]
            return " | ".join(line for line in told if not line.startswith("Traceback"))[-_LONGEST:]
    return ""
