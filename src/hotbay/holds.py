"""For whose sake a worker lets a plugin's new requests wait: an operation whose statements can't run beside them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from hotbay.model import Live
from hotbay.serve import Serving


class Holds:
    """The holds of one worker; `drained` says by plugin which operation's hold has nothing in flight any more.

    What is in flight is closed after `seconds`. `keep` runs a coroutine under a name as a task of the worker, `told` is
    called when `drained` has changed.
    """

    def __init__(
        self, seconds: float, keep: Callable[[Coroutine[Any, Any, None], str], object], told: Callable[[], None]
    ) -> None:
        self.drained: dict[str, int] = {}
        self._seconds = seconds
        self._keep = keep
        self._told = told
        self._held: dict[str, int] = {}

    def apply(self, rows: Mapping[str, Live], servings: Mapping[str, Serving]) -> None:
        """Hold and release what the rows say; safe to repeat. A hold that is there already is not begun anew."""
        for plugin, serving in servings.items():
            wanted = rows[plugin].candidate or {}
            if wanted.get("verb") == "hold" or wanted.get("held"):
                self._hold(serving, int(wanted["operation"]))
            else:
                self._held.pop(plugin, None)
                serving.release()

    def _hold(self, serving: Serving, operation: int) -> None:
        if self._held.get(serving.plugin) == operation:
            return
        self._held[serving.plugin] = operation
        serving.hold()
        self._keep(self._drain(serving, operation), f"drain {serving.plugin}")

    async def _drain(self, serving: Serving, operation: int) -> None:
        await serving.drain(self._seconds)
        self.drained[serving.plugin] = operation
        self._told()
