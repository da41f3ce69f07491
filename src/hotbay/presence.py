"""Who is there: workers that serve, actors that wait for them, and the lease that only one writer holds.

A worker is present while it reads its FIFO; its status file says what it has seen and serves. Pings through the
FIFOs are hints that cost microseconds; the rows, the beacon and the status files are the truth.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import select
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotbay.errors import LeaseHeld
from hotbay.process import fields, lives

_POLL = 0.02
_TRACE = re.compile(r"\.?[aw]-(\d+)-")


class Fifo:
    """A named pipe that wakes its one reader."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Under another name until it is open: a pipe that nobody reads is taken for a dead reader's and removed.
        hidden = path.with_name(f".{path.name}")
        with suppress(FileNotFoundError):
            hidden.unlink()
        os.mkfifo(hidden, 0o600)
        # Read-write keeps the pipe open when the last writer leaves, so that the reader never sees its end.
        self.fd = os.open(hidden, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        hidden.rename(path)

    def drain(self) -> set[str]:
        """The words of all pings so far, each once; they are forgotten."""
        said = b""
        with suppress(BlockingIOError):
            while piece := os.read(self.fd, 4096):
                said += piece
        return set(said.decode("ascii", "replace").split(";")) - {""}

    def wait(self, seconds: float) -> None:
        """Wait for a ping, at most `seconds`."""
        # Not select(): a server with a thousand connections has descriptors that it can't take.
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        poll.poll(seconds * 1000)
        self.drain()

    def close(self) -> None:
        """Remove the pipe; safe to repeat."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        with suppress(FileNotFoundError):
            self.path.unlink()


LOOK = "!"
MARK = "|"
TELL = "?"
NEVER = float("inf")


def ping(path: Path, word: str = LOOK) -> bool:
    """Wake the reader of a FIFO; False when nobody reads it.

    Words to a worker: LOOK at the rows, MARK the time in the meters, TELL what they counted (followed by nothing, or by
    the id of a plugin whose slots are wanted too, and `@` with a time of day if its passages since then are). The empty
    word wakes nobody: it only asks who reads.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT, errno.EISDIR, errno.ENOTDIR):
            return False
        raise
    try:
        if not stat.S_ISFIFO(os.fstat(fd).st_mode):
            return False  # Somebody's file: nobody reads it.
        if word:
            os.write(fd, f"{word};".encode("ascii"))
    except BlockingIOError:
        pass  # The pipe is full of pings: the reader will wake.
    except BrokenPipeError:
        return False
    finally:
        os.close(fd)
    return True


def wish(plugin: str, since: float) -> str:
    """What follows TELL: a plugin, and the time of day from which its passages are wanted (`NEVER`: none are)."""
    return plugin if since == NEVER else f"{plugin}@{since!r}"


def wishes(words: Iterable[str]) -> dict[str, float]:
    """What is wanted of each plugin by anybody of many: its passages since the earliest time."""
    found: dict[str, float] = {}
    for plugin, _, since in (text.partition("@") for text in words):
        found[plugin] = min(found.get(plugin, NEVER), float(since or NEVER))
    return found


@dataclass(frozen=True)
class Status:
    """What a worker says of itself: process id, the beacon it has acted on, and its plugins.

    `attended`: the beacon before it looked last at what operations wish; what it prepares since is among `plugins`.
    """

    worker: str
    pid: int
    beacon: int
    plugins: dict[str, dict[str, Any]]
    attended: int = 0
    booted: float = 0.0
    generations: int = 0
    jobs: bool = False
    safe_mode: bool = False

    def of(self, plugin: str) -> dict[str, Any]:
        """What the worker says of one plugin."""
        return self.plugins.get(plugin, {})


class Workers:
    """The folder in which the workers of one host meet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def fifo(self, name: str) -> Path:
        """Where the reader `name` listens (`w-…` for workers, `a-…` for actors)."""
        return self.folder / f"{name}.fifo"

    def write(self, status: Status) -> None:
        """Publish a worker's status, atomically."""
        target = self.folder / f"{status.worker}.json"
        _replace(target, target.with_suffix(".tmp"), status.__dict__)

    def write_meters(self, worker: str, data: dict[str, Any]) -> None:
        """Publish what a worker's meters counted, atomically."""
        target = self.folder / f"{worker}.meters"
        _replace(target, target.with_suffix(".meters.tmp"), data)

    def read_meters(self, worker: str) -> dict[str, Any]:
        """What a worker's meters counted when it was asked last; {} when it never was."""
        try:
            found: dict[str, Any] = json.loads((self.folder / f"{worker}.meters").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def read(self, worker: str) -> Status | None:
        """A worker's last status; None when it has none."""
        try:
            return Status(**json.loads((self.folder / f"{worker}.json").read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def signal(self, word: str = LOOK) -> list[str]:
        """Wake all workers; return the names of those that are there. Traces of dead ones are removed."""
        present = []
        for path in sorted(self.folder.glob("w-*.fifo")):
            if ping(path, word):
                present.append(path.stem)
            else:
                self.forget(path.stem)
        return present

    def present(self) -> list[str]:
        """The names of the workers that are there; nobody is woken."""
        return [path.stem for path in sorted(self.folder.glob("w-*.fifo")) if ping(path, "")]

    def tell_actors(self) -> None:
        """Wake everybody who waits for a worker's status."""
        for path in self.folder.glob("a-*.fifo"):
            if not ping(path):
                with suppress(FileNotFoundError):
                    path.unlink()

    def forget(self, worker: str) -> None:
        """Remove a worker's traces."""
        for suffix in (".fifo", ".json", ".tmp", ".meters", ".meters.tmp"):
            with suppress(FileNotFoundError):
                (self.folder / f"{worker}{suffix}").unlink()

    def sweep(self) -> None:
        """Remove what processes that were killed left here: pipes never opened, statuses without a pipe."""
        for path in self.folder.iterdir():
            match = _TRACE.match(path.name)
            if match is not None and not lives(match[1]):
                path.unlink(missing_ok=True)

    def statuses(self) -> list[Status]:
        """The status of each worker that is there; nobody is woken."""
        found = (self.read(worker) for worker in self.present())
        return [status for status in found if status is not None]


def _replace(target: Path, temporary: Path, data: dict[str, Any]) -> None:
    temporary.write_text(json.dumps(data, separators=(",", ":")), encoding="utf-8")
    temporary.replace(target)


def stopped(pid: int) -> bool:
    """True when the process is stopped (SIGSTOP, debugger) or gone, as far as this system tells."""
    return _state(pid) in "TtZX"


def gone(pid: int) -> bool:
    """True when the process has ended, or is about to: its files and locks go with the last of its threads."""
    return _state(pid) in "ZX"


def _state(pid: int) -> str:
    """The letter that Linux has for what a process does; "?" where the system does not tell."""
    try:
        return fields(pid)[0]
    except (FileNotFoundError, ProcessLookupError):  # gone before it was opened, or before it was read
        return "X" if Path("/proc/self").exists() else "?"


def resident(pid: int) -> int | None:
    """The memory of a process in bytes (resident set); None where it is gone or the system does not tell."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def pid_of(worker: str) -> int:
    """The process id in a worker's name (`w-<pid>-…`); 0 when there is none."""
    part = worker.split("-")[1:2]
    return int(part[0]) if part and part[0].isdigit() else 0


class Lease:
    """The right to write, held by one process at a time (`flock`): the system frees it when the holder dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def try_acquire(self) -> int | None:
        """Take the lease at once; the descriptor to release it with, or None when it is held."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return fd

    def holder(self) -> dict[str, Any]:
        """What the present or last holder wrote about itself."""
        try:
            data = json.loads(self.path.read_text(encoding="utf-8") or "{}")
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}

    @contextmanager
    def hold(self, seconds: float, **about: Any) -> Iterator[None]:
        """Hold the lease for the block; wait for it at most `seconds`.

        Raises LeaseHeld naming the holder. `about` is what others are told.
        """
        fd = self._wait(seconds)
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, json.dumps({"pid": os.getpid(), "since": time.time(), **about}).encode(), 0)
            yield
        finally:
            os.ftruncate(fd, 0)
            os.close(fd)

    def _wait(self, seconds: float) -> int:
        deadline = time.monotonic() + seconds
        while True:
            fd = self.try_acquire()
            if fd is not None:
                return fd
            if time.monotonic() >= deadline:
                raise self._held()
            time.sleep(_POLL)

    def _held(self) -> LeaseHeld:
        holder = self.holder()
        what = f"{holder.get('kind', 'an operation')} of {holder.get('plugin', 'a plugin')}"
        return LeaseHeld(
            f"{what} is in progress (process {holder.get('pid', '?')}, by {holder.get('actor', '?')})",
            mend="wait until it has ended, or give a longer wait",
            holder=holder,
        )
