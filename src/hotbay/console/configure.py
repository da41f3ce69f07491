"""Plugins' settings: what may be shown, and changes that the plugin's own model accepts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body
from starlette.concurrency import run_in_threadpool

from hotbay import store
from hotbay.console.desk import Actor, AddonId, Host
from hotbay.errors import HotbayError

router = APIRouter(tags=["settings"])
Values = Annotated[dict[str, Any], Body(description="values by name; null removes one, the mask leaves a secret")]


@router.get("/settings/{addon_id}")
def read(addon_id: AddonId, hotbay: Host) -> dict[str, Any]:
    """The schema of a plugin's settings, and their values; secrets are masked."""
    return _shown(hotbay, addon_id)


@router.patch("/settings/{addon_id}")
async def change(addon_id: AddonId, values: Values, hotbay: Host, actor: Actor) -> dict[str, Any]:
    """Change the settings that are named; every worker takes them at once, nothing is restarted."""
    return await _change(hotbay, addon_id, values, actor, replace=False)


@router.put("/settings/{addon_id}")
async def replace(addon_id: AddonId, values: Values, hotbay: Host, actor: Actor) -> dict[str, Any]:
    """Replace all settings; what is not named goes back to its default."""
    return await _change(hotbay, addon_id, values, actor, replace=True)


async def _change(hotbay: Host, plugin: str, values: dict[str, Any], actor: str, *, replace: bool) -> dict[str, Any]:
    try:
        await hotbay.change_settings(plugin, values, replace=replace)
    except HotbayError as error:
        await run_in_threadpool(_note, hotbay, plugin, actor, f"refused: {error.code}", values)
        raise
    await run_in_threadpool(_note, hotbay, plugin, actor, "done", values)
    return await run_in_threadpool(_shown, hotbay, plugin)


def _note(hotbay: Host, plugin: str, actor: str, result: str, values: dict[str, Any]) -> None:
    """The audit gets the names of the settings, never their values."""
    row = hotbay.store.find_live(plugin)
    version = row.version if row is not None else ""
    detail = {"fields": sorted(values)}
    with hotbay.store.write() as connection:
        store.add_audit(
            connection,
            actor=actor,
            action="settings",
            plugin=plugin,
            before=version,
            after=version,
            result=result,
            operation=None,
            detail=detail,
        )


def _shown(hotbay: Host, plugin: str) -> dict[str, Any]:
    row = hotbay.store.get_live(plugin)
    schema = row.contributions.settings_schema
    return {
        "addon_id": plugin,
        "schema": schema,
        "values": hotbay.vault.show(plugin, schema),
        "revision": row.settings_rev,
    }
