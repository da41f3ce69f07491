"""The processes of a trial: an actor, a host that starts and recovers, a worker with a visitor. All are forked.

The process that forks them has imported everything, has one thread and opens nothing itself.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from faults import Faults

import engine
from hosts import Case, look, opened
from hotbay.verdict import pronounce
from plugs import client

KILLED = -signal.SIGKILL
SERVED, ABSENT = 200, 404


class Child:
    """A forked process that runs `work(child)`. Both ends say and hear messages."""

    def __init__(self, work: Callable[[Child], Any], log: Path) -> None:
        down, up = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(down[1])
            os.close(up[0])
            self.incoming, self.outgoing = down[0], up[1]
            _be_child(self, work, log)
        os.close(down[0])
        os.close(up[1])
        self.incoming, self.outgoing = up[0], down[1]
        self._code: int | None = None

    def say(self, message: Any) -> None:
        """Send one message."""
        _write(self.outgoing, pickle.dumps(message))

    def hear(self) -> Any:
        """The next message; None when the other end is gone."""
        return _read(self.incoming)

    def end(self) -> int:
        """Wait until it has ended; its exit code, negative for a signal."""
        if self._code is None:
            os.close(self.outgoing)
            os.close(self.incoming)
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def kill(self) -> int:
        """SIGKILL."""
        if self._code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        return self.end()


def _write(number: int, data: bytes) -> None:
    whole = len(data).to_bytes(4, "big") + data
    with suppress(BrokenPipeError):
        while whole:
            whole = whole[os.write(number, whole) :]


def _read(number: int) -> Any:
    head = _exactly(number, 4)
    if head is None:
        return None
    data = _exactly(number, int.from_bytes(head, "big"))
    return None if data is None else pickle.loads(data)


def _exactly(number: int, size: int) -> bytes | None:
    parts = b""
    while len(parts) < size:
        part = os.read(number, size - len(parts))
        if not part:
            return None
        parts += part
    return parts


def _be_child(child: Child, work: Callable[[Child], Any], log: Path) -> None:
    code = 1
    try:
        number = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(number, 2)
        gc.freeze()
        logging.basicConfig(level=logging.WARNING, format="%(process)d %(name)s %(message)s")
        work(child)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


# ── what the processes do ──


def act(home: Path, packages: Path, case: Case, deadly: str) -> Callable[[Child], None]:
    """The actor: one operation."""

    def work(child: Child) -> None:
        faults = Faults(home, deadly).install()
        with opened(home, packages) as host:
            case.run(host)
        faults.pause()
        child.say(faults.listed)

    return work


def recover(home: Path, packages: Path, deadly: str = "") -> Callable[[Child], None]:
    """A host that starts: it recovers, and looks when it is told to."""

    def work(child: Child) -> None:
        faults = Faults(home, deadly).install()
        with opened(home, packages) as host:
            host.applier.recover_at_start()
            pronounce(host.store, host.applier.suspects)
        faults.pause()
        child.say(faults.listed)
        if child.hear() == "look":
            child.say(asyncio.run(_see(home, packages)))

    return work


async def _see(home: Path, packages: Path) -> dict[str, Any]:
    """What a worker that starts now answers, and all of the state."""
    with opened(home, packages) as host:
        worker = engine.Worker(host)
        await worker.follower.start()
        version = await worker.version()
        await worker.follower.stop()
    return {**look(home, packages), "serves": version}


def serve(home: Path, packages: Path, deadly: str = "") -> Callable[[Child], None]:
    """A worker with a visitor who adds rows: what is acknowledged is written down at once."""

    def work(child: Child) -> None:
        asyncio.run(_serve(child, home, packages, deadly))

    return work


async def _serve(child: Child, home: Path, packages: Path, deadly: str) -> None:
    faults = Faults(home, deadly).install()
    with opened(home, packages) as host:
        worker = engine.Worker(host)
        await worker.follower.start()
        await worker.version()
        child.say("ready")
        stop = asyncio.Event()
        visitor = asyncio.create_task(_visit(worker, notes_of(home), stop))
        await asyncio.get_running_loop().run_in_executor(None, child.hear)
        stop.set()
        await visitor
        faults.pause()
        await worker.follower.sync()
        child.say({"version": await worker.version(), "points": faults.listed})
        await worker.follower.stop()


async def _visit(worker: Any, notes: Path, stop: asyncio.Event) -> None:
    number = 100
    with notes.open("ab", buffering=0) as written:
        async with client(worker) as http:
            while not stop.is_set():
                number += 1
                answer = await http.post("/api/v1/shop/items", params={"name": f"w{number}"})
                if answer.status_code == SERVED:
                    written.write(f"w{number}\n".encode())
                elif answer.status_code != ABSENT:
                    written.write(f"failed: {answer.status_code} {answer.text!r:.200}\n".encode())
                await asyncio.sleep(0.002)


def notes_of(home: Path) -> Path:
    """What a home's visitor has written down."""
    return home.with_suffix(".notes")
