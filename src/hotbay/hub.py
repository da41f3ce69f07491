"""What plugins and the host ask of a worker: events, filters, services. A plugin not loaded yet is loaded for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hotbay.activate import Generation
from hotbay.activate.bus import Bus, call
from hotbay.errors import HotbayError, NotFound
from hotbay.model import Contributions
from hotbay.serve import Dispatcher


class Hub:
    """Implements `activate.context.Hub` on a worker's table. Belongs to one event loop."""

    bus: Bus
    dispatcher: Dispatcher

    async def emit(self, event: str, payload: dict[str, Any]) -> None:
        """Deliver an event to the plugins that listen, loading them if need be."""
        await self._ready_for(lambda found: event in found.events)
        await self.bus.emit(event, payload)

    async def filter(self, name: str, value: Any, info: dict[str, Any], *, strict: bool = False) -> Any:
        """Run a value through the plugins' filters, loading them if need be."""
        await self._ready_for(lambda found: name in found.filters)
        return await self.bus.filter(name, value, info, strict=strict)

    async def _ready_for(self, wanted: Callable[[Contributions], bool]) -> None:
        if self.dispatcher.beacon.raw != self.dispatcher.seen:
            await self.dispatcher.sync()
        for serving in list(self.dispatcher.table.servings.values()):
            if serving.generation is None and wanted(serving.live.contributions):
                with suppress(HotbayError):
                    await serving.ready()

    async def serve_call(self, service: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a service `<plugin>.<name>` of the generation that serves now; raises NotFound."""
        plugin, _, name = service.partition(".")
        serving = self.dispatcher.table.servings.get(plugin)
        if serving is None or name not in serving.live.contributions.services:
            raise NotFound(f"no active plugin offers the service {service!r}", mend=f"activate {plugin}")
        with serving.flight("service"):
            generation = await serving.ready()
            for mark, function in marks_of(generation):
                if mark.kind == "service" and mark.name == name:
                    return await call(function, *args, **kwargs)
        raise NotFound(f"{plugin} does not offer {name!r} any more")


def marks_of(generation: Generation) -> list[tuple[Any, Callable[..., Any]]]:
    """The decorated functions of a loaded generation, with their marks."""
    capabilities = getattr(generation, "capabilities", None)
    return list(capabilities.marks) if capabilities is not None else []
