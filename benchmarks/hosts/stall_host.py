"""The billing host with a heartbeat on each worker's event loop: what stall.py starts.

Every beat wants to sleep one millisecond. One that comes late by `RECORD_SECONDS` or more is written down beside
`$STALL_LOG`: when it came, by how much it was late, and how much CPU time the loop's own thread and the whole process
had meanwhile. So a stall tells what it was: the loop's own work, another thread that held the interpreter, or a machine
that ran something else (of which a guest may count a part as its processes' time). A beat makes no system call but its
sleep. With `STALL_TRACE=1` a thread also writes what all threads were doing during long stalls, to the error stream;
that costs time of its own.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app.main import app
from stall_record import Sheet

BEAT_SECONDS = 0.001
RECORD_SECONDS = 0.001
TRACE_SECONDS = 0.008
# Threads that wait for work or for a message.
IDLE = ("_worker", "_recv", "read")
_DEEP = 10

_inner = app.router.lifespan_context
_last = [0.0]


@asynccontextmanager
async def _beating(host: Any) -> AsyncIterator[Any]:
    async with _inner(host) as state:
        beat = asyncio.create_task(_beat(), name="stall heartbeat")
        if os.environ.get("STALL_TRACE"):
            threading.Thread(target=_trace, args=(threading.get_ident(),), daemon=True).start()
        yield state
        beat.cancel()


async def _beat() -> None:
    sheet = Sheet(Path(os.environ["STALL_LOG"]))
    before = time.monotonic(), time.thread_time(), time.process_time()
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        now = time.monotonic(), time.thread_time(), time.process_time()
        late = now[0] - before[0] - BEAT_SECONDS
        if late >= RECORD_SECONDS:
            sheet.add(now[0], late, now[1] - before[1], now[2] - before[2])
        before = now
        _last[0] = now[0]


def _trace(loop_thread: int) -> None:
    traced = 0.0
    while True:
        time.sleep(0.002)
        late = time.monotonic() - _last[0]
        if late > TRACE_SECONDS and _last[0] != traced:
            traced = _last[0]
            _write(late, loop_thread)


def _write(late: float, loop_thread: int) -> None:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    text = [f"── {os.getpid()} stalls for {late * 1000:.1f} ms so far, at {time.monotonic():.3f}\n"]
    for ident, frame in sys._current_frames().items():
        if ident != threading.get_ident():
            stack = traceback.extract_stack(frame)
            if stack[-1].name not in IDLE:
                mark = "LOOP " if ident == loop_thread else ""
                text.append(f"  {mark}{names.get(ident, ident)}\n")
                text += [f"    {item.filename}:{item.lineno} {item.name}\n" for item in stack[-_DEEP:]]
    sys.stderr.write("".join(text))
    sys.stderr.flush()


app.router.lifespan_context = _beating
