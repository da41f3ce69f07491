"""Jobs outlive their callers, and a server that leaves waits for them a moment."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from console.desks import Desk, opened, until
from hotbay.console.runner import Job, Runner, tell
from hotbay.model import Kind
from hotbay.request import Request

SLOW = {"backend/__init__.py": "import time\ntime.sleep(0.6)\n"}


def on_loop(desk: Desk, work: Any) -> Any:
    """Run a coroutine on the server's loop."""
    loop = desk.hotbay.feed._loop
    assert loop is not None
    return asyncio.run_coroutine_threadsafe(work, loop).result(10)


def test_drain_waits_for_jobs_but_not_for_ever(desk: Desk) -> None:
    desk.pack(version="2.0.0", files=SLOW)
    desk.post("/install", {"addon_id": "notes"}, 202, wait="false")
    assert on_loop(desk, desk.hotbay.api.drain(0.05)) == 1
    assert on_loop(desk, desk.hotbay.api.drain(10)) == 0
    assert desk.get("/operations/1")["state"] == "done"


def test_a_failure_of_ours_that_nobody_waits_for_is_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    runner = desk.hotbay.api.runner

    async def broken(*args: Any) -> Any:
        args[1].set_result(1)
        raise RuntimeError("broken inside")

    runner._work = broken  # type: ignore[method-assign]
    with caplog.at_level(logging.ERROR):
        response = on_loop(desk, runner.answer(Job(Request(Kind.INSTALL, "notes"), "ada"), wait=False))
        assert response.status_code == 202
        until(lambda: "broken inside" in caplog.text)


def test_a_job_from_the_repository_does_not_use_the_local_source(tmp_path: Path) -> None:
    with opened(tmp_path) as desk:
        runner = Runner(desk.hotbay)
        remote = runner._applier(Job(Request(Kind.INSTALL, "notes"), "ada", remote=True), [])
        local = runner._applier(Job(Request(Kind.INSTALL, "notes"), "ada"), [])
        assert remote.drafter.sources == desk.hotbay.catalog.remote
        assert local.drafter.sources() is desk.hotbay.catalog.source()
        assert local.actor == "ada"


async def test_telling_a_closed_loop_is_nothing() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    tell(loop, lambda: None)


def test_a_job_goes_on_when_the_waiting_request_is_cancelled(desk: Desk) -> None:
    """Hosts with certain middleware cancel a request as soon as its caller hangs up."""
    desk.pack(version="2.0.0", files=SLOW)

    async def leave() -> None:
        wish = Job(Request(Kind.INSTALL, "notes"), "ada", settings={"greeting": "moin"})
        waiting = asyncio.create_task(desk.hotbay.api.runner.answer(wish, wait=True))
        await asyncio.sleep(0.2)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    on_loop(desk, leave())
    assert until(lambda: desk.hotbay.vault.read("notes") == {"greeting": "moin"})
