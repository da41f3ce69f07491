"""Periodic and cron jobs: they run on one worker only, and end with their generation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from cronsim import CronSim

from hotbay.activate.bus import call
from hotbay.duty import Post
from hotbay.follow import Follower
from hotbay.serve import Serving
from hotbay_sdk.plugin import Mark

_TURN_SECONDS = 1.0
Key = tuple[str, int, int]


class Jobs:
    """One worker's part in running jobs: it competes for the post, and runs all plugins' jobs while it has it."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.post = Post(follower.settings.run / "jobs", "arranging the jobs", self._turn, _TURN_SECONDS)
        self._running: dict[Key, list[asyncio.Task[None]]] = {}

    def start(self) -> None:
        """Compete from now on."""
        if self.follower.settings.jobs:
            self.follower.on_change.append(self.post.wake)
            self.post.start()

    async def stop(self) -> None:
        """Stop all jobs, and leave the post to another worker."""
        await self.post.stop(self._end)

    async def _end(self) -> None:
        tasks = [task for group in self._running.values() for task in group]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()

    async def _turn(self) -> None:
        """Let exactly the jobs of the generations that serve now run."""
        self.follower.leads_jobs = True
        servings = self.follower.dispatcher.table.servings.values()
        wanted = {_key(item): item for item in servings if item.generation is not None}
        for key in [key for key in self._running if key not in wanted]:
            for task in self._running.pop(key):
                task.cancel()
        for key, serving in wanted.items():
            if key not in self._running:
                self._running[key] = self._begin(serving)

    def _begin(self, serving: Serving) -> list[asyncio.Task[None]]:
        capabilities = getattr(serving.generation, "capabilities", None)
        found = capabilities.of("every", "cron") if capabilities is not None else []
        return [
            asyncio.create_task(_run(serving, mark, function), name=f"job {serving.plugin}") for mark, function in found
        ]


def _key(serving: Serving) -> Key:
    generation = serving.generation
    return serving.plugin, serving.live.revision, generation.number if generation is not None else 0


async def _run(serving: Serving, mark: Mark, function: Callable[..., Any]) -> None:
    """Wait and work in turn. Being cancelled ends the waiting; a run that has begun is finished, as a flight."""
    log = logging.getLogger(f"hotbay.plugin.{serving.plugin}")
    for pause in _pauses(mark):
        await asyncio.sleep(pause())
        while serving.held and not serving.retired:  # Its tables change: what it would write might be undone.
            with suppress(TimeoutError):
                await serving.released(_TURN_SECONDS)
        if serving.retired:
            return
        await asyncio.shield(asyncio.ensure_future(_once(serving, function, log)))


async def _once(serving: Serving, function: Callable[..., Any], log: logging.Logger) -> None:
    with serving.flight("job"):
        try:
            await call(function)
        except asyncio.CancelledError:
            log.warning("job %s was ended at the drain deadline", function.__name__)
        except Exception:
            log.exception("job %s failed", function.__name__)


def _pauses(mark: Mark) -> Any:
    """Endless functions that say how long (seconds) to wait for the next run."""
    if mark.kind == "every":
        while True:
            yield lambda: mark.seconds
    for moment in CronSim(mark.name, datetime.now()):
        yield lambda moment=moment: max(0.0, (moment - datetime.now()).total_seconds())
