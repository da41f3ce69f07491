"""What plugins and the host ask of a worker: events, filters, services. A plugin not loaded yet is loaded for it, and
one whose tables are being changed is waited for: what its functions write then would be overwritten, or lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hotbay.activate import Generation
from hotbay.activate.bus import Bus, call
from hotbay.errors import BeingChanged, HotbayError, NotFound
from hotbay.model import Contributions
from hotbay.serve import Dispatcher, Serving


class Entrance:
    """Implements `activate.bus.Door` for one call: all that it waits for together takes no longer than requests wait.

    Only coroutines wait here; the event loop and the threads of sync functions go on.
    """

    __slots__ = ("_deadline", "_dispatcher")

    def __init__(self, dispatcher: Dispatcher, patience: float) -> None:
        self._dispatcher = dispatcher
        self._deadline = time.monotonic() + patience

    def open(self, owner: str) -> bool:
        """True when the plugin serves at once, or when the caller is what it is working on."""
        if self._dispatcher.beacon.raw != self._dispatcher.seen:
            return False
        serving = self._dispatcher.table.servings.get(owner)
        return serving is None or not (serving.shut or serving.generation is None)

    async def enter(self, owner: str) -> None:
        """Wait until the plugin is not held any more, and loaded. Nothing awaits between that and the return.

        Raises BeingChanged at the deadline, and ActivationFailed.
        """
        await self.level()
        while (serving := self._dispatcher.table.servings.get(owner)) is not None:
            if serving.shut:
                await self._outlast(serving)
                await self.level()
            elif serving.generation is None:
                await serving.ready()
            else:
                return

    async def level(self) -> None:
        """See to it that the table is as new as the rows."""
        if self._dispatcher.beacon.raw != self._dispatcher.seen:
            await self._dispatcher.sync()

    async def _outlast(self, serving: Serving) -> None:
        try:
            await serving.released(max(0.0, self._deadline - time.monotonic()))
        except TimeoutError:
            raise BeingChanged(
                f"{serving.plugin} is being changed, and that takes longer than calls may wait", mend="try it again"
            ) from None


class Hub:
    """Implements `activate.context.Hub` on a worker's table. Belongs to one event loop."""

    bus: Bus
    dispatcher: Dispatcher

    @property
    def patience(self) -> float:
        """How many seconds a call may wait for plugins that are held."""
        return self.dispatcher.hold_seconds

    async def emit(self, event: str, payload: dict[str, Any]) -> None:
        """Deliver an event to the plugins that listen, loading them if need be and waiting for those that are held.

        What can't be delivered within `hold_seconds` is logged under the plugin's name, and not delivered to it.
        """
        entrance = Entrance(self.dispatcher, self.patience)
        await self._ready_for(lambda found: event in found.events, entrance)
        await self.bus.emit(event, payload, entrance)

    async def filter(self, name: str, value: Any, info: dict[str, Any], *, strict: bool = False) -> Any:
        """Run a value through the plugins' filters, loading them if need be and waiting for those that are held.

        A filter that can't run within `hold_seconds` is logged and left out; `strict` raises BeingChanged.
        """
        entrance = Entrance(self.dispatcher, self.patience)
        await self._ready_for(lambda found: name in found.filters, entrance)
        return await self.bus.filter(name, value, info, strict=strict, door=entrance)

    async def _ready_for(self, wanted: Callable[[Contributions], bool], entrance: Entrance) -> None:
        await entrance.level()
        for plugin, serving in list(self.dispatcher.table.servings.items()):
            if (serving.generation is None or serving.held) and wanted(serving.live.contributions):
                with suppress(HotbayError):
                    await entrance.enter(plugin)

    async def serve_call(self, service: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a service `<plugin>.<name>` of the generation that serves now, or will when it is held no more.

        Raises NotFound; BeingChanged after `hold_seconds`, or when the call had not ended at the drain deadline.
        """
        plugin, _, name = service.partition(".")
        entrance = Entrance(self.dispatcher, self.patience)
        await entrance.level()
        self._offering(service)
        await entrance.enter(plugin)
        serving = self._offering(service)
        with serving.flight("service"):
            for mark, function in marks_of(await serving.ready()):
                if mark.kind == "service" and mark.name == name:
                    return await call(function, *args, **kwargs)
        raise NotFound(f"{plugin} does not offer {name!r} any more")

    def _offering(self, service: str) -> Serving:
        """Who offers a service; raises NotFound."""
        plugin, _, name = service.partition(".")
        serving = self.dispatcher.table.servings.get(plugin)
        if serving is None or name not in serving.live.contributions.services:
            raise NotFound(f"no active plugin offers the service {service!r}", mend=f"activate {plugin}")
        return serving


def marks_of(generation: Generation) -> list[tuple[Any, Callable[..., Any]]]:
    """The decorated functions of a loaded generation, with their marks."""
    capabilities = getattr(generation, "capabilities", None)
    return list(capabilities.marks) if capabilities is not None else []
