"""A host's state without its server: what the command line works on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from hotbay import store
from hotbay.activate import Image
from hotbay.activate.context import PluginContext, Resources, Unread
from hotbay.apply import Applier
from hotbay.bench import grant_for
from hotbay.catalog import Catalog
from hotbay.errors import HotbayError, InvalidSettings, NotFound, Problem
from hotbay.facts import gather
from hotbay.frameworks import FrameworkHost
from hotbay.guard import plugin_engine
from hotbay.images import Images
from hotbay.mishap import explained
from hotbay.outcome import Progress
from hotbay.rubbish import clear_rubbish
from hotbay.settings import Settings
from hotbay.store import Store, version_of
from hotbay.vault import Vault
from hotbay.workshop import LocalWorkshop


class _NoHub:
    """Stands where the worker would be: outside a server nobody listens and nobody answers."""

    async def emit(self, event: str, payload: dict[str, Any]) -> None:
        """Nobody listens."""

    async def filter(self, name: str, value: Any, info: dict[str, Any]) -> Any:
        """Nobody changes it."""
        return value

    async def serve_call(self, service: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Nobody answers."""
        raise NotFound(f"the service {service!r} is reached only in a running server")


@dataclass(frozen=True)
class OfflineHost:
    """Settings, registry, images, secrets, source and writer of one host."""

    settings: Settings
    store: Store
    images: Images
    vault: Vault
    catalog: Catalog
    applier: Applier
    workshop: LocalWorkshop

    def change_settings(self, plugin: str, changes: dict[str, Any], *, replace: bool = False) -> dict[str, Any]:
        """Validate and store a plugin's settings; a running server takes them at once. Answers what may be shown.

        Raises NotFound, or InvalidSettings with every wrong field; then nothing is changed.
        """
        try:
            shown = change_settings(self, plugin, changes, replace=replace)
        except HotbayError as error:
            self._audit(plugin, changes, f"refused: {error.code}")
            raise
        self._audit(plugin, changes, "done")
        return shown

    def _audit(self, plugin: str, changes: dict[str, Any], result: str) -> None:
        """The audit gets the names of the settings, never their values."""
        row = self.store.find_live(plugin)
        version = row.version if row is not None else ""
        entry = {"actor": self.applier.actor, "action": "settings", "plugin": plugin, "result": result}
        with self.store.write() as connection:
            store.add_audit(
                connection, **entry, before=version, after=version, operation=None, detail={"fields": sorted(changes)}
            )

    def close(self) -> None:
        """Close the database."""
        self.store.close()


def change_settings(host: Any, plugin: str, changes: dict[str, Any], *, replace: bool) -> dict[str, Any]:
    """See OfflineHost.change_settings; `host` has store, images, vault, workshop and applier."""
    row = host.store.get_live(plugin)
    image = Image(version_of(row), host.images.path(row.image), row.parsed)
    schema = row.contributions.settings_schema
    # The names alone: what is replaced need not be decrypted, so that a lost key can be mended like that.
    base = dict.fromkeys(name for part in host.store.read_settings(plugin) for name in part) if replace else {}

    def validate(model: Any) -> dict[str, Any]:
        if model is None:
            raise InvalidSettings(f"{plugin} has no settings", mend="define `class Settings(BaseModel)` in its backend")
        values: dict[str, Any] = host.vault.merge(plugin, {**base, **changes}, schema)
        return _validated(plugin, model, values)

    values = host.workshop.settings_model(image, validate)
    host.vault.write(plugin, values, schema)
    host.applier.beacon.bump()
    host.applier.workers.signal()
    shown: dict[str, Any] = host.vault.show(plugin, schema)
    return shown


def _validated(plugin: str, model: Any, values: dict[str, Any]) -> dict[str, Any]:
    from pydantic import ValidationError

    unknown = sorted(set(values) - set(model.model_fields))
    if unknown:
        problems = tuple(Problem(name, "is no setting of this plugin") for name in unknown)
        raise InvalidSettings(f"{plugin} does not know these settings", problems=problems)
    try:
        model.model_validate(values)
    except ValidationError as error:
        problems = tuple(_problem(item) for item in error.errors(include_input=False))
        raise InvalidSettings(f"the settings of {plugin} are not valid", problems=problems) from None
    return values


def _problem(item: Any) -> Problem:
    """The value is left out: it may be a secret."""
    return Problem(".".join(str(part) for part in item["loc"]) or "settings", item["msg"])


@explained()
def open_host(
    settings: Settings, actor: str = "cli", progress: Callable[[Progress], None] = lambda progress: None
) -> OfflineHost:
    """Open a host's state, whether its server runs or not. Plugins can import the host's modules from `app_dir`."""
    if settings.app_dir is not None and str(settings.app_dir) not in sys.path:
        sys.path.insert(0, str(settings.app_dir))
    clear_rubbish(settings.run)
    registry = Store(settings.database_path)
    vault, catalog = Vault(registry, settings.home / "secret.key"), Catalog(settings)
    workshop = LocalWorkshop(FrameworkHost(None), context_maker(settings, registry, vault), settings)
    applier = Applier(
        settings,
        registry,
        sources=catalog.source,
        facts=lambda: gather(registry),
        workshop=workshop,
        actor=actor,
        progress=progress,
    )
    return OfflineHost(settings, registry, Images(settings.images), vault, catalog, applier, workshop)


def context_maker(
    settings: Settings, registry: Store, vault: Vault, hub: Any = None
) -> Callable[[Image, int], PluginContext]:
    """A function that makes the context of a generation; call it on the loop that the generation will use."""

    def make(image: Image, number: int) -> PluginContext:
        plugin = image.version.plugin
        return PluginContext(
            Resources(
                plugin=plugin,
                version=image.version.version,
                number=number,
                data=settings.data / plugin,
                engine=lambda: plugin_engine(settings.database_path, grant_for(image.manifest, registry.all_live())),
                hub=hub or _NoHub(),
                settings=Unread(partial(vault.read, plugin)),
                loop=asyncio.get_running_loop(),
            )
        )

    return make
