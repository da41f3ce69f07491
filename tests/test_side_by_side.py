"""Old code on the new schema, workers of both versions at once, held requests: real generations, their real rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine import Engine, Worker
from hotbay.contract import all_owed
from hotbay.model import Kind
from hotbay.package import pack
from hotbay.rescue import rescue
from plugs import client, until, write_tree

# `{column}` is what this version calls a thing's name; `slow` begins its work when the test has made a file.
ROUTES = """
import asyncio
from fastapi import APIRouter
from hotbay_sdk import context
router = APIRouter(prefix="/shop")
ctx = context(__name__)

def put(name):
    with ctx.database.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO shop_items ({column}) VALUES (?)", (name,))

@router.get("/items")
def items():
    with ctx.database.engine.begin() as connection:
        rows = connection.exec_driver_sql("SELECT {column} FROM shop_items ORDER BY id")
        return {{"version": "{version}", "items": [name for (name,) in rows]}}

@router.post("/items")
def add(name: str):
    put(name)
    return {{"version": "{version}"}}

@router.post("/slow")
async def slow(name: str):
    (ctx.data / "slow").touch()
    while not (ctx.data / "go").exists():
        await asyncio.sleep(0.01)
    await asyncio.to_thread(put, name)
    return {{"version": "{version}"}}
"""
WAITS = """
import asyncio
async def start(context):
    (context.data / "starting").touch()
    while not (context.data / "start").exists():
        await asyncio.sleep(0.01)
"""
FIRST = "CREATE TABLE shop_items (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO shop_items VALUES (1, 'first');\n"
EXPAND = """ALTER TABLE shop_items ADD COLUMN title TEXT;
CREATE TRIGGER shop_title AFTER INSERT ON shop_items WHEN NEW.title IS NULL BEGIN
    UPDATE shop_items SET title = NEW.name WHERE id = NEW.id;
END;
"""
CONTRACT = "DROP TRIGGER shop_title;\nUPDATE shop_items SET title = name WHERE title IS NULL;\n"
DROP = "ALTER TABLE shop_items DROP COLUMN name;\n"
TWO = {"0001_a.up": FIRST, "0002_b.up": EXPAND, "0002_b.contract": CONTRACT + DROP}
HELD = {"0001_a.up": FIRST, "0002_b.up": EXPAND + "UPDATE shop_items SET title = name;\n"}
RENAMES = {"0001_a.up": FIRST, "0002_b.up": "ALTER TABLE shop_items RENAME COLUMN name TO title;\n"}


class Shop(Engine):
    """A host whose shop is 1.0.0 and serves; 2.0.0 calls a column by another name."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        self.data = self.host.settings.data / "shop"

    def release(self, version: str, column: str, scripts: dict[str, str], **manifest: Any) -> Path:
        """A package of the shop."""
        files = {"routes.py": ROUTES.format(column=column, version=version)}
        files |= {"plugin.py": WAITS} if version != "1.0.0" else {}
        tree = self.folder_of("shop", version, files, **manifest)
        write_tree(tree, {f"migrations/{name}.sql": text for name, text in scripts.items()})
        return pack(tree, self.folder / "packed")

    async def upgrade(self, scripts: dict[str, str], **manifest: Any) -> asyncio.Task[Any]:
        """An upgrade that has come to the start of the new version, and waits there."""
        file = self.release("2.0.0", "title", scripts, **manifest)
        task = asyncio.create_task(self.run(Kind.UPGRADE, "shop", file=file))
        await until(lambda: task.done() or (self.data / "starting").exists(), "the new version starts")
        assert not task.done(), task.result()
        return task

    def let(self, name: str) -> None:
        """Make the file that something waits for."""
        (self.data / name).touch()

    def columns(self) -> list[str]:
        with self.host.store.read() as connection:
            return [row[1] for row in connection.exec_driver_sql("PRAGMA table_info(shop_items)")]


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    made = Shop(tmp_path, ack_seconds=1.0)
    await made.run(Kind.INSTALL, "shop", file=made.release("1.0.0", "name", {"0001_a.up": FIRST}))
    yield made
    made.host.close()


async def ask(worker: Worker, method: str, path: str, **query: str) -> Any:
    async with client(worker) as http:
        answer: httpx.Response = await http.request(method, f"/api/v1/shop/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@asynccontextmanager
async def two(shop: Shop) -> AsyncIterator[tuple[Worker, Worker]]:
    async with shop.worker() as one, shop.worker() as other:
        for worker in (one, other):
            assert (await ask(worker, "GET", "items"))["version"] == "1.0.0"
        yield one, other


async def test_the_old_version_reads_and_writes_on_the_new_schema(shop: Shop) -> None:
    async with two(shop) as workers:
        upgrade = await shop.upgrade(TWO)
        assert shop.columns() == ["id", "name", "title"]
        for name, worker in zip(("second", "third"), workers, strict=True):
            assert (await ask(worker, "POST", "items", name=name))["version"] == "1.0.0"
        found = await ask(workers[0], "GET", "items")
        assert found == {"version": "1.0.0", "items": ["first", "second", "third"]}
        shop.let("start")
        assert (await upgrade).notes.get("owed") is None
        assert shop.columns() == ["id", "title"]
        for worker in workers:
            assert await ask(worker, "GET", "items") == {"version": "2.0.0", "items": ["first", "second", "third"]}


async def test_a_version_that_does_not_start_leaves_what_the_old_one_wrote(shop: Shop) -> None:
    shop.host.settings.data.mkdir(exist_ok=True)
    async with shop.worker() as worker:
        upgrade = await shop.upgrade(TWO)
        await ask(worker, "POST", "items", name="second")
        (ready,) = worker.follower.candidates.prepared.values()
        assert ready.task is not None
        ready.task.cancel()
        ready.error = {"detail": "it is ill"}
        worker.follower.bulletin.tell()
        with pytest.raises(Exception, match="it is ill"):
            await upgrade
        assert shop.columns() == ["id", "name"]
        assert (await ask(worker, "GET", "items"))["items"] == ["first", "second"]


async def test_workers_of_both_versions_write_at_once_and_the_contract_waits(shop: Shop) -> None:
    async with two(shop) as (one, other):
        slow = asyncio.create_task(ask(other, "POST", "slow", name="late"))
        await until(lambda: (shop.data / "slow").exists())
        upgrade = await shop.upgrade(TWO)
        shop.let("start")
        await until(lambda: all(item.live.version == "2.0.0" for item in (*one.servings, *other.servings)))
        assert (await ask(one, "POST", "items", name="new"))["version"] == "2.0.0"
        assert (await ask(other, "GET", "items"))["version"] == "2.0.0"
        assert shop.columns() == ["id", "name", "title"], "somebody of the old version is at work"
        assert not upgrade.done()
        shop.let("go")
        assert (await slow)["version"] == "1.0.0"
        assert (await upgrade).notes.get("owed") is None
        assert shop.columns() == ["id", "title"]
        assert sorted((await ask(one, "GET", "items"))["items"][1:]) == ["late", "new"]


async def test_a_worker_that_is_late_keeps_the_wide_schema(shop: Shop) -> None:
    async with two(shop) as (one, other):
        slow = asyncio.create_task(ask(other, "POST", "slow", name="late"))
        await until(lambda: (shop.data / "slow").exists())
        upgrade = await shop.upgrade(TWO)
        await until(lambda: other.follower.candidates.prepared)
        async with other.follower._lock:  # It hears of the switch, and does not come to act on it.
            shop.let("start")
            outcome = await upgrade
            assert "may still run the version before" in outcome.notes["owed"]
            assert (await ask(one, "POST", "items", name="new"))["version"] == "2.0.0"
            shop.let("go")
            assert (await slow)["version"] == "1.0.0"
            assert await asyncio.to_thread(rescue, shop.host.applier), "it is still there"
        assert shop.columns() == ["id", "name", "title"]
        await until(lambda: all(item.live.version == "2.0.0" for item in other.servings))
        while await asyncio.to_thread(rescue, shop.host.applier):
            await asyncio.sleep(0.05)
        assert (shop.columns(), all_owed(shop.host.store)) == (["id", "title"], {})
        assert sorted((await ask(other, "GET", "items"))["items"]) == ["first", "late", "new"]


@pytest.mark.parametrize(
    ("scripts", "fields"), [(RENAMES, {"migrations": "exclusive"}), (HELD, {})], ids=["exclusive", "rows change"]
)
async def test_requests_wait_while_the_old_version_could_not_live_with_it(
    shop: Shop, scripts: dict[str, str], fields: dict[str, str]
) -> None:
    async with two(shop) as workers:
        upgrade = await shop.upgrade(scripts, **fields)
        waiting = [asyncio.create_task(ask(worker, "POST", "items", name="held")) for worker in workers]
        reading = [asyncio.create_task(ask(worker, "GET", "items")) for worker in workers]
        done, _ = await asyncio.wait([*waiting, *reading], timeout=0.3)
        assert not done
        assert all(item.held for worker in workers for item in worker.servings)
        shop.let("start")
        await upgrade
        assert {(await answer)["version"] for answer in (*waiting, *reading)} == {"2.0.0"}
        assert (await ask(workers[0], "GET", "items"))["items"] == ["first", "held", "held"]
