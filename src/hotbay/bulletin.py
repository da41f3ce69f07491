"""What a worker says of itself: its status whenever something has changed, and what its meters counted when asked."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from hotbay.activate import Proof
from hotbay.candidates import Prepared
from hotbay.presence import Status, Workers
from hotbay.serve import Serving

log = logging.getLogger("hotbay.bulletin")
_AGAIN_SECONDS = 1.0


class Bulletin:
    """Publishes for one worker, in threads: files and pipes would make the loop wait.

    What the disk refuses is logged, and said later: a worker that fell silent would be waited for in every operation.

    `status` makes the status; `counts`, called on the loop with the wishes, answers what makes the counts, off it.
    """

    def __init__(
        self,
        workers: Workers,
        worker: str,
        status: Callable[[], Status],
        counts: Callable[..., Callable[[], dict[str, Any]]],
    ) -> None:
        self.told = asyncio.Event()
        self._workers = workers
        self._worker = worker
        self._status = status
        self._counts = counts
        self._news = asyncio.Event()
        self._asked: asyncio.Queue[str] = asyncio.Queue()
        self._publishing = threading.Lock()
        self._vanished = False

    def tell(self) -> None:
        """The status has changed."""
        self.told.clear()
        self._news.set()

    def ask(self, wish: str) -> None:
        """Somebody wants to know what the meters counted, and what `wish` (`presence.wish`) says."""
        self._asked.put_nowait(wish)

    async def report(self) -> None:
        """Write the status and wake the actors, again whenever it has changed. `told` is set while all was said."""
        while True:
            await self._news.wait()
            self._news.clear()
            if not await self._said("its status", self.publish, self._status):
                self._news.set()
            if not self._news.is_set():
                self.told.set()

    async def report_meters(self) -> None:
        """Tell what the meters counted, when somebody asks; all who asked meanwhile get one answer."""
        while True:
            wishes = [await self._asked.get()]
            while not self._asked.empty():
                wishes.append(self._asked.get_nowait())
            await self._said("what its meters counted", self._publish_meters, partial(self._counts, *wishes))

    async def _said(self, what: str, publish: Callable[[Any], None], make: Callable[[], Any]) -> bool:
        """False, after a pause, when it failed."""
        try:
            await asyncio.to_thread(publish, make())
        except Exception as error:
            log.error("%s could not tell %s: %s", self._worker, what, error, exc_info=not isinstance(error, OSError))
            await asyncio.sleep(_AGAIN_SECONDS)
            return False
        return True

    def _publish_meters(self, told: Callable[[], dict[str, Any]]) -> None:
        self._workers.write_meters(self._worker, told())
        self._workers.tell_actors()

    def publish(self, status: Status) -> None:
        """Write a status and wake the actors, unless this worker is gone. Blocking."""
        with self._publishing:
            if not self._vanished:
                self._workers.write(status)
                self._workers.tell_actors()

    def vanish(self) -> None:
        """Leave no trace: a thread may still be writing the last status."""
        with self._publishing:
            self._vanished = True
            self._workers.forget(self._worker)


def describe(serving: Serving | None, leaving: int, proof: Proof | None, ready: Prepared | None) -> dict[str, Any]:
    """What a status says of a plugin: what serves it, how many generations are being left, how the last one went, and
    what an operation has asked for."""
    said: dict[str, Any] = {"leaving": leaving, "alive": list(proof.alive) if proof is not None else []}
    if proof is not None:
        said["unload"] = proof.to_json()
    if serving is not None:
        said |= _serving_status(serving)
    if ready is not None:
        said["prepared"] = {"operation": ready.operation, "state": ready.state, "error": ready.error}
        if ready.generation is not None:
            said["prepared"]["contributions"] = ready.contributions
    return said


def _serving_status(serving: Serving) -> dict[str, Any]:
    generation = serving.generation
    return {
        "revision": serving.live.revision,
        "version": serving.live.version,
        "image": serving.live.image,
        "loaded": generation is not None,
        "generation": generation.number if generation is not None else 0,
        "in_flight": len(serving.flights),
        "requests": serving.meter.requests,
        "failures": serving.meter.failed,
        "held": serving.held,
        "problem": str(serving.problem) if serving.problem is not None else "",
    }
