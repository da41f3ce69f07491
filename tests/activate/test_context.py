"""What a generation is given: tasks, undos, settings, closing, data, database, and how it is all taken back."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, literal, select, text

from hotbay.activate.context import ConfinedDatabase
from hotbay.errors import NotFound, StateError
from hotbay_sdk import Context
from plugs import LonelyHub, context, until


async def test_it_is_what_the_sdk_promises(tmp_path: Path) -> None:
    made = context(tmp_path, version="2.0.0", number=7)
    assert isinstance(made, Context)
    assert (made.id, made.version, made.generation, made.log.name) == ("shop", "2.0.0", 7, "hotbay.plugin.shop")


async def test_spawned_tasks_are_named_and_cancelled_at_the_end(tmp_path: Path) -> None:
    made = context(tmp_path)
    task = made.spawn(asyncio.sleep(3600), "sleeper")
    assert task.get_name() == "shop:sleeper"
    await made.release()
    assert task.cancelled()


async def test_spawn_from_a_thread_runs_on_the_loop(tmp_path: Path) -> None:
    made, seen = context(tmp_path), list[object]()

    async def work() -> None:
        seen.append(asyncio.get_running_loop())
        await asyncio.sleep(3600)

    await asyncio.to_thread(lambda: made.spawn(work(), "threaded"))
    await until(lambda: seen)
    assert seen == [asyncio.get_running_loop()]
    await made.release()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "shop:threaded"]


async def test_a_task_that_fails_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise RuntimeError("went wrong")

    task = context(tmp_path).spawn(broken(), "worker")
    with caplog.at_level(logging.ERROR):
        await asyncio.wait([task])
        await asyncio.sleep(0)
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        ("hotbay.plugin.shop", "task shop:worker failed")
    ]


async def test_undos_run_backwards_sync_and_async_and_a_failing_one_stops_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made, undone = context(tmp_path), list[int]()

    async def second() -> None:
        undone.append(2)

    def broken() -> None:
        raise RuntimeError("no")

    made.on_close(lambda: undone.append(1))
    made.on_close(second)
    made.on_close(broken)
    made.on_close(lambda: undone.append(3))
    with caplog.at_level(logging.ERROR):
        await made.release()
        await made.release()
    assert undone == [3, 2, 1]
    assert "failed" in caplog.text


async def test_an_undo_that_registers_another_runs_that_too(tmp_path: Path) -> None:
    made, undone = context(tmp_path), list[str]()
    made.on_close(lambda: made.on_close(lambda: undone.append("inner")))
    await made.release()
    assert undone == ["inner"]


async def test_the_end_waits_until_tasks_have_cleaned_up_before_it_undoes(tmp_path: Path) -> None:
    made, order = context(tmp_path), list[str]()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            order.append("task")

    made.spawn(work())
    made.on_close(lambda: order.append("undo"))
    await asyncio.sleep(0)
    await made.release()
    assert order == ["task", "undo"]


async def test_closing_tells_those_that_wait(tmp_path: Path) -> None:
    made = context(tmp_path)
    waiting = asyncio.create_task(made.closed())
    await asyncio.sleep(0)
    assert not made.closing
    assert not waiting.done()
    made.close()
    made.close()
    await waiting
    assert made.closing


async def test_release_without_close_closes(tmp_path: Path) -> None:
    made = context(tmp_path)
    await made.release()
    await made.closed()
    assert made.closing


async def test_settings_are_replaced_whole(tmp_path: Path) -> None:
    made = context(tmp_path, settings={"a": 1})
    before = made.settings
    made.replace_settings({"b": 2})
    assert (before, made.settings) == ({"a": 1}, {"b": 2})


async def test_the_data_folder_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    made = context(tmp_path)
    assert not (tmp_path / "data").exists()
    assert made.data == tmp_path / "data"
    assert made.data.is_dir()


async def test_events_filters_and_services_go_to_the_worker(tmp_path: Path) -> None:
    hub = LonelyHub()
    made = context(tmp_path, hub=hub)
    await made.emit("order.created", number=5)
    assert hub.emitted == [("order.created", {"number": 5})]
    assert await made.filter("total", 10, tax=2) == ["total", 10, {"tax": 2}]
    with pytest.raises(NotFound, match=r"mail\.send"):
        await made.service("mail.send")("to", body="x")


async def test_without_a_database_the_error_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="database_url"):
        _ = context(tmp_path).database.engine


def on_file(path: Path, made: list[Engine]) -> ConfinedDatabase:
    def make() -> Engine:
        made.append(create_engine(f"sqlite:///{path}"))
        return made[-1]

    return ConfinedDatabase(make)


def test_a_session_commits_at_its_end_and_rolls_back_on_an_exception(tmp_path: Path) -> None:
    engines: list[Engine] = []
    database = on_file(tmp_path / "x.db", engines)
    assert engines == [], "the engine is made at its first use"
    with database.session() as session:
        session.execute(text("CREATE TABLE t (n INTEGER)"))
        session.execute(text("INSERT INTO t VALUES (1)"))
    with pytest.raises(RuntimeError), database.session() as session:
        session.execute(text("INSERT INTO t VALUES (2)"))
        raise RuntimeError("no")
    with database.session() as session:
        assert session.execute(text("SELECT n FROM t")).scalars().all() == [1]
    assert len(engines) == 1
    database.dispose()
    database.dispose()
    assert database.engine is not engines[0]
    database.dispose()


async def test_release_closes_the_database(tmp_path: Path) -> None:
    made = context(tmp_path, engine=lambda: create_engine(f"sqlite:///{tmp_path / 'x.db'}"))
    engine = made.database.engine
    pool = engine.pool
    with made.database.session() as session:
        session.execute(select(literal(1)))
    compiled = engine._compiled_cache
    assert compiled is not None
    assert len(compiled) == 1
    await made.release()
    assert engine.pool is not pool, "dispose() replaces the pool"
    assert len(compiled) == 0, "its keys hold the plugin's tables"


def test_first_requests_in_several_threads_get_one_engine(tmp_path: Path) -> None:
    made: list[Engine] = []
    inside, go = threading.Event(), threading.Event()

    def make() -> Engine:
        inside.set()
        assert go.wait(10)
        made.append(create_engine(f"sqlite:///{tmp_path / 'x.db'}"))
        return made[-1]

    database = ConfinedDatabase(make)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(lambda: database.engine) for _ in range(2)]
        assert inside.wait(10)
        wait(asked, timeout=0.05)
        go.set()
        assert {id(one.result(10)) for one in asked} == {id(made[0])}
    assert len(made) == 1
    database.dispose()
