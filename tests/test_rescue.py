"""A living worker closes what a killed actor left open."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine import Engine
from engine_host import elsewhere, operate_and_die, shop
from hotbay import journal, rescue
from hotbay.model import Kind
from plugs import until


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A host whose source has shop."""
    shop(tmp_path / "packages", "1.0.0")
    made = Engine(tmp_path, local_packages=tmp_path / "packages")
    yield made
    made.host.close()


async def test_held_requests_go_on_when_the_actor_was_killed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescue, "_SECONDS", 0.05)
    await engine.run(Kind.INSTALL)
    async with engine.worker() as worker:
        keeper = asyncio.create_task(rescue.keep_rescuing(engine.host.applier))
        assert (await worker.get("/api/v1/shop/version")).json() == "1.0.0"
        values = {"data": "purge"}
        killed = asyncio.to_thread(
            elsewhere, operate_and_die, engine.host.settings.home, "uninstall", values, "hold", "after", expect=-9
        )
        await killed
        assert (await worker.get("/api/v1/shop/version")).json() == "1.0.0"
        await until(lambda: not journal.cut_off(engine.host.store))
        assert journal.list_operations(engine.host.store)[0]["state"] == journal.UNDONE
        serving = worker.serving()
        assert serving is not None
        assert not serving.held
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper


async def test_who_works_is_left_in_peace(engine: Engine) -> None:
    applier = engine.host.applier
    assert not rescue.rescue(applier)
    with applier.lease.hold(0):
        with applier.store.write() as connection:
            journal.open_operation(connection, kind="install", plugin="shop", actor="ann", plan={}, verbs=[])
        assert rescue.rescue(applier)
        assert journal.cut_off(applier.store)[0]["error"] is None
    assert rescue.rescue(applier)
    assert journal.cut_off(applier.store)[0]["error"] is not None, "it was tried"
