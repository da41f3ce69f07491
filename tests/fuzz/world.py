"""The real thing beside the model: a host's state on disk, two workers that serve, visitors who never stop asking."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Coroutine
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from engine import Engine, Worker
from engine_host import die_in_step, elsewhere
from fuzz.model import Plugin
from fuzz.packages import PLUGINS
from hotbay import journal
from hotbay.confirm import Confirmations, confirm
from hotbay.contract import all_owed
from hotbay.model import Kind
from hotbay.moments import moment
from hotbay.offline import open_host
from hotbay.outcome import Outcome
from hotbay.request import Request
from hotbay.settings import Settings
from hotbay.watch import Registrar
from plugs import client, until

KILLED = -9


class World:
    """One host with two workers in this process. Everything that changes it is called from the machine's thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self.engine = Engine(folder, watch=False, keep_versions=3, lease_seconds=20)
        self.registrar = Registrar(self.engine.host.applier)
        self.workers: list[Worker] = []
        self.models = {plugin: Plugin(plugin) for plugin in PLUGINS}
        self.resting: set[str] = set(PLUGINS)  # Plugins for which a 404 is right at this moment.
        self.requests = 0
        self.wrong: list[str] = []
        self._stack: list[AsyncExitStack] = []
        self._visitors: list[asyncio.Task[None]] = []
        for _ in range(2):
            self.run(self._enter())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Let the workers, the visitors and this work go on until the work is done."""
        return self.loop.run_until_complete(work)

    # ── workers and visitors ──

    async def _enter(self) -> None:
        stack = AsyncExitStack()
        worker = await stack.enter_async_context(self.engine.worker())
        self.workers.append(worker)
        self._stack.append(stack)
        self._visitors.append(asyncio.create_task(self._visit(worker)))

    async def _leave(self, number: int) -> None:
        visitor = self._visitors.pop(number)
        visitor.cancel()
        await asyncio.gather(visitor, return_exceptions=True)
        self.workers.pop(number)
        await self._stack.pop(number).aclose()

    def restart(self, number: int) -> None:
        """A worker ends, another one starts."""
        self.run(self._leave(number))
        self.run(self._enter())

    async def _visit(self, worker: Worker) -> None:
        """Ask for every plugin, again and again. Only one that rests, or is being changed to or from it, may 404."""
        while True:
            for plugin in PLUGINS:
                may = plugin in self.resting
                answer = await worker.get(f"/api/v1/{plugin}/version")
                self.requests += 1
                if answer.status_code != 200 and not (answer.status_code == 404 and (may or plugin in self.resting)):
                    self.wrong.append(f"{plugin}: {answer.status_code} {answer.text}")
            await asyncio.sleep(0.002)

    def close(self) -> None:
        """End everything; safe to repeat."""
        while self.workers:
            self.run(self._leave(0))
        self.registrar.close()
        self.engine.host.close()
        self.loop.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ── what is done to it ──

    def operate(self, request: Request) -> Outcome:
        """One operation, as another thread does it. Raises what it raises."""
        outcome: Outcome = self.run(asyncio.to_thread(self.engine.host.applier.run, request))
        return outcome

    def plan(self, request: Request) -> Any:
        """What the operation would do."""
        return self.run(asyncio.to_thread(self.engine.host.applier.plan, request))

    def wait_for_confirmation(self, plugin: str, *, confirmed: bool) -> None:
        """Somebody confirms what is to be confirmed, or nobody; then its time is over."""
        applier = self.engine.host.applier
        if confirmed:
            self.run(asyncio.to_thread(confirm, applier, plugin))
        now = moment()
        late = replace(now, wall=now.wall + 60.0, up=now.up + 60.0)
        judge = Confirmations(applier.settings, applier.store, applier.workers, lambda: applier, lambda: late)
        assert len(self.run(asyncio.to_thread(judge.look))) == (0 if confirmed else 1)

    def look(self) -> list[str]:
        """What the plugins folder's watcher does until it finds nothing more."""
        done: list[str] = []
        for _ in range(3):  # New content has to look the same twice.
            done += self.run(asyncio.to_thread(self.registrar.look))
        return done

    def crash(self, kind: Kind, plugin: str, values: dict[str, Any], seq: int, moment: str) -> None:
        """Another process does an operation and is killed in its step number `seq`; then somebody recovers."""
        home = self.engine.host.settings.home
        work = asyncio.to_thread(
            elsewhere, operate_and_die, home, kind.value, plugin, values, seq, moment, expect=KILLED
        )
        self.run(work)
        self.recover()

    def recover(self) -> None:
        """What a server that starts does first."""
        self.run(asyncio.to_thread(self.engine.host.applier.recover_at_start))

    def operate_beside(self, request: Request, slow: str, version: str) -> tuple[int, bool]:
        """An operation while a slow request of the version before is in flight in the first worker.

        It is let go when `version` serves in every worker; answers its status, and whether the contract had
        run by then.
        """
        return cast(tuple[int, bool], self.run(self._operate_beside(request, slow, version)))

    async def _operate_beside(self, request: Request, slow: str, version: str) -> tuple[int, bool]:
        go = self.folder / "go"
        path = f"/api/v1/{request.plugin}/slowly?name={slow}&go={go}"
        visitor = asyncio.create_task(self._post(self.workers[0], path))
        begun = Path(f"{go}.begun")
        try:
            await until(begun.exists, "the slow request is in flight")
            operation = asyncio.create_task(asyncio.to_thread(self.engine.host.applier.run, request))
            await until(lambda: self._shows(request.plugin, version) or operation.done(), "the new version serves")
            await asyncio.sleep(0.1)  # What does not wait has its chance.
            early = self.contracted(request.plugin)
            go.touch()
            status = await visitor
            await operation
        finally:
            go.touch()
            await asyncio.gather(visitor, return_exceptions=True)
            go.unlink()
            begun.unlink(missing_ok=True)
        return status, early

    def _shows(self, plugin: str, version: str) -> bool:
        found = [worker.serving(plugin) for worker in self.workers]
        return all(item is not None and item.live.version == version for item in found)

    def add(self, plugin: str, name: str, number: int) -> int:
        """A visitor adds a row; answers the status."""
        return int(self.run(self._post(self.workers[number], f"/api/v1/{plugin}/items?name={name}")))

    def pull(self, plugin: str) -> int:
        """A visitor deletes the rows that the contract script can't take; answers the status."""
        return int(self.run(self._post(self.workers[0], f"/api/v1/{plugin}/pull")))

    async def _post(self, worker: Worker, path: str) -> int:
        async with client(worker) as http:
            return (await http.post(path)).status_code

    # ── what is seen of it ──

    def settle(self) -> None:
        """Wait until every worker serves what the registry says."""
        for plugin in PLUGINS:
            self.run(until(lambda plugin=plugin: self._agree(plugin), f"{plugin} in all workers"))

    def _agree(self, plugin: str) -> bool:
        row = self.engine.host.store.find_live(plugin)
        wanted = row.revision if row is not None and row.active else None
        shown = [
            item.live.revision if (item := worker.serving(plugin)) is not None else None for worker in self.workers
        ]
        return all(found == wanted for found in shown)

    def answers(self, plugin: str) -> list[tuple[str, str] | None]:
        """What each worker's route says of its version; None for a 404."""
        return [self.run(self._answer(worker, plugin)) for worker in self.workers]

    async def _answer(self, worker: Worker, plugin: str) -> tuple[str, str] | None:
        answer = await worker.get(f"/api/v1/{plugin}/version")
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        return answer.json()["version"], answer.json()["edition"]

    def rows(self, plugin: str) -> list[str] | None:
        """The plugin's rows in the database; None without its table."""
        columns = self.columns(plugin)
        if not columns:
            return None
        column = "name" if "name" in columns else "title"
        return [name for (name,) in self._query(f"SELECT {column} FROM {plugin}_items ORDER BY id")]

    def columns(self, plugin: str) -> set[str]:
        """The columns of the plugin's table; none where it is not there."""
        return {row[1] for row in self._query(f"PRAGMA table_info({plugin}_items)")}

    def contracted(self, plugin: str) -> bool:
        """True when the ledger says that a contract script ran."""
        return any(row["contract"] for row in self.engine.host.store.applied(plugin))

    def owes(self, plugin: str) -> bool:
        """True when a contract script is noted as owed."""
        return plugin in all_owed(self.engine.host.store)

    def _query(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.engine.host.settings.database_path)) as connection:
            return connection.execute(sql).fetchall()

    def leftovers(self) -> list[str]:
        """Everything that only an operation in flight may need."""
        host = self.engine.host
        found = [f"candidate {plugin}" for plugin in host.store.all_candidates()]
        found += [f"running operation {row['id']}" for row in journal.cut_off(host.store)]
        found += [f"staged {path.name}" for path in host.settings.staging.glob("*")]
        found += [f"in the plugins folder: {path.name}" for path in host.settings.plugins.glob(".*hotbay*")]
        unused = {path.name for path in host.settings.images.iterdir()} - host.store.images()
        return found + [f"image {name}" for name in unused]


def operate_and_die(home: Path, kind: str, plugin: str, values: dict[str, Any], seq: int, moment: str) -> None:
    """In a process of its own: run an operation and die `before` or `after` the effect of its step number `seq`."""
    die_in_step(lambda number, verb: number >= seq, moment)
    settings = Settings(home=home, watch=False, keep_versions=3, ack_seconds=20.0, drain_seconds=20.0, lease_seconds=20)
    host = open_host(settings)
    host.applier.run(Request(Kind(kind), plugin, **values))
