"""Operations on behalf of requests: each in a thread of its own, whether the caller stays or not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from hotbay.activate.threads import in_thread
from hotbay.apply import Applier
from hotbay.console.uploads import discard
from hotbay.errors import HotbayError
from hotbay.model import DataPolicy, Kind
from hotbay.outcome import Outcome, Progress
from hotbay.request import Request

if TYPE_CHECKING:
    from hotbay.asgi import Hotbay

log = logging.getLogger("hotbay.console")
# No limit of ours: an operation's own steps have theirs.
_EVER = 7 * 24 * 3600.0


@dataclass(frozen=True)
class Job:
    """One operation for one caller. `settings` are stored after it, `file` is deleted after it, with its signature."""

    request: Request
    actor: str
    remote: bool = False
    settings: dict[str, Any] | None = None
    file: Path | None = None


class Runner:
    """Runs the jobs of one worker. Belongs to one event loop."""

    def __init__(self, hotbay: Hotbay) -> None:
        self.hotbay = hotbay
        self._tasks: set[asyncio.Task[Outcome]] = set()

    async def answer(self, job: Job, *, wait: bool, root_path: str = "") -> Response:
        """Run a job: 200 with its outcome, or 202 and where to look as soon as the journal has it.

        Raises what the operation raises; without `wait` only what it raises before it is in the journal. The job goes
        on when the caller leaves.
        """
        opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = self._start(job, opened)
        if wait:
            return JSONResponse((await asyncio.shield(task)).to_json())
        either: list[asyncio.Future[Any]] = [task, opened]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not opened.done():
            task.result()  # Refused before it began.
            raise RuntimeError("an operation ended that was never opened")
        return self._accepted(opened.result(), root_path)

    def _accepted(self, number: int, root_path: str) -> Response:
        href = f"{root_path}{self.hotbay.settings.api_prefix}/marketplace/operations/{number}"
        return JSONResponse({"operation": number, "href": href}, 202, {"Location": href})

    async def drain(self, seconds: float) -> int:
        """Wait for the jobs in progress, at most `seconds`; answers how many are left (recovery will end them)."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        return len(self._tasks)

    # ── one job ───────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, job: Job, opened: asyncio.Future[int]) -> asyncio.Task[Outcome]:
        task = asyncio.create_task(self._work(job, opened), name=f"{job.request.kind} {job.request.plugin}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Outcome]) -> None:
        """A failure that nobody waits for is in the journal; one that is not ours belongs in the log."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, HotbayError):
            log.error("%s failed", task.get_name(), exc_info=error)

    async def _work(self, job: Job, opened: asyncio.Future[int]) -> Outcome:
        done: list[Progress] = []
        applier = self._applier(job, done)
        kept = job.settings is not None and bool(await asyncio.to_thread(self.hotbay.store.applied, job.request.plugin))
        try:
            outcome = await self._run(applier, job.request, opened)
            if job.settings:
                await self._set_up(job, done, kept=kept)
            return outcome
        finally:
            if job.file is not None:
                discard(job.file)

    def _applier(self, job: Job, done: list[Progress]) -> Applier:
        """A writer for this job that tells the live events, and remembers in `done` which operations it ended."""

        def progress(item: Progress) -> None:
            if item.verb == "" and item.state == "done":
                done.append(item)
            self.hotbay.feed.publish(item)

        applier = self.hotbay.applier(job.actor, progress)
        if job.remote:
            applier.drafter.sources = self.hotbay.catalog.remote
        return applier

    async def _run(self, applier: Applier, request: Request, opened: asyncio.Future[int] | None) -> Outcome:
        loop = asyncio.get_running_loop()

        def on_open(number: int) -> None:
            if opened is not None:
                tell(loop, lambda: None if opened.done() else opened.set_result(number))

        name = f"{request.kind} {request.plugin}"
        return await in_thread(lambda: applier.run(request, on_open=on_open), _EVER, name)

    # ── settings that come with an install ────────────────────────────────────────────────────────────────────

    async def _set_up(self, job: Job, done: list[Progress], *, kept: bool) -> None:
        """Store the settings; when they don't fit, nothing of the install stays."""
        try:
            await self.hotbay.change_settings(job.request.plugin, dict(job.settings or {}), actor=job.actor)
        except Exception as error:
            for item in reversed(done):
                await self._take_back(job, item, kept=kept and item.plugin == job.request.plugin)
            if isinstance(error, HotbayError):
                error.detail["undone"] = [item.operation for item in done]
            raise

    async def _take_back(self, job: Job, item: Progress, *, kept: bool) -> None:
        """Undo one ended operation. Rows that were there before the install outlive it."""
        policy = DataPolicy.KEEP if kept else DataPolicy.PURGE
        undo = {
            Kind.INSTALL.value: Request(Kind.UNINSTALL, item.plugin, data=policy, fresh=not kept),
            Kind.ACTIVATE.value: Request(Kind.DEACTIVATE, item.plugin),
        }.get(item.kind)
        if undo is None:
            return
        try:
            await self._run(self.hotbay.applier(job.actor, self.hotbay.feed.publish), undo, None)
        except HotbayError:
            log.exception("%s of %s could not be taken back", item.kind, item.plugin)


def tell(loop: asyncio.AbstractEventLoop, function: Callable[[], Any]) -> None:
    """Call a function on the loop from any thread; nothing happens when the loop is closed already."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(function)
