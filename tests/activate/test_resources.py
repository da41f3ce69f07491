"""What a plugin set going or opened: its tasks and timers end, what only it knows is closed, the host's is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from activate.broods import Brood, Hatch
from hotbay.activate import resources
from hotbay.activate.resources import Files, close, end

WORK = """
    import asyncio

    async def watch():
        await asyncio.sleep(60)

    async def stubborn():
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if released:
                    raise

    async def fails():
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("in the end")

    def remind(): ...

    released = []

    class Service:
        def __init__(self):
            self.client = None
"""


class Client:
    """What a library would make: says whether it is closed."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class AsyncClient:
    def __init__(self) -> None:
        self.is_closed = False

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.is_closed = True

    def close(self) -> None:
        raise AssertionError("aclose comes first")


class Silent:
    """Has `close`, and does not say whether it is open: the host's idea of it is not known."""

    was_closed = False

    def close(self) -> None:
        self.was_closed = True


class Fails(Client):
    def close(self) -> None:
        raise OSError("half open")


class Hangs(AsyncClient):
    async def aclose(self) -> None:
        await asyncio.sleep(60)


@pytest.fixture
def shop(brood: Hatch) -> Brood:
    return brood(work=WORK)


# ── tasks and timers ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_its_tasks_end_and_the_hosts_go_on(shop: Brood, caplog: pytest.LogCaptureFixture) -> None:
    async def hosts() -> None:
        await asyncio.sleep(60)

    mine = asyncio.create_task(shop.work.watch(), name="watch")
    raising = asyncio.create_task(shop.work.fails(), name="fails")
    others = asyncio.create_task(hosts(), name="host")
    await asyncio.sleep(0)
    assert sorted(await end(shop.owner)) == ["the task 'fails'", "the task 'watch'"]
    assert mine.cancelled()
    assert raising.done()
    del raising
    gc.collect()
    assert caplog.records == [], "an exception that nobody reads is nobody's news"
    assert not others.done()
    assert others.cancelling() == 0
    others.cancel()


async def test_a_task_that_will_not_end_is_not_said_to_have_ended(shop: Brood, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_TASK_SECONDS", 0.02)
    task = asyncio.create_task(shop.work.stubborn())
    await asyncio.sleep(0)
    assert await end(shop.owner) == []
    assert not task.done()
    shop.work.released.append(True)
    task.cancel()
    await asyncio.wait([task])


async def test_who_ends_the_others_goes_on_itself(shop: Brood) -> None:
    """The plugin may ask for its own deactivation in a job of its own."""
    shop.work.end, shop.work.owner = end, shop.owner
    exec("async def leave():\n    return await end(owner)", vars(shop.work))
    assert await asyncio.create_task(shop.work.leave()) == []


async def test_calls_for_later_are_taken_back(shop: Brood) -> None:
    loop, called = asyncio.get_running_loop(), []
    loop.call_later(0, shop.work.remind)
    handle = loop.call_later(60, shop.work.remind)
    gone = loop.call_later(60, shop.work.remind)
    gone.cancel()
    loop.call_later(0.01, called.append, 1)
    assert await end(shop.owner) == ["the timer remind"] * 2
    assert handle.cancelled()
    await asyncio.sleep(0.03)
    assert called == [1]


async def test_timers_are_cancelled(shop: Brood) -> None:
    mine, hosts = threading.Timer(60, shop.work.remind), threading.Timer(60, print)
    for timer in (mine, hosts):
        timer.start()
    assert await end(shop.owner) == [f"the timer {mine.name!r}"]
    mine.join(5)
    assert not mine.is_alive()
    assert hosts.is_alive()
    hosts.cancel()
    hosts.join()


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_files_that_the_plugin_opened_are_closed_once(tmp_path: Path) -> None:
    files = Files()
    own_open = files.wrap(open)
    left, closed = own_open(tmp_path / "left", "w"), own_open(tmp_path / "closed", mode="w")
    left.write("kept")
    closed.close()
    assert files.close() == [f"the file {str(tmp_path / 'left')!r} left open"]
    assert left.closed
    assert (tmp_path / "left").read_text() == "kept"
    assert files.close() == []
    with pytest.raises(FileNotFoundError):
        own_open(tmp_path / "missing")


def test_a_file_that_can_not_be_closed_stops_nobody(tmp_path: Path) -> None:
    class Full(io.StringIO):
        def close(self) -> None:
            if not sys.is_finalizing() and armed:
                raise OSError("no space left")
            super().close()

    armed, files = [1], Files()
    own_open = files.wrap(lambda: Full())
    kept = [own_open(), own_open()]
    assert files.close() == ["the file '' left open"] * 2
    armed.clear()
    del kept


def test_files_are_not_kept_alive(tmp_path: Path) -> None:
    files = Files()
    own_open = files.wrap(open)
    own_open(tmp_path / "x", "w").close()
    assert list(files._open) == []


# ── what is left open ─────────────────────────────────────────────────────────────────────────────────────────────


def put_module(shop: Brood, thing: Any) -> None:
    shop.work.client = thing


def put_list(shop: Brood, thing: Any) -> None:
    shop.work.pool = [None, thing]


def put_dict(shop: Brood, thing: Any) -> None:
    shop.work.pool = {"main": thing}


def put_object(shop: Brood, thing: Any) -> None:
    shop.work.service = shop.work.Service()
    shop.work.service.client = thing


@pytest.mark.parametrize("put", [put_module, put_list, put_dict, put_object])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_what_only_its_modules_know_is_closed(shop: Brood, put: Any, kind: Any) -> None:
    put(shop, kind())
    name = {put_module: "client", put_object: "service"}.get(put, "pool")
    assert await close(shop.owner, shop.modules) == [f"{__name__}.{kind.__name__} left open in shop.work.{name}"]
    assert await close(shop.owner, shop.modules) == [], "it says that it is closed"


@pytest.mark.parametrize("put", [put_module, put_list, put_dict, put_object])
async def test_what_somebody_else_knows_is_left(shop: Brood, put: Any) -> None:
    client = Client()
    put(shop, client)
    assert await close(shop.owner, shop.modules) == []
    assert not client.closed


@pytest.mark.parametrize("pool", [[], {}])
async def test_what_is_in_a_list_of_the_hosts_is_left(shop: Brood, pool: Any) -> None:
    if isinstance(pool, list):
        pool.append(Client())
    else:
        pool["x"] = Client()
    shop.work.pool = pool
    assert await close(shop.owner, shop.modules) == []


async def test_what_does_not_say_that_it_is_open_is_left(shop: Brood) -> None:
    shop.work.things = [Silent(), Client, SimpleNamespace(closed=False), sys, 3, None]
    assert await close(shop.owner, shop.modules) == []
    assert not shop.work.things[0].was_closed


async def test_what_hotbay_gave_it_is_left(shop: Brood, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "__module__", "hotbay.activate.context")
    put_module(shop, Client())
    assert await close(shop.owner, shop.modules) == []
    assert not shop.work.client.closed


async def test_one_that_fails_or_hangs_is_passed_over(shop: Brood, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_CLOSE_SECONDS", 0.02)
    shop.work.pool = [Fails(), Hangs(), Client()]
    assert await close(shop.owner, shop.modules) == [f"{__name__}.Client left open in shop.work.pool"]
    with contextlib.suppress(AttributeError):
        assert shop.work.pool[0].closed is False


async def test_the_search_has_an_end(shop: Brood, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_AT_MOST", 20)
    shop.work.pool = [None] * 20 + [Client()]
    assert await close(shop.owner, shop.modules) == []
    monkeypatch.setattr(resources, "_AT_MOST", 21)
    assert await close(shop.owner, shop.modules) != []
