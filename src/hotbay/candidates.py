"""What operations ask a worker for: the candidates in the rows are loaded beside what serves, or given up again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from hotbay.activate import Generation
from hotbay.errors import ActivationFailed, HotbayError
from hotbay.making import Maker
from hotbay.model import Live
from hotbay.turns import one_first

log = logging.getLogger("hotbay.candidates")


class Prepared:
    """A generation that an operation asked for: being loaded, ready, or failed with an error."""

    def __init__(self, operation: int, image: str) -> None:
        self.operation = operation
        self.image = image
        self.generation: Generation | None = None
        self.error: dict[str, Any] | None = None
        self.task: asyncio.Task[None] | None = None
        self.unwanted = False
        self._contributions: dict[str, Any] | None = None

    @property
    def contributions(self) -> dict[str, Any]:
        """What the generation contributes, as JSON; made once for all the statuses that say it."""
        if self._contributions is None and self.generation is not None:
            self._contributions = self.generation.contributions.to_json()
        return self._contributions or {}

    @property
    def state(self) -> str:
        """`loading`, `ready` or `failed`."""
        if self.error is not None:
            return "failed"
        return "ready" if self.generation is not None else "loading"


class Candidates:
    """What one worker has prepared, by plugin. `level` is asked whether the table is as new as the rows, `keep` keeps a
    task, `changed` hears of everything that has become ready, failed or is gone, and `again` asks for another `attend`.
    """

    def __init__(
        self,
        maker: Maker,
        level: Callable[[], bool],
        keep: Callable[[Any, str], asyncio.Task[Any]],
        changed: Callable[[], None],
        again: Callable[[], None],
    ) -> None:
        self.maker = maker
        self.prepared: dict[str, Prepared] = {}
        self._level = level
        self._keep = keep
        self._changed = changed
        self._again = again

    async def attend(self, wanted: dict[str, dict[str, Any]]) -> None:
        """Begin what is wanted now, and give up what is not any more; `wanted` are the candidates' rows."""
        for plugin, data in wanted.items():
            if data["verb"] == "start":
                self._begin(plugin, data)
        for plugin, ready in self.prepared.copy().items():
            data = wanted.get(plugin, {})
            if data.get("operation") == ready.operation:
                continue
            if ready.state == "loading":
                ready.unwanted = True
            else:
                await self._forget(plugin, ready)

    def _begin(self, plugin: str, data: dict[str, Any]) -> None:
        ready = self.prepared.get(plugin)
        if ready is not None and ready.operation == data["operation"]:
            return
        fresh = Prepared(data["operation"], data["row"]["image"])
        self.prepared[plugin] = fresh
        fresh.task = self._keep(self._prepare(fresh, data, ready), f"prepare {plugin}")

    async def _prepare(self, ready: Prepared, data: dict[str, Any], older: Prepared | None) -> None:
        if older is not None and older.generation is not None:
            await self.maker.discard(older.generation)
        row = Live.from_json(data["row"])
        try:
            generation = await self._candidate(row, data["operation"])
        except HotbayError as error:
            ready.error = error.to_json()
        except Exception as error:
            log.exception("%s could not be prepared", row.plugin)
            ready.error = ActivationFailed(f"{row.plugin}: {type(error).__name__}: {error}").to_json()
        else:
            ready.generation = generation
        self._changed()
        if ready.unwanted:  # Else a pass would find nothing to do, while the operation waits for the interpreter.
            self._again()

    async def _candidate(self, row: Live, operation: int) -> Generation:
        """What an operation asks for. Raises what `Maker.make` does."""
        first = one_first(self.maker.settings.loading, operation, self.maker.settings.ack_seconds)
        async with first if self.maker.settings.load_one_first else nullcontext():
            return await self.maker.make(row, operation)

    async def _forget(self, plugin: str, ready: Prepared) -> None:
        """An operation no longer asks for what was prepared: it was adopted meanwhile, or is not wanted."""
        if not self._level():
            return  # A switch was committed a moment ago: the next pass knows whether the table wants it.
        # Taken out first, so that no table adopts it; reported until its `stop` has run, for who cleans up after it.
        generation, ready.generation = ready.generation, None
        if generation is not None:
            await self.maker.discard(generation)
        if self.prepared.get(plugin) is ready:
            del self.prepared[plugin]
        self._changed()

    @property
    def loading(self) -> bool:
        """True while something is being loaded."""
        return any(ready.state == "loading" for ready in self.prepared.values())

    def adopt(self, plugin: str, image: str) -> Generation | None:
        """Hand over what was prepared of this image, if it is ready; None otherwise."""
        ready = self.prepared.get(plugin)
        if ready is None or ready.generation is None or ready.image != image:
            return None
        del self.prepared[plugin]
        return ready.generation
