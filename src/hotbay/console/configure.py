"""Plugins' settings: what may be shown, and changes that the plugin's own model accepts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hotbay.console.desk import Actor, AddonId, Host, LicenseBody
from hotbay.console.shapes import answers
from hotbay.console.shapes.plugin import License, Settings

router = APIRouter(tags=["settings"])
Values = Annotated[dict[str, Any], Body(description="values by name; null removes one, the mask leaves a secret")]


@router.get("/settings/{addon_id}", **answers(Settings))
def read(addon_id: AddonId, hotbay: Host) -> dict[str, Any]:
    """The schema of a plugin's settings, and their values; secrets are masked."""
    return _shown(hotbay, addon_id)


@router.patch("/settings/{addon_id}", **answers(Settings))
async def change(addon_id: AddonId, values: Values, hotbay: Host, actor: Actor) -> dict[str, Any]:
    """Change the settings that are named; every worker takes them at once, nothing is restarted."""
    return await _change(hotbay, addon_id, values, actor, replace=False)


@router.put("/settings/{addon_id}", **answers(Settings))
async def replace(addon_id: AddonId, values: Values, hotbay: Host, actor: Actor) -> dict[str, Any]:
    """Replace all settings; what is not named goes back to its default."""
    return await _change(hotbay, addon_id, values, actor, replace=True)


async def _change(hotbay: Host, plugin: str, values: dict[str, Any], actor: str, *, replace: bool) -> dict[str, Any]:
    await hotbay.change_settings(plugin, values, replace=replace, actor=actor)
    return await run_in_threadpool(_shown, hotbay, plugin)


@router.get("/license/{addon_id}", **answers(License))
def has_license(addon_id: AddonId, hotbay: Host) -> dict[str, Any]:
    """Whether there is a licence key for a plugin, installed or not; the key itself is never answered."""
    return {"addon_id": addon_id, "set": hotbay.licenses.known(addon_id)}


@router.put("/license/{addon_id}", **answers(License))
def put_license(addon_id: AddonId, body: LicenseBody, hotbay: Host, actor: Actor) -> dict[str, Any]:
    """Keep a licence key, encrypted, instead of the one before."""
    hotbay.licenses.put(addon_id, body.license_key.get_secret_value(), actor)
    return {"addon_id": addon_id, "set": True}


@router.delete("/license/{addon_id}", status_code=204)
def forget_license(addon_id: AddonId, hotbay: Host, actor: Actor) -> Response:
    """Forget a licence key. Safe to repeat."""
    hotbay.licenses.forget(addon_id, actor)
    return Response(status_code=204)


def _shown(hotbay: Host, plugin: str) -> dict[str, Any]:
    row = hotbay.store.get_live(plugin)
    schema = row.contributions.settings_schema
    return {
        "addon_id": plugin,
        "schema": schema,
        "values": hotbay.vault.show(plugin, schema),
        "revision": row.settings_rev,
    }
