"""The in-process runtime: a generation's code runs in the worker, and leaves it again."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from cronsim import CronSim, CronSimError
from pydantic import BaseModel

from hotbay.activate import App, Host, Image, Limits, Mounted, Proof, loader, remains
from hotbay.activate.bus import call
from hotbay.activate.capabilities import Capabilities, discover
from hotbay.activate.context import PluginContext
from hotbay.activate.owned import Owner
from hotbay.activate.prove import Left, prove, watch
from hotbay.activate.resources import Files, close, end
from hotbay.activate.threads import handing_over
from hotbay.activate.traces import Brought, Window, undo_signals
from hotbay.errors import ActivationFailed
from hotbay.model import Contributions
from hotbay_sdk import plugin as sdk

_numbers = itertools.count(1)


class InProcess:
    """Makes generations that run in this process. `context` builds what each is given."""

    def __init__(
        self, host: Host, context: Callable[[Image, int], PluginContext], api_prefix: str, limits: Limits
    ) -> None:
        self.host = host
        self.context = context
        self.api_prefix = api_prefix
        self.limits = limits
        # One proof at a time: a search for holders holds all that it sees, other generations' remains too.
        self.proving = asyncio.Lock()

    def create(self, image: Image) -> InProcessGeneration:
        """A generation with a number of its own, not loaded yet."""
        return InProcessGeneration(self, image, next(_numbers))


class InProcessGeneration:
    """One incarnation. Order: load (thread) → start → health → serve → close → stop → unload."""

    def __init__(self, runtime: InProcess, image: Image, number: int) -> None:
        self.plugin = image.version.plugin
        self.version = image.version.version
        self.image = image.version.image
        self.number = number
        self.app: App | None = None
        self.contributions = Contributions()
        self.capabilities = Capabilities()
        self.private = f"{loader.PREFIX}{self.plugin}_{number}"
        self._image = image
        self._runtime = runtime
        self.context: PluginContext | None = runtime.context(image, number)
        self._started = False
        self._mounted: Mounted | None = None
        self._files = Files()
        self._window: Window | None = None
        self._brought = Brought()
        self._unloaded = False

    @property
    def folder(self) -> Any:
        """Where the Python package is: `backend/` of a seed's package, or the tree itself."""
        backend = self._image.folder / "backend"
        return backend if backend.is_dir() else self._image.folder

    def load(self, *, settings: bool = True) -> None:
        """Import the backend and find what it offers; in a thread, never on the loop.

        Without `settings` the stored ones are neither read nor validated: to mend them takes the model only.
        """
        remains.comes(self.private)
        if settings and self.context is not None:
            self.context.read_settings()
        sdk.bind(self.private, self.context)
        self._window = Window()
        failure: ActivationFailed | None = None
        try:
            self._load(settings)
        except ActivationFailed as error:
            failure = error.with_traceback(None)
            failure.__cause__ = failure.__context__ = None
        except BaseException as error:  # noqa: BLE001 - a module may raise anything, SystemExit too
            failure = self._failed("could not be imported", error)
        if failure is not None:
            raise failure  # Outside the handler: the frames of the plugin's code would keep it alive.

    def _load(self, settings: bool) -> None:
        if self._has_code():
            loader.open_package(self.private, self.folder, self.plugin, {"open": self._files.wrap(open)})
            self.capabilities = discover(self.private, self._image.manifest.backend.entry)
            check_times(self.capabilities)
            self._mounted = self._mount()
        if settings:
            self._apply_settings()
        mounted = self._mounted
        self.app = mounted.app if mounted is not None else None
        self.contributions = self._contributions()

    def _has_code(self) -> bool:
        folder = self.folder
        return any(folder.glob("*.py")) and (folder.name == "backend" or (folder / "__init__.py").is_file())

    def _mount(self) -> Mounted | None:
        found, prefix = self.capabilities, self._runtime.api_prefix
        if found.addon is not None and hasattr(found.addon, "register_routes"):
            return self._runtime.host.mount(self._runtime.host.collect(found.addon.register_routes), "")
        if found.router is not None:
            return self._runtime.host.mount(found.router, prefix)
        if found.app is not None:
            mount = self._image.manifest.backend.mount or f"{prefix}/{self.plugin}"
            return self._runtime.host.mount(found.app, mount)
        return None

    def _apply_settings(self) -> None:
        """The context was made with the stored values; now the model is known and gives them their types."""
        model, context = self.capabilities.settings, self.context
        if model is not None and context is not None:
            context.replace_settings(model.model_validate(context.settings or {}))

    def _contributions(self) -> Contributions:
        found, mounted = self.capabilities, self._mounted
        model = found.settings
        return Contributions(
            routes=mounted.routes if mounted else (),
            mounts=mounted.mounts if mounted else (),
            events=tuple(sorted({mark.name for mark, _ in found.of("event")})),
            filters=tuple(sorted({mark.name for mark, _ in found.of("filter")})),
            jobs=tuple(sorted(job_name(mark, function) for mark, function in found.of("every", "cron"))),
            services=tuple(sorted(mark.name for mark, _ in found.of("service"))),
            settings_schema=model.model_json_schema() if is_model(model) else None,
            eager=self._eager(),
        )

    def _eager(self) -> bool:
        wishes = self._image.manifest.activation
        return "startup" in wishes if wishes else self.capabilities.eager

    async def start(self) -> None:
        """Run `start(context)` and wait for it, within the time limit."""
        self._started = True
        if self.capabilities.start is not None:
            await self._ask("start", self.capabilities.start, self._runtime.limits.start)
        self._close_window()

    def _close_window(self) -> None:
        if self._window is not None:
            self._brought, self._window = self._window.close(), None

    async def health(self) -> None:
        """Run `health(context)`; False or an exception means no."""
        if self.capabilities.health is None:
            return
        answer = await self._ask("health", self.capabilities.health, self._runtime.limits.health)
        if answer is False:
            raise ActivationFailed(f"{self.plugin} {self.version} says that it is not healthy", step="start")

    async def _ask(self, what: str, function: Callable[..., Any], seconds: float) -> Any:
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await call(function, *self._arguments(function))
        except Exception as error:  # noqa: BLE001 - whatever the plugin raises
            problem = f"did not finish {what} within {seconds:g} s" if limit.expired() else f"failed in {what}"
            failure = self._failed(problem, error)
        del function  # The traceback of what is raised keeps this frame, and the code must go.
        raise failure  # Outside the handler, as in `load`.

    def _arguments(self, function: Callable[..., Any]) -> tuple[Any, ...]:
        return (self.context,) if inspect.signature(function).parameters else ()

    def _failed(self, what: str, error: BaseException) -> ActivationFailed:
        cause = "" if what.startswith("did not finish") else f": {type(error).__name__}: {error}"
        where = self._place(error)
        text = "".join(traceback.format_exception(error))
        logging.getLogger(f"hotbay.plugin.{self.plugin}").error("%s %s\n%s", self.version, what, text)
        return ActivationFailed(
            f"{self.plugin} {self.version} {what}{cause}{where}",
            mend="correct the plugin and install it again; the state before is kept",
            step="start",
        )

    def _place(self, error: BaseException) -> str:
        """The innermost file and line of the plugin's own in the traceback."""
        root = str(self._image.folder)
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(root)]
        if isinstance(error, SyntaxError) and (error.filename or "").startswith(root):
            return f" ({error.filename[len(root) + 1 :]}:{error.lineno})" if error.filename else ""
        return f" ({frames[-1].filename[len(root) + 1 :]}:{frames[-1].lineno})" if frames else ""

    async def change_settings(self, stored: dict[str, Any]) -> None:
        """Give the running plugin its new settings and tell it."""
        model, context = self.capabilities.settings, self.context
        if context is None:
            return
        context.replace_settings(model.model_validate(stored) if model is not None else stored)
        if self.capabilities.on_settings is not None:
            await call(self.capabilities.on_settings, context, context.settings)

    def document(self) -> dict[str, Any]:
        """Its part of the OpenAPI document."""
        mounted = self._mounted
        return mounted.openapi() if mounted is not None and mounted.openapi is not None else {}

    def locate(self, name: str, /, **values: Any) -> Any:
        """The path of a route by its name; None when there are no names."""
        mounted = self._mounted
        return mounted.locate(name, **values) if mounted is not None and mounted.locate is not None else None

    def close(self) -> None:
        """Set `context.closing`."""
        if self.context is not None:
            self.context.close()

    def reopen(self) -> None:
        """Unset `context.closing`."""
        if self.context is not None:
            self.context.reopen()

    async def stop(self) -> None:
        """Stop the plugin and take back what it acquired through its context."""
        if self.context is None:
            return
        if self._started and self.capabilities.stop is not None:
            try:
                await self._ask("stop", self.capabilities.stop, self._runtime.limits.start)
            except ActivationFailed as error:
                self.context.log.error("%s", error)
        self._started = False
        await self.context.release()

    async def unload(self) -> Proof:
        """Take back what it left in the process, drop every reference, collect, and look who is still alive.

        On the loop in pieces of a millisecond: requests are answered between them.
        """
        with handing_over():
            return await self._unload()

    async def _unload(self) -> Proof:
        self._close_window()
        modules = loader.modules(self.private)
        others = [self.app, self._mounted, self.capabilities, *(self.context.take_left() if self.context else ())]
        watched, left = watch(modules), Left(list(modules.values()), others)
        owner = Owner(self.plugin, self.private, self._image.folder, modules)
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        undone = [*undo_signals(owner, loop), *await end(owner)]
        await asyncio.sleep(0)
        undone += [*self._files.close(), *await close(owner, modules)]
        await asyncio.sleep(0)
        modules.clear()
        loader.close_package(self.private)
        sdk.bind(self.private, None)
        self.capabilities = Capabilities()
        self.app = self.context = self._mounted = None
        self._runtime.host.release()
        brought, self._brought = self._brought, Brought()
        async with self._runtime.proving:
            proof = await asyncio.to_thread(prove, owner, watched, left, brought, loop)
        if proof.clean and not self._unloaded:  # A second one has nothing to look at: it finds everything clean.
            remains.gone(self.private)
        self._unloaded = True
        return replace(proof, undone=(*undone, *proof.undone))


def check_times(found: Capabilities) -> None:
    """Raise ActivationFailed for a cron expression that can't be read: at load, not at its first run."""
    for mark, function in found.of("cron"):
        try:
            CronSim(mark.name, datetime.now())
        except CronSimError as error:
            raise ActivationFailed(
                f"the job {function.__name__} has the cron expression {mark.name!r}: {error}",
                mend="write five fields, such as '0 3 * * *'",
                step="start",
            ) from None


def job_name(mark: sdk.Mark, function: Callable[..., Any]) -> str:
    """How a job is called in lists and logs: its name and when it runs."""
    when = mark.name if mark.kind == "cron" else f"every {mark.seconds:g} s"
    return f"{function.__name__} ({when})"


def is_model(thing: Any) -> bool:
    """True for a pydantic model class."""
    return inspect.isclass(thing) and issubclass(thing, BaseModel)
