"""A worker's hub: what is not loaded is loaded for it, and what is not there is named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine import Engine, Worker
from hotbay.errors import NotFound

HOOKS = """
from hotbay_sdk import filters, on, service
heard = []
@on("asked")
def hear(number): heard.append(number)
@filters("count")
def count(value): return value + len(heard)
@service("twice")
async def twice(number): return number * 2
"""


@asynccontextmanager
async def restarted(folder: Path) -> AsyncIterator[Worker]:
    """A worker that has the plugin in its table and not in memory."""
    engine = Engine(folder)
    await engine.install(files={"hooks.py": HOOKS})
    async with engine.worker() as worker:
        yield worker
    engine.host.close()


async def test_events_filters_and_services_load_the_plugin_that_has_them(tmp_path: Path) -> None:
    async with restarted(tmp_path) as worker:
        serving = worker.serving()
        assert serving is not None
        await worker.follower.emit("somebody.elses", {})
        assert serving.generation is None
        await worker.follower.emit("asked", {"number": 7})
        assert serving.generation is not None
        assert await worker.follower.filter("count", 10, {}) == 11
        assert await worker.follower.serve_call("shop.twice", (21,), {}) == 42
        assert serving.flights == set()


@pytest.mark.parametrize("service", ["shop.other", "nobody.twice", "shop"])
async def test_a_service_that_is_not_there_is_named(tmp_path: Path, service: str) -> None:
    async with restarted(tmp_path) as worker:
        with pytest.raises(NotFound, match=service):
            await worker.follower.serve_call(service, (), {})
