"""What would survive a power cut: the order of writes, renames and flushes in a process, judged at chosen moments.

A file is safe when it was flushed after it was last opened for writing, a name when its folder was flushed after the
name was made. A rename carries what is unsafe along. SQLite flushes its own files; they are left out.
"""

from __future__ import annotations

import builtins
import io
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_DATABASE = ("hotbay.db", "hotbay.db-wal", "hotbay.db-shm")


class Order:
    """Listens to a process from `install` on. `moments`: (what, what was unsafe then) in order."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.unsafe: set[str] = set()
        self.moments: list[tuple[str, list[str]]] = []
        self._lock = threading.RLock()

    def install(self) -> Order:
        """Wrap what writes, names and flushes, for ever."""
        self._after(os, "open", lambda a, _: self._opened(a[0], bool(a[1] & (os.O_WRONLY | os.O_RDWR))))
        for owner in (builtins, io):
            self._after(owner, "open", lambda a, o: self._opened(a[0], bool(set(_mode(a, o)) & set("wax+"))))
        self._after(os, "mkdir", lambda a, _: self._named(a[0]))
        for name in ("rename", "replace"):
            self._after(os, name, lambda a, _: self._moved(a[0], a[1]))
        self._after(os, "link", lambda a, _: self._linked(a[0], a[1]))
        self._after(os, "symlink", lambda a, _: self._named(a[1]))
        self._after(os, "fsync", lambda a, _: self._flushed(Path(f"/proc/self/fd/{a[0]}").readlink()))
        for name in ("unlink", "remove", "rmdir"):
            self._after(os, name, lambda a, _: self._gone(a[0]))
        for owner in (sqlite3, sqlite3.dbapi2):
            self._listen(owner)
        return self

    def _after(self, owner: Any, name: str, note: Callable[[Any, Any], None]) -> None:
        real = getattr(owner, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            if name == "rename" or name == "replace":
                self._before_move(arguments[0], arguments[1])
            answer = real(*arguments, **options)
            with self._lock:
                note(arguments, options)
            return answer

        setattr(owner, name, wrapped)

    def _listen(self, owner: Any) -> None:
        real = owner.connect

        def connect(database: Any, *arguments: Any, **options: Any) -> Any:
            connection = real(database, *arguments, **options)
            said: list[str] = []
            connection.set_trace_callback(lambda sql: self._executes(said, sql))
            return connection

        owner.connect = connect

    def _executes(self, said: list[str], sql: str) -> None:
        said.append(sql)
        if sql == "COMMIT":
            switch = any("SET switched=1" in one for one in said)
            closes = any("UPDATE hotbay_operations SET state='done'" in one for one in said)
            said.clear()
            if switch or closes:
                self.moment("switch" if switch else "close")

    def moment(self, what: str) -> None:
        """Remember what a power cut would take now."""
        with self._lock:
            self.moments.append((what, sorted(self.unsafe)))

    # ── what is unsafe: `path` (its content), `path/` + name (its name) ──

    def _at(self, path: Any) -> str:
        if not isinstance(path, str | os.PathLike):
            return ""
        try:
            name = str(Path(path).absolute().relative_to(self.home))
        except ValueError:
            return ""
        return "" if name in _DATABASE or name.startswith(("run/", "staging/", "cache/")) else name

    def _opened(self, path: Any, writes: bool) -> None:
        name = self._at(path)
        if name and writes:
            self.unsafe |= {f"content of {name}", f"name of {name}"}

    def _named(self, path: Any) -> None:
        if name := self._at(path):
            self.unsafe.add(f"name of {name}")

    def _linked(self, source: Any, target: Any) -> None:
        if f"content of {self._at(source)}" in self.unsafe:
            self.unsafe.add(f"content of {self._at(target)}")
        self._named(target)

    def _flushed(self, path: Path) -> None:
        if path == self.home:
            self.unsafe = {one for one in self.unsafe if not (one.startswith("name of ") and "/" not in one)}
        name = self._at(path)
        self.unsafe.discard(f"content of {name}")
        if path.is_dir():
            self.unsafe = {one for one in self.unsafe if not _names_in(one, name)}

    def _before_move(self, source: Any, target: Any) -> None:
        with self._lock:
            name, place = self._at(source), self._at(target)
            if place and not Path(source).is_dir() and f"content of {name}" in self.unsafe:
                self.moments.append(("rename", [f"{place} is replaced by {name}, which was not flushed"]))

    def _moved(self, source: Any, target: Any) -> None:
        name, place = self._at(source), self._at(target)
        if not name and place:  # From the staging folder: nothing of it was flushed.
            found = [Path(target), *Path(target).rglob("*")]
            for path in found:
                self._opened(path, True) if path.is_file() else self._named(path)
            return
        kept = set()
        for one in self.unsafe:
            kind, _, path = one.partition(" of ")
            inside = path == name or path.startswith(f"{name}/")
            kept |= {f"{kind} of {place}{path[len(name) :]}"} if inside and place else set() if inside else {one}
        self.unsafe = kept
        self._named(target)

    def _gone(self, path: Any) -> None:
        # `shutil.rmtree` deletes by names alone: what is not there any more can't be lost.
        self.unsafe = {one for one in self.unsafe if os.path.lexists(self.home / one.partition(" of ")[2])}


def _mode(arguments: Any, options: Any) -> str:
    return str(arguments[1] if len(arguments) > 1 else options.get("mode", "r"))


def _names_in(one: str, folder: str) -> bool:
    kind, _, path = one.partition(" of ")
    return kind == "name" and path.rpartition("/")[0] == folder
