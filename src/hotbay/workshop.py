"""How an actor runs a plugin's code itself: on a loop of its own, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from hotbay.activate import Host, Image, Limits
from hotbay.activate.context import PluginContext
from hotbay.activate.inprocess import InProcess, InProcessGeneration
from hotbay.activate.threads import in_thread
from hotbay.documents import Documents
from hotbay.errors import SafeMode
from hotbay.model import Contributions
from hotbay.settings import Settings

T = TypeVar("T")


class LocalWorkshop:
    """Implements `steps.Workshop` with the in-process runtime."""

    def __init__(self, host: Host, context: Callable[[Image, int], PluginContext], settings: Settings) -> None:
        limits = Limits(settings.start_seconds, settings.health_seconds)
        self.settings = settings
        self._documents = Documents(settings.documents)
        self._runtime = InProcess(host, context, settings.api_prefix, limits)

    def try_out(self, image: Image) -> Contributions:
        """Load, start, check, stop and unload a plugin here. Raises ActivationFailed."""
        if self.settings.safe_mode:
            raise SafeMode(f"{image.version.plugin} is not loaded: this host is in safe mode", mend="repeat it without")

        async def start(generation: InProcessGeneration) -> Contributions:
            await generation.start()
            await generation.health()
            self._documents.of(image.version.image, generation)
            return generation.contributions

        return _run(self._with(image, start))

    def with_addon(self, image: Image, work: Callable[[Any], None]) -> None:
        """Call `work` with the plugin's addon object, or not at all when it has none."""

        async def call(generation: InProcessGeneration) -> None:
            if generation.capabilities.addon is not None:
                work(generation.capabilities.addon)

        _run(self._with(image, call))

    def settings_model(self, image: Image, use: Callable[[Any], T]) -> T:
        """Call `use` with the plugin's settings model (None when it has none) while its code is loaded.

        The stored settings are not needed: they may be what is to be mended.
        """

        async def call(generation: InProcessGeneration) -> T:
            return use(generation.capabilities.settings)

        return _run(self._with(image, call, settings=False))

    async def _with(
        self, image: Image, work: Callable[[InProcessGeneration], Awaitable[T]], *, settings: bool = True
    ) -> T:
        generation = self._runtime.create(image)
        try:
            load = partial(generation.load, settings=settings)
            await in_thread(load, self.settings.start_seconds, f"load {generation.plugin}")
            return await work(generation)
        finally:
            await generation.stop()
            await generation.unload()


def _run(work: Awaitable[T]) -> T:
    """Run a coroutine to its end on a new loop in a new thread: the caller may be inside a loop of its own."""
    results: list[T] = []
    failures: list[BaseException] = []

    async def main() -> T:
        return await work

    def target() -> None:
        try:
            results.append(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
            failures.append(error)

    thread = threading.Thread(target=target, name="hotbay workshop", daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]
