"""One installed plugin looked at closely: how it fared in the last minutes, its files, its tables."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from hotbay import belongings
from hotbay.activity import activity as fared
from hotbay.console.desk import AddonId, Host
from hotbay.console.shapes import answers
from hotbay.console.shapes.plugin import Activity, Files, Tables

router = APIRouter(tags=["marketplace"])


@router.get("/activity/{addon_id}", **answers(Activity))
def activity(addon_id: AddonId, hotbay: Host) -> Response:
    """Requests, failures and latencies of the last four minutes in spans of five seconds, all workers added up."""
    hotbay.store.get_live(addon_id)
    return JSONResponse({"addon_id": addon_id} | fared(hotbay.follower.workers, addon_id))


@router.get("/files/{addon_id}", **answers(Files))
def files(addon_id: AddonId, hotbay: Host) -> Response:
    """The files of the plugin's code in service and of its own folder, with their sizes."""
    return JSONResponse(belongings.files(hotbay.settings, hotbay.store, addon_id))


@router.get("/tables/{addon_id}", **answers(Tables))
def tables(addon_id: AddonId, hotbay: Host) -> Response:
    """The plugin's tables with their rows and bytes, and the host's tables that it may read."""
    return JSONResponse(belongings.tables(hotbay.settings, hotbay.store, addon_id))
