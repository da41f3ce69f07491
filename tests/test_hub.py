"""A worker's hub: what is not loaded is loaded for it, what is held is waited for, and what is not there is named."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Worker
from hotbay.errors import BeingChanged, NotFound
from hotbay.model import Kind
from hotbay.serve import Serving
from plugs import until

HOOKS = """
from hotbay_sdk import filters, on, service
heard = []
@on("asked")
def hear(number): heard.append(number)
@filters("count")
def count(value): return value + len(heard)
@service("twice")
async def twice(number): return number * 2
@service("heard")
def so_far(): return list(heard)
"""


@asynccontextmanager
async def restarted(folder: Path, files: Any = None, **options: Any) -> AsyncIterator[Worker]:
    """A worker that has the plugin in its table and not in memory."""
    engine = Engine(folder, **options)
    await engine.install(files={"hooks.py": HOOKS} if files is None else files)
    async with engine.worker() as worker:
        yield worker
    engine.host.close()


def serving(worker: Worker) -> Serving:
    found = worker.serving()
    assert found is not None
    return found


async def test_events_filters_and_services_load_the_plugin_that_has_them(tmp_path: Path) -> None:
    async with restarted(tmp_path) as worker:
        await worker.follower.emit("somebody.elses", {})
        assert serving(worker).generation is None
        await worker.follower.emit("asked", {"number": 7})
        assert serving(worker).generation is not None
        assert await worker.follower.filter("count", 10, {}) == 11
        assert await worker.follower.serve_call("shop.twice", (21,), {}) == 42
        assert serving(worker).flights == set()


@pytest.mark.parametrize("service", ["shop.other", "nobody.twice", "shop"])
async def test_a_service_that_is_not_there_is_named(tmp_path: Path, service: str) -> None:
    async with restarted(tmp_path) as worker:
        with pytest.raises(NotFound, match=service):
            await worker.follower.serve_call(service, (), {})
        assert serving(worker).generation is None, "it was loaded for nothing"


# ── held ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("loaded", [True, False])
async def test_while_a_plugin_is_held_events_filters_and_services_wait(tmp_path: Path, loaded: bool) -> None:
    async with restarted(tmp_path) as worker:
        follower = worker.follower
        if loaded:
            await serving(worker).ready()
        serving(worker).hold()
        calls = [
            asyncio.ensure_future(work)
            for work in (
                follower.emit("asked", {"number": 1}),
                follower.filter("count", 10, {}),
                follower.serve_call("shop.twice", (21,), {}),
            )
        ]
        await asyncio.sleep(0.1)
        assert not any(call.done() for call in calls)
        assert (serving(worker).generation is not None, serving(worker).flights) == (loaded, set())
        await follower.emit("somebody.elses", {})
        serving(worker).release()
        _, counted, twice = await asyncio.gather(*calls)
        assert (counted in (10, 11), twice) == (True, 42)
        assert await follower.serve_call("shop.heard", (), {}) == [1]


async def test_what_waited_too_long_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with restarted(tmp_path, hold_seconds=0.05) as worker:
        follower = worker.follower
        await serving(worker).ready()
        serving(worker).hold()
        with caplog.at_level(logging.ERROR):
            await follower.emit("asked", {"number": 1})
            assert await follower.filter("count", 10, {}) == 10
        assert [(item.name, "failed on" in item.getMessage()) for item in caplog.records] == [
            ("hotbay.plugin.shop", True),
            ("hotbay.plugin.shop", True),
        ]
        assert "longer than calls may wait" in caplog.text
        with pytest.raises(BeingChanged, match="shop is being changed"):
            await follower.filter("count", 10, {}, strict=True)
        with pytest.raises(BeingChanged, match="shop is being changed"):
            await follower.serve_call("shop.twice", (21,), {})
        serving(worker).release()
        assert await follower.serve_call("shop.heard", (), {}) == []


SELF = """
from fastapi import APIRouter
from hotbay_sdk import context, filters, on, service
import asyncio
ctx = context(__name__)
router = APIRouter(prefix="/shop")
heard = []

@on("asked")
async def hear(number): heard.append(await ctx.filter("number", number))
@filters("number")
def change(value): return value + 1
@service("heard")
async def so_far(): return list(heard)

@router.get("/ask")
async def ask(file: str):
    import pathlib
    pathlib.Path(file).write_text("")
    while pathlib.Path(file).exists():
        await asyncio.sleep(0.01)
    await ctx.emit("asked", number=1)
    return await ctx.service("shop.heard")()

@router.get("/later")
async def later(file: str):
    import pathlib
    async def work():
        while not pathlib.Path(file).exists():
            await asyncio.sleep(0.01)
        await ctx.emit("asked", number=5)
    ctx.spawn(work())
"""


async def test_a_request_that_is_waited_for_reaches_its_own_plugin(tmp_path: Path) -> None:
    """The drain of a hold waits for the request; if the request waited for the hold, both would wait in vain."""
    async with restarted(tmp_path, {"routes.py": SELF}) as worker:
        file = tmp_path / "asking"
        asking = asyncio.create_task(worker.get(f"/api/v1/shop/ask?file={file}"))
        await until(file.exists)
        serving(worker).hold()
        draining = asyncio.create_task(serving(worker).drain(20))
        other = asyncio.create_task(worker.follower.serve_call("shop.heard", (), {}))
        await asyncio.sleep(0.05)
        file.unlink()
        assert await draining == 0
        assert (await asking).json() == [2]
        assert not other.done()
        serving(worker).release()
        assert await other == [2]


async def test_a_task_that_a_request_left_behind_waits_like_others(tmp_path: Path) -> None:
    """It has the context of the request, which is over."""
    async with restarted(tmp_path, {"routes.py": SELF}) as worker:
        file = tmp_path / "go"
        await worker.get(f"/api/v1/shop/later?file={file}")
        serving(worker).hold()
        file.write_text("")
        await asyncio.sleep(0.2)
        assert serving(worker).flights == set()
        serving(worker).release()
        await until(lambda: serving(worker).generation is not None)
        for _ in range(200):
            if await worker.follower.serve_call("shop.heard", (), {}) == [6]:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the event was lost")


LISTENS = """
from hotbay_sdk import context, on, service
heard = []
@on("asked")
def hear(number): heard.append(number)
@service("heard")
def so_far(): return [context(__name__).version, *heard]
"""


async def test_who_waited_through_an_upgrade_is_heard_by_the_new_version(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    async with engine.worker() as worker:
        await engine.install(files={"hooks.py": LISTENS})
        old = serving(worker)
        old.hold()
        waiting = asyncio.create_task(worker.follower.emit("asked", {"number": 3}))
        await asyncio.sleep(0.05)
        await engine.install(version="2.0.0", files={"hooks.py": "SHIFT = 1\n" + LISTENS})
        await waiting
        assert await worker.follower.serve_call("shop.heard", (), {}) == ["2.0.0", 3]
    engine.host.close()


async def test_who_waited_for_a_plugin_that_is_gone_goes_on(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    async with engine.worker() as worker:
        await engine.install(files={"hooks.py": LISTENS})
        serving(worker).hold()
        emitting = asyncio.create_task(worker.follower.emit("asked", {"number": 3}))
        calling = asyncio.create_task(worker.follower.serve_call("shop.heard", (), {}))
        await asyncio.sleep(0.05)
        await engine.run(Kind.DEACTIVATE)
        await emitting
        with pytest.raises(NotFound):
            await calling
    engine.host.close()


STUCK = """
from hotbay_sdk import on, service
import asyncio
@on("asked")
async def hear(number): await asyncio.sleep(3600)
@service("stuck")
async def stuck(): await asyncio.sleep(3600)
"""


async def test_the_host_goes_on_when_a_listener_is_ended_at_the_drain_deadline(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The listener runs in the task of whoever emits: only the listener is ended."""
    engine = Engine(tmp_path, drain_seconds=0.1)
    async with engine.worker() as worker:
        await engine.install(files={"hooks.py": STUCK})

        async def request() -> str:
            await worker.follower.emit("asked", {"number": 1})
            await asyncio.sleep(0)
            return "the host's answer"

        asking = asyncio.create_task(request())
        calling = asyncio.create_task(worker.follower.serve_call("shop.stuck", (), {}))
        await until(lambda: len(serving(worker).flights) == 2)
        with caplog.at_level(logging.ERROR):
            await engine.run(Kind.DEACTIVATE)
            assert await asking == "the host's answer"
        assert asking.cancelling() == 0
        assert "shop was changed, and its event had not ended in time" in caplog.text
        with pytest.raises(BeingChanged, match="its service had not ended"):
            await calling
    engine.host.close()


async def test_a_cancelled_host_is_not_kept_alive(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    async with engine.worker() as worker:
        await engine.install(files={"hooks.py": STUCK})
        asking = asyncio.create_task(worker.follower.emit("asked", {"number": 1}))
        await until(lambda: serving(worker).flights)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert serving(worker).flights == set()
    engine.host.close()


TELLS = """
from hotbay_sdk import context, on, service
from pydantic import BaseModel
class Settings(BaseModel):
    word: str = "a"
heard = []
@on("told")
def hear(word): heard.append(word)
@service("heard")
def so_far(): return list(heard)
async def on_settings(context, new):
    await context.emit("told", word=new.word)
"""


async def test_a_plugin_may_emit_when_its_settings_change(tmp_path: Path) -> None:
    """They change inside the pass that makes the table: an emit that waited for the pass would wait for itself."""
    engine = Engine(tmp_path)
    async with engine.worker() as worker:
        await engine.install(files={"plugin.py": TELLS})
        await asyncio.to_thread(engine.host.change_settings, "shop", {"word": "b"})
        async with asyncio.timeout(10):
            await worker.version()
            assert await worker.follower.serve_call("shop.heard", (), {}) == ["b"]
    engine.host.close()


ASKS = """
from fastapi import APIRouter
from hotbay_sdk import context, on, service
ctx = context(__name__)
router = APIRouter(prefix="/shop")
@router.get("/ask")
async def ask(): return await ctx.service("till.sum")()
@service("price")
async def price(): return 3
"""
SUMS = """
from hotbay_sdk import context, service
ctx = context(__name__)
@service("sum")
async def sum(): return 2 * await ctx.service("shop.price")()
"""


async def test_a_request_reaches_its_own_plugin_by_way_of_another(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    async with engine.worker() as worker:
        await engine.install(files={"routes.py": ASKS})
        await engine.install("till", files={"hooks.py": SUMS})
        with serving(worker).flight("http"):
            serving(worker).hold()
            async with asyncio.timeout(5):
                assert await worker.follower.serve_call("till.sum", (), {}) == 6
        serving(worker).release()
    engine.host.close()


async def test_a_filter_that_moves_to_the_front_is_not_missed(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    text = "from hotbay_sdk import filters\n@filters('count', order={})\ndef count(value): return value + {}\n"
    async with engine.worker() as worker:
        await engine.install(files={"hooks.py": text.format(100, 1)})
        serving(worker).hold()
        waiting = asyncio.create_task(worker.follower.filter("count", 10, {}))
        await asyncio.sleep(0.05)
        await engine.install(version="2.0.0", files={"hooks.py": text.format(50, 2)})
        assert await waiting == 12
    engine.host.close()


async def test_a_request_may_ask_the_routes_of_its_own_plugin_in_this_process(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    async with engine.worker() as worker:
        await engine.install()
        with serving(worker).flight("http"):
            serving(worker).hold()
            async with asyncio.timeout(5):
                assert await worker.version() == "1.0.0"
        serving(worker).release()
    engine.host.close()
