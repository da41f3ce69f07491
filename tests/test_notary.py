"""Receipts are written for every operation, however it ended, and say what it came to."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from engine import Engine, Worker
from engine_host import elsewhere, opened, operate_and_die, recover_here, run, shop
from hotbay import journal
from hotbay.errors import ActivationFailed, HotbayError, NotFound
from hotbay.model import DataPolicy, Kind
from hotbay.notary import Notary, passages_of
from hotbay.offline import OfflineHost
from hotbay.presence import Lease
from hotbay.readings import Reading
from hotbay.receipt import FIRST, check_chain, digest, verify
from hotbay.schema import operations
from plugs import client, until

SLOW = """
    import asyncio
    import os
    from fastapi import APIRouter
    from fastapi.responses import StreamingResponse
    router = APIRouter(prefix="/shop")
    @router.get("/version")
    async def version():
        return {"version": "VERSION"}
    @router.get("/slow")
    async def slow(seconds: float):
        await asyncio.sleep(seconds)
        return {"version": "VERSION"}
    @router.get("/wait")
    async def wait(file: str):
        while not os.path.exists(file):
            await asyncio.sleep(0.01)
    @router.get("/boom")
    async def boom():
        raise RuntimeError("x")
"""


def slow(version: str) -> dict[str, str]:
    return {"routes.py": SLOW.replace("VERSION", version)}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path, receipt_seconds=0.3, drain_seconds=1.0)


def receipt(host: OfflineHost, operation: int) -> dict[str, Any]:
    """The verified receipt of an operation."""
    notary = host.applier.notary
    return verify(json.loads(json.dumps(notary.find(operation))), notary.key.public)


async def settled(engine: Engine, operation: int) -> dict[str, Any]:
    """The receipt, once the workers have seen what came of the operation."""
    await until_async(engine)
    return receipt(engine.host, operation)


async def until_async(engine: Engine) -> None:
    deadline = time.monotonic() + 20
    while await asyncio.to_thread(engine.host.applier.notary.write_due):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


# ── without workers ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_command_without_a_server_writes_it_at_once(tmp_path: Path) -> None:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as host:
        outcome = run(host, Kind.INSTALL)
        found = receipt(host, outcome.operation)
    assert (found["number"], found["previous"], found["operation"]) == (1, FIRST, outcome.operation)
    assert (found["kind"], found["plugin"], found["actor"], found["state"]) == ("install", "shop", "ann", "done")
    assert (found["before"], found["after"]["version"], found["switched"]) == (None, "1.0.0", True)
    assert len(found["after"]["sha256"]) == 64
    assert [step["verb"] for step in found["steps"]] == [step["verb"] for step in outcome.steps]
    assert all(step["state"] == "done" and step["microseconds"] >= 0 for step in found["steps"])
    assert 0 < sum(step["microseconds"] for step in found["steps"]) <= found["microseconds"]
    assert (found["requests"], found["workers"], found["error"], found["recovered"]) == (None, [], None, False)


def test_a_failed_operation_has_one_too(tmp_path: Path) -> None:
    shop(tmp_path / "packages", "1.0.0", backend="1 / 0\n")
    with opened(tmp_path / "home") as host:
        with pytest.raises(ActivationFailed) as caught:
            run(host, Kind.INSTALL)
        found = receipt(host, caught.value.detail["operation"])
    assert (found["state"], found["switched"]) == ("failed", False)
    assert found["error"]["code"] == "activation-failed"
    assert {step["verb"]: step["state"] for step in found["steps"]}["start"] == "failed"
    assert {step["verb"]: step["state"] for step in found["steps"]}["switch"] == "pending"


def test_all_receipts_are_one_chain(tmp_path: Path) -> None:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as host:
        run(host, Kind.INSTALL)
        run(host, Kind.DEACTIVATE)
        run(host, Kind.ACTIVATE)
        run(host, Kind.UNINSTALL, data=DataPolicy.PURGE)
        notary = host.applier.notary
        found = [verify(item, notary.key.public) for item in notary.all()]
        latest = [item["receipt"]["number"] for item in notary.latest(limit=2)]
        assert [item["receipt"]["number"] for item in notary.all(after=2)] == [3, 4]
        assert [item["receipt"]["number"] for item in notary.all(after=1, limit=1)] == [2]
        assert notary.latest("nobody") == []
        assert len(notary.latest("shop")) == 4
    assert [item["kind"] for item in found] == ["install", "deactivate", "activate", "uninstall"]
    assert check_chain(found) == []
    assert found[1]["previous"] == digest(found[0])
    assert latest == [4, 3]


@pytest.mark.parametrize(("verb", "state"), [("start", "undone"), ("publish", "done")])
def test_an_operation_that_was_killed_gets_one_when_it_is_recovered(tmp_path: Path, verb: str, state: str) -> None:
    shop(tmp_path / "packages", "1.0.0")
    home = tmp_path / "home"
    elsewhere(operate_and_die, home, "install", {}, verb, "after", expect=-9)
    elsewhere(recover_here, home)
    with opened(home) as host:
        assert host.applier.notary.pending() == [1]
        with pytest.raises(NotFound, match="no receipt yet") as caught:
            host.applier.notary.find(1)
        assert caught.value.detail["pending"]
        assert host.applier.notary.write_due() == 0
        found = receipt(host, 1)
    assert (found["state"], found["recovered"], found["switched"]) == (state, True, state == "done")


def test_an_operation_whose_process_was_killed_before_its_receipt_gets_one_with_the_next(tmp_path: Path) -> None:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as host:
        write_due, host.applier.notary.write_due = host.applier.notary.write_due, lambda: 0  # type: ignore[method-assign]
        first = run(host, Kind.INSTALL).operation
        host.applier.notary.write_due = write_due  # type: ignore[method-assign]
        second = run(host, Kind.DEACTIVATE).operation
        assert (receipt(host, first)["number"], receipt(host, second)["number"]) == (1, 2)


def test_a_receipt_that_can_not_be_written_hides_no_outcome_and_follows_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as host:
        key = host.applier.notary.key.file
        key.parent.mkdir(exist_ok=True)
        key.write_text("broken")
        first = run(host, Kind.INSTALL).operation
        assert "no Ed25519 key" in caplog.text
        assert host.applier.notary.pending() == [first]
        key.unlink()
        run(host, Kind.DEACTIVATE)
        assert receipt(host, first)["kind"] == "install"


def test_rows_that_can_not_be_understood_stop_nobody_elses_receipt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as host:
        with host.store.write() as connection:
            values = {"kind": "install", "plugin": "odd", "actor": "x", "plan": {"clock": {"memory": 5}}}
            odd = journal.open_operation(connection, **values, verbs=[])
            journal.close_operation(connection, odd, journal.DONE)
        good = run(host, Kind.INSTALL).operation
        assert receipt(host, good)["kind"] == "install"
        assert host.applier.notary.write_due() == 0
        assert caplog.text.count(f"operation {odd} can't be understood") == 1, "it is not tried for ever"


def test_what_runs_has_none(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as host:
        with host.store.write() as connection:
            values = {"kind": "install", "plugin": "shop", "actor": "x", "plan": {}}
            number = journal.open_operation(connection, **values, verbs=[])
        assert host.applier.notary.pending() == []
        with pytest.raises(NotFound, match="is running"):
            host.applier.notary.find(number)
        with pytest.raises(NotFound, match="no operation 99"):
            host.applier.notary.find(99)


def test_one_at_a_time_writes(tmp_path: Path) -> None:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as host:
        held = Lease(host.settings.run / "notary").try_acquire()
        assert held is not None
        number = run(host, Kind.INSTALL).operation
        assert host.applier.notary.pending() == [number]
        assert host.applier.notary.write_due() == 1, "it waits for who has the lease"
        os.close(held)
        assert host.applier.notary.write_due() == 0
        assert host.applier.notary.pending() == []


# ── with workers ──────────────────────────────────────────────────────────────────────────────────────────────────


async def ask(worker: Worker, path: str, times: int) -> None:
    async with client(worker) as http:
        for _ in range(times):
            await http.get(path)


async def test_requests_before_during_and_after_are_told_apart(engine: Engine) -> None:
    async with engine.worker() as one, engine.worker() as other:
        await engine.install(files=slow("1.0.0"))
        await ask(one, "/api/v1/shop/version", 3)
        await ask(other, "/api/v1/shop/boom", 2)
        upgrade = await engine.install(version="2.0.0", files=slow("2.0.0"))
        await ask(other, "/api/v1/shop/version", 4)
        found = await settled(engine, upgrade.operation)
    before, during, after = (found["requests"][name] for name in ("before", "during", "after"))
    # Without a FastAPI host the plugin's router gets an application of its own, which answers 500 by itself.
    assert (before["requests"], before["failed"], before["failures"]) == (5, 2, {"status": 2})
    assert (during["requests"], after["requests"]) == (0, 4)
    assert during["failed"] == after["failed"] == 0
    assert abs(during["microseconds"] - found["microseconds"]) <= 1
    assert 0 < before["p50"] <= before["p99"]


async def test_a_request_that_is_answered_during_an_operation_counts_there(engine: Engine) -> None:
    """The start of the new version takes long enough for the old one to answer meanwhile."""
    start = {"plugin.py": "import asyncio\nasync def start(context):\n    await asyncio.sleep(0.5)\n"}
    async with engine.worker() as worker:
        await engine.install(files=slow("1.0.0"))
        await worker.version()
        upgrade = asyncio.create_task(engine.install(version="2.0.0", files=slow("2.0.0") | start))
        await until(lambda: worker.follower.candidates.prepared)
        await ask(worker, "/api/v1/shop/slow?seconds=0.1", 2)
        found = await settled(engine, (await upgrade).operation)
    assert (found["requests"]["before"]["requests"], found["requests"]["during"]["requests"]) == (1, 2)
    assert found["requests"]["during"]["p50"] > 85_000


async def test_workers_tell_generations_memory_and_what_was_drained(engine: Engine, tmp_path: Path) -> None:
    async with engine.worker() as one, engine.worker() as other:
        await engine.install(files=slow("1.0.0"))
        for worker in (one, other):
            await worker.version()
        waiting = asyncio.create_task(ask(one, f"/api/v1/shop/wait?file={tmp_path / 'go'}", 1))
        cut = asyncio.create_task(ask(other, "/api/v1/shop/slow?seconds=3600", 1))
        await until(lambda: all(worker.serving().flights for worker in (one, other)))  # type: ignore[union-attr]
        left = {worker.follower.worker: worker.generation().number for worker in (one, other)}
        upgrade = await engine.install(version="2.0.0", files=slow("2.0.0"))
        (tmp_path / "go").touch()
        await asyncio.gather(waiting, cut)
        found = await settled(engine, upgrade.operation)
        came = {worker.follower.worker: worker.generation().number for worker in (one, other)}
        names = [worker.follower.worker for worker in (one, other)]
    said = {item["worker"]: item for item in found["workers"]}
    assert set(said) == set(names)
    for item in said.values():
        assert item["state"] == "there"
        assert item["memory_before"] > 1_000_000
        assert item["memory_after"] > 1_000_000
        assert item["passage"]["version"] == "2.0.0"
        assert item["passage"]["done"]
        assert (item["passage"]["left_generation"], item["passage"]["generation"]) == (
            left[item["worker"]],
            came[item["worker"]],
        )
    assert [said[name]["passage"]["waited"] for name in names] == [{"http": 1}, {"http": 1}]
    assert [said[name]["passage"]["closed"] for name in names] == [{}, {"http": 1}]
    assert said[names[1]]["passage"]["microseconds"] > 950_000


@pytest.mark.parametrize("kind", [Kind.DEACTIVATE, Kind.UNINSTALL])
async def test_leaving_for_good_is_told_as_well(engine: Engine, kind: Kind, tmp_path: Path) -> None:
    async with engine.worker() as worker:
        await engine.install(files=slow("1.0.0"))
        serving = worker.serving()
        assert serving is not None
        waiting = asyncio.create_task(ask(worker, f"/api/v1/shop/wait?file={tmp_path / 'go'}", 1))
        await until(lambda: serving.flights)
        running = asyncio.create_task(engine.run(kind))
        await until(lambda: serving.waited)
        (tmp_path / "go").touch()
        outcome = await running
        await waiting
        (said,) = (await settled(engine, outcome.operation))["workers"]
    assert said["passage"]["waited"] == {"http": 1}
    assert (said["passage"]["generation"], said["passage"]["version"]) == (0, "")


async def test_it_waits_until_the_old_generation_was_left(tmp_path: Path) -> None:
    engine = Engine(tmp_path, receipt_seconds=0.0, drain_seconds=20.0)
    async with engine.worker() as worker:
        await engine.install(files=slow("1.0.0"))
        await until_async(engine)
        waiting = asyncio.create_task(ask(worker, f"/api/v1/shop/wait?file={tmp_path / 'go'}", 1))
        await until(lambda: worker.serving() and worker.serving().flights)  # type: ignore[union-attr]
        upgrade = await engine.install(version="2.0.0", files=slow("2.0.0"))
        assert await asyncio.to_thread(engine.host.applier.notary.write_due) == 1
        (tmp_path / "go").touch()
        await waiting
        (said,) = (await settled(engine, upgrade.operation))["workers"]
        assert said["passage"]["done"]


async def test_it_waits_for_what_comes_after(tmp_path: Path) -> None:
    engine = Engine(tmp_path, receipt_seconds=2.0)
    async with engine.worker() as worker:
        install = await engine.install(files=slow("1.0.0"))
        assert await asyncio.to_thread(engine.host.applier.notary.write_due) == 1
        await worker.version()
        found = await settled(engine, install.operation)
    assert found["requests"]["after"]["requests"] == 1
    assert 1_500_000 < found["requests"]["after"]["microseconds"] <= 2_000_001


async def test_the_time_of_the_next_operation_is_not_counted_as_after_this_one(tmp_path: Path) -> None:
    engine = Engine(tmp_path, receipt_seconds=5.0)
    async with engine.worker() as worker:
        install = await engine.install(files=slow("1.0.0"))
        upgrade = await engine.install(version="2.0.0", files=slow("2.0.0"))
        await ask(worker, "/api/v1/shop/boom", 3)
        first, second = await settled(engine, install.operation), receipt(engine.host, upgrade.operation)
    assert first["requests"]["after"]["failed"] == 0
    assert first["requests"]["after"]["microseconds"] < 4_500_000
    assert second["requests"]["after"]["failed"] == 3
    assert second["requests"]["before"]["microseconds"] < 4_500_000


async def test_workers_that_came_and_went_are_named(engine: Engine) -> None:
    async with engine.worker() as old:
        outcome = await engine.install(files=slow("1.0.0"))
        gone = old.follower.worker
    async with engine.worker() as new:
        joined = new.follower.worker
        found = await settled(engine, outcome.operation)
    assert {item["worker"]: item["state"] for item in found["workers"]} == {gone: "gone", joined: "joined"}


async def test_a_failed_upgrade_tells_what_the_old_version_did_meanwhile(engine: Engine) -> None:
    broken = slow("2.0.0") | {"plugin.py": "import time\nasync def start(context):\n    raise RuntimeError('no')\n"}
    async with engine.worker() as worker:
        await engine.install(files=slow("1.0.0"))
        await worker.version()
        with pytest.raises(HotbayError) as caught:
            await engine.install(version="2.0.0", files=broken)
        found = await settled(engine, caught.value.detail["operation"])
        assert await worker.version() == "1.0.0"
    assert (found["state"], found["requests"]["before"]["requests"]) == ("failed", 1)
    assert [item["passage"] for item in found["workers"]] == [None]


async def test_after_the_clock_was_changed_no_times_are_made_up(engine: Engine) -> None:
    async with engine.worker():
        outcome = await engine.install(files=slow("1.0.0"))
        row = journal.get_operation(engine.host.store, outcome.operation)
        plan = row["plan"] | {"clock": row["plan"]["clock"] | {"wall": row["plan"]["clock"]["wall"] - 7200}}
        with engine.host.store.write() as connection:
            connection.execute(update(operations).where(operations.c.id == outcome.operation).values(plan=plan))
        found = await settled(engine, outcome.operation)
    assert found["requests"] is None


def test_a_second_notary_knows_the_same_key(tmp_path: Path) -> None:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as host:
        number = run(host, Kind.INSTALL).operation
        other = Notary(host.settings, host.store, host.applier.workers)
        verify(other.find(number), other.key.public)


async def test_what_is_still_in_memory_is_told_with_its_holder(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    # In a list: an attribute of the host's module would be taken back, once some host has started in this process.
    monkeypatch.setattr(logging, "hotbay_test_keeps", [], raising=False)
    keeping = {"plugin.py": "import logging\nclass Kept: pass\nlogging.hotbay_test_keeps.append(Kept)\n"}
    async with engine.worker():
        await engine.install(files=slow("1.0.0") | keeping)
        upgrade = await engine.install(version="2.0.0", files=slow("2.0.0"))
        (said,) = (await settled(engine, upgrade.operation))["workers"]
    proof = said["passage"]["unload"]
    assert not proof["clean"]
    assert any("Kept" in name for name in proof["alive"])
    assert set(proof) == {"clean", "alive", "holders", "undone", "left"}


def test_an_operation_that_ends_after_later_ones_is_not_forgotten(tmp_path: Path) -> None:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as host:
        notary = host.applier.notary
        values = {"kind": "install", "plugin": "mail", "actor": "x"}
        plan = {"before": None, "after": None, "state": "active", "row": None}
        with host.store.write() as connection:
            late = journal.open_operation(connection, **values, plan=plan, verbs=[])
            later = journal.open_operation(connection, **values, plan=plan, verbs=[])
            journal.close_operation(connection, later, journal.DONE)
        assert notary.pending() == [later]
        assert notary.write_due() == 0
        assert notary.pending() == []
        with host.store.write() as connection:
            journal.close_operation(connection, late, journal.FAILED)
        assert notary.pending() == [late]
        assert notary.write_due() == 0
        assert [item["receipt"]["operation"] for item in notary.all()] == [later, late]


def test_what_another_one_wrote_meanwhile_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop(tmp_path / "packages", "1.0.0")
    with opened(tmp_path / "home") as host:
        monkeypatch.setattr(host.applier.notary, "write_due", lambda: 0)
        run(host, Kind.INSTALL)
        one, other = (Notary(host.settings, host.store, host.applier.workers) for _ in range(2))
        take = one._lease.try_acquire

        def slowly() -> int | None:
            assert other.write_due() == 0
            return take()

        monkeypatch.setattr(one._lease, "try_acquire", slowly)
        assert one.write_due() == 0
        assert len(one.all()) == 1


def test_an_operations_neighbours_are_the_nearest_ones_of_its_plugin(tmp_path: Path) -> None:
    with opened(tmp_path / "home") as host:
        began, rows = time.monotonic() - 100, []
        for place, plugin in enumerate(("shop", "shop", "mail", "shop", "mail", "shop", "shop")):
            clock = {"monotonic": began + 10 * place, "wall": time.time() - time.monotonic() + began + 10 * place}
            with host.store.write() as connection:
                number = journal.open_operation(
                    connection, kind="install", plugin=plugin, actor="x", plan={"clock": clock}, verbs=[]
                )
                journal.close_operation(connection, number, journal.DONE, result={"seconds": 2.0})
            rows.append(journal.get_operation(host.store, number))
        found = [host.applier.notary._neighbours(rows[place]) for place in (0, 3, 6)]
    assert found[0] == (0.0, pytest.approx(began + 10, abs=0.1))
    assert found[1] == (pytest.approx(began + 12, abs=0.1), pytest.approx(began + 50, abs=0.1))
    assert found[2] == (pytest.approx(began + 52, abs=0.1), float("inf"))


def test_the_passage_of_an_operation_is_the_first_of_its_kind_after_its_beginning() -> None:
    passages = tuple(
        {"plugin": plugin, "revision": revision, "at": at}
        for plugin, revision, at in (("shop", 0, 50.0), ("mail", 0, 101.0), ("shop", 3, 101.0), ("shop", 0, 102.0))
    )
    reading = Reading("w-1", True, passages=(*passages, {"plugin": "shop", "revision": 0, "at": 200.0}))
    row = {"plugin": "shop", "switched": True, "plan": {"state": "inactive", "clock": {"wall": 100.0}}}
    assert [item["at"] for item in passages_of(row, reading)] == [102.0]
    assert passages_of(row | {"switched": False}, reading) == []
    active = {"state": "active", "row": {"revision": 3}, "clock": {"wall": 100.0}}
    assert [item["at"] for item in passages_of(row | {"plan": active}, reading)] == [101.0]
