"""Plugins that stay in memory: from the worker's proof to the receipt, the mark, the doctor and the next plan."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from hotbay import leaks
from hotbay.doctor import examine
from hotbay.model import Kind
from hotbay.request import Request
from plugs import hello, until

HOLDER = {"object": "shop.routes.Shop", "holder": "host.LIST[0]", "file": "shop/backend/routes.py", "line": 4}
DIRTY: dict[str, Any] = {"clean": False, "holders": [HOLDER, HOLDER]}
CLEAN: dict[str, Any] = {"clean": True, "holders": []}
KEEPER = """

import logging

class Kept: ...

logging.kept = getattr(logging, "kept", [])
logging.kept.append(Kept)
"""


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    made = Engine(tmp_path, receipt_seconds=0.0, leak_limit=2)
    yield made
    made.host.close()
    if hasattr(logging, "kept"):
        del logging.kept


def note(engine: Engine, *proofs: dict[str, Any], plugin: str = "shop", operation: int = 1) -> None:
    with engine.host.store.write() as connection:
        leaks.note(connection, plugin, "1.0.0", operation, proofs)


def test_it_counts_in_a_row_and_one_clean_unloading_ends_the_count(engine: Engine) -> None:
    note(engine, CLEAN, DIRTY, operation=1)
    note(engine, DIRTY, plugin="other", operation=2)
    note(engine, DIRTY, operation=3)
    text = "shop.routes.Shop by host.LIST[0] (shop/backend/routes.py:4)"
    found = leaks.all_leaks(engine.host.store)
    assert found["shop"] == {"times": 2, "version": "1.0.0", "operation": 3, "holders": [text]}
    assert found["other"]["times"] == 1
    note(engine, operation=4)
    assert leaks.all_leaks(engine.host.store)["shop"]["times"] == 2, "nothing was loaded: nothing is known"
    note(engine, CLEAN, operation=5)
    assert set(leaks.all_leaks(engine.host.store)) == {"other"}


def test_only_the_limit_marks(engine: Engine) -> None:
    note(engine, DIRTY)
    found = leaks.all_leaks(engine.host.store)
    assert leaks.marked(found, "shop", 2) == ""
    assert leaks.marked(found, "nobody", 1) == ""
    assert leaks.marked(found, "shop", 1).startswith("shop 1.0.0 stayed in memory after unloading, 1 times in a row: ")


async def unload_proof(engine: Engine, operation: int) -> Any:
    """The proofs of an operation, once its receipt is there."""
    notary = engine.host.applier.notary
    for _ in range(200):
        await asyncio.to_thread(notary.write_due)
        if (found := notary.unload(operation)) is not None:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("there is no receipt")


async def test_from_the_worker_to_the_next_plan(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    async with engine.worker() as worker:
        await engine.install(version="1.0.0", files={"routes.py": hello() + KEEPER})
        for version in ("1.1.0", "1.2.0"):
            files = {"routes.py": hello(version=version) + KEEPER}
            plan = await asyncio.to_thread(
                engine.host.applier.plan,
                Request(Kind.UPGRADE, "shop", file=engine.archive(version=version, files=files)),
            )
            assert not [text for text in plan.warnings if "memory" in text]
            with caplog.at_level(logging.WARNING, "hotbay.follow"):
                outcome = await engine.install(version=version, files=files)
                (proof,) = (await unload_proof(engine, outcome.operation)).values()
            assert proof["clean"] is False
            assert proof["holders"][0]["object"] == "shop.routes.Kept"
            assert proof["holders"][0]["holder"].startswith("logging.kept[")
            assert proof["holders"][0]["file"] == "shop/backend/routes.py"
            assert "shop.routes.Kept is held by logging.kept[" in caplog.text
        (status,) = engine.host.applier.workers.statuses()
        assert status.of("shop")["unload"]["alive"] == list(worker.follower.proofs["shop"].alive)
        assert leaks.all_leaks(engine.host.store)["shop"]["times"] == 2
        upgrade = Request(Kind.UPGRADE, "shop", file=engine.archive(version="1.3.0", files=files))
        for request in (upgrade, Request(Kind.DEACTIVATE, "shop")):
            plan = await asyncio.to_thread(engine.host.applier.plan, request)
            (warning,) = [text for text in plan.warnings if "memory" in text]
            assert warning.startswith("shop 1.1.0 stayed in memory after unloading, 2 times in a row")
        outcome = await engine.run(Kind.DEACTIVATE)
        record = outcome.steps[-1]["record"]
        assert next(iter(record["unload"].values()))["holders"][0]["object"] == "shop.routes.Kept"
        found = await asyncio.to_thread(examine, engine.host.settings)
        assert [item.plugin for item in found if item.check == "unloading"] == ["shop"]
        assert await until(lambda: not worker.servings) is True


async def test_a_clean_upgrade_says_so_and_nobody_waits_for_it(engine: Engine) -> None:
    async with engine.worker():
        await engine.install(version="1.0.0")
        outcome = await engine.install(version="1.1.0")
        assert [step["verb"] for step in outcome.steps][-1] != "drain"
        (proof,) = (await unload_proof(engine, outcome.operation)).values()
    assert proof == {"clean": True, "alive": [], "holders": [], "undone": [], "left": []}
