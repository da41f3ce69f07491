"""Fault points: every effect of a process on files, folders, rows, other processes and itself, named and counted.

In a process that has `install`ed this, each effect passes a point before and after it: a step's `do` and `undo`, a file
opened for writing, flushed, renamed, deleted, a folder made or removed, an SQL statement that writes, a COMMIT, the
beacon, the routing table, a generation's loading and start. A dry run lists the points; a deadly one kills its own
process with SIGKILL at one of them. The engine knows nothing of this: whatever steps it has are covered by themselves.
"""

from __future__ import annotations

import builtins
import io
import os
import re
import shutil
import signal
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Names that differ from run to run: processes, random parts, operations of workers.
_VARYING = (
    (re.compile(r"\b([wa])-\d+-[0-9a-f]{6}"), r"\1-*"),
    (re.compile(r"(?<=staging/)\d+t\d+-[0-9a-f]{16}"), "*"),
    (re.compile(r"(?<=loading/)\d+t\d+-[0-9a-f]{8}"), "*"),
    (re.compile(r"(?<=staging/)\d+t\d+-hotbay-frontend-\w{8}"), "frontend-*"),
    (re.compile(r"(?<=\.key\.)\d+t\d+\.[0-9a-f]{8}"), "*"),
    (re.compile(r"\.[0-9a-f]{8}(?=\.package)"), ".*"),
    (re.compile(r"\.[a-z0-9_]{8,16}\.part"), ".*.part"),
    (re.compile(r"(?<=\.pyc\.)\d+"), "*"),
    (re.compile(r"(?<=\.)\d+t\d+(?=\.tmp)"), "*"),
    (re.compile(r"([0-9a-f]{8})[0-9a-f]{56}"), r"\1"),
)
_STATEMENT = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|COMMIT|RELEASE|VACUUM)\b[^(]*", re.I)
_EVENTS = {"os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.link": 2}


class Faults:
    """The points of one process. With `deadly` it dies there; `listed` are those that it has passed."""

    def __init__(self, home: Path, deadly: str = "") -> None:
        self.home = str(home)
        self.deadly = deadly
        self.listed: list[str] = []
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._inside = threading.local()
        self._on = True

    def pause(self) -> None:
        """Pass no more points: what follows only looks."""
        self._on = False

    def point(self, moment: str, what: str) -> None:
        """One point, `before` or `after` an effect."""
        if not self._on:
            return
        with self._lock:
            self._counts[f"{moment} {what}"] += 1
            name = f"{moment} {what} #{self._counts[f'{moment} {what}']}"
            self.listed.append(name)
            if name == self.deadly:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, what: str, effect: Callable[[], Any]) -> Any:
        """Pass the points around an effect; those of effects that it is made of are its own."""
        self.point("before", what)
        self._inside.depth = getattr(self._inside, "depth", 0) + 1
        try:
            answer = effect()
        finally:
            self._inside.depth -= 1
        self.point("after", what)
        return answer

    def short(self, path: Any) -> str:
        """A path as it is called in every run."""
        text = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else "?"
        text = text.removeprefix(self.home).lstrip("/")
        for pattern, name in _VARYING:
            text = pattern.sub(name, text)
        return text

    # ── installing ──────────────────────────────────────────────────────────────────────────────────────────────

    def install(self) -> Faults:
        """Wrap all effects of this process, for ever: use it in a process that is made for that."""
        self._wrap_files()
        self._wrap_descriptors()
        self._wrap_database()
        self._wrap_engine()
        sys.addaudithook(self._hear)
        return self

    def _wrap_files(self) -> None:
        for name in ("rename", "replace", "link", "symlink"):
            self._wrap(os, name, lambda a, _, name=name: f"{name} {self.short(a[0])} {self.short(a[1])}")
        for name in ("unlink", "remove", "rmdir", "mkdir", "mkfifo", "truncate"):
            self._wrap(os, name, lambda a, _, name=name: f"{name} {self.short(a[0])}")
        for owner in (builtins, io):
            self._wrap(owner, "open", self._named_open)
        self._wrap(os, "open", self._named_os_open)
        self._wrap(shutil, "copyfileobj", lambda a, _: f"copy into {self._of_descriptor(a[1].fileno())}")

    def _named_open(self, arguments: Any, options: Any) -> str:
        mode = arguments[1] if len(arguments) > 1 else options.get("mode", "r")
        if isinstance(arguments[0], int) or not set(mode) & set("wax+"):
            return ""
        return f"open {self.short(arguments[0])}"

    def _named_os_open(self, arguments: Any, options: Any) -> str:
        name = self.short(arguments[0])
        return f"open {name}" if arguments[1] & os.O_CREAT and not name.endswith(".fifo") else ""

    def _wrap_descriptors(self) -> None:
        for name in ("fsync", "ftruncate", "pwrite", "sendfile"):
            self._wrap(os, name, lambda a, _, name=name: f"{name} {self._of_descriptor(a[0])}")

    def _of_descriptor(self, number: int) -> str:
        return self.short(Path(f"/proc/self/fd/{number}").readlink())

    def _wrap_database(self) -> None:
        for owner in (sqlite3, sqlite3.dbapi2):
            real = owner.connect

            def connect(database: Any, *arguments: Any, real: Any = real, **options: Any) -> Any:
                connection = real(database, *arguments, **options)
                connection.set_trace_callback(lambda sql, file=self.short(database): self._executes(file, sql))
                return connection

            owner.connect = connect

    def _executes(self, file: str, sql: str) -> None:
        """SQLite tells of a statement before it runs; what comes next passes a point after it."""
        found = _STATEMENT.match(sql)
        if found:
            self.point("before", f"{' '.join(found[0].split()[:4])} in {file}")

    def _wrap_engine(self) -> None:
        from hotbay.activate.inprocess import InProcessGeneration
        from hotbay.beacon import Beacon
        from hotbay.serve import Dispatcher
        from hotbay.steps import STEPS

        self._wrap(Beacon, "_set", lambda a, _: f"beacon {'odd' if a[1] & 1 else 'even'}")
        for step in STEPS.values():
            for name in ("do", "undo"):
                self._wrap(type(step), name, lambda a, _, name=name: f"{name} {a[0].verb}", whole=False)
        for name in ("load", "start", "health", "stop", "unload"):
            self._wrap_coroutine(InProcessGeneration, name)
        Dispatcher.table = property(self._get_table, self._set_table)  # type: ignore[assignment,method-assign]

    @staticmethod
    def _get_table(dispatcher: Any) -> Any:
        return dispatcher.__dict__["table"]

    def _set_table(self, dispatcher: Any, table: Any) -> None:
        self.around("table", lambda: dispatcher.__dict__.__setitem__("table", table))

    def _wrap(self, owner: Any, name: str, say: Callable[[Any, Any], str], *, whole: bool = True) -> None:
        """`whole`: what it is made of passes no points of its own."""
        real = getattr(owner, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            what = say(arguments, options)
            if not what or (whole and getattr(self._inside, "depth", 0)):
                return real(*arguments, **options)
            if whole:
                return self.around(what, lambda: real(*arguments, **options))
            self.point("before", what)
            answer = real(*arguments, **options)
            self.point("after", what)
            return answer

        setattr(owner, name, wrapped)

    def _wrap_coroutine(self, owner: Any, name: str) -> None:
        real = getattr(owner, name)
        what = f"generation {name}"

        def plain(*arguments: Any, **options: Any) -> Any:
            self.point("before", what)
            answer = real(*arguments, **options)
            self.point("after", what)
            return answer

        async def awaited(*arguments: Any, **options: Any) -> Any:
            self.point("before", what)
            answer = await real(*arguments, **options)
            self.point("after", what)
            return answer

        import inspect

        setattr(owner, name, awaited if inspect.iscoroutinefunction(real) else plain)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """What goes past the wrappers: the interpreter's own writing of compiled code, and C."""
        if not self._on or getattr(self._inside, "depth", 0):
            return
        if event in _EVENTS:
            self.point("before", f"{event} {' '.join(self.short(path) for path in arguments[: _EVENTS[event]])}")
        elif event == "open" and _writes(arguments):
            self.point("before", f"opening {self.short(arguments[0])}")


def _writes(arguments: tuple[Any, ...]) -> bool:
    path, _, flags = arguments
    return isinstance(path, str) and bool(flags & _WRITES) and not path.endswith(".fifo") and path[:5] != "/dev/"
