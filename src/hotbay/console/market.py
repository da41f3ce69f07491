"""What there is: the offers of the source, and what is installed.

The functions are not async and return finished answers: a long list is read and encoded in a thread, not on the loop.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from starlette.responses import JSONResponse, Response

from hotbay.confirmations import find_confirmation, pending
from hotbay.console import shelf, showcase
from hotbay.console.desk import AddonId, Host, Limit
from hotbay.console.shapes import answers
from hotbay.console.shapes.market import AddonDetail, Addons, Confirmations, Installed
from hotbay.leaks import all_leaks
from hotbay.model import Live

router = APIRouter(tags=["marketplace"])
# A stranger's bytes: a picture, whatever they are.
_HARMLESS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, max-age=300",
}


@router.get("/addons", **answers(Addons))
def addons(
    hotbay: Host,
    search: str = "",
    category: str = "",
    installed: bool | None = None,
    paid: bool | None = None,
    runtime: Literal["", "inprocess", "isolated"] = "",
    limit: Limit = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """All plugins that the source offers or that are installed. `search` looks for all of its words."""
    every, problems = shelf.addons(hotbay)
    found = [one for one in every if one.fits(search, category, installed, paid=paid, runtime=runtime)]
    categories = {str(one.manifest.get("category")) for one in every if one.manifest.get("category")}
    body = {
        "addons": [one.to_json() for one in found[offset : offset + limit]],
        "total": len(found),
        "limit": limit,
        "offset": offset,
        "categories": sorted(categories),
        "source": hotbay.settings.plugin_source,
        "problems": problems,
    }
    return JSONResponse(body)


@router.get("/addons/{addon_id}", **answers(AddonDetail))
def addon(addon_id: AddonId, hotbay: Host) -> Response:
    """One plugin: its manifest, the packages that are offered, its README and what is installed of it."""
    found = shelf.addon(hotbay, addon_id)
    kept = [
        {"version": row["version"], "sha256": row["sha256"], "revision": row["revision"], "at": row["at"]}
        for row in hotbay.store.history(addon_id)
    ]
    body = found.to_json() | {
        "manifest": dict(found.manifest),
        "packages": found.packages(),
        "history": kept,
        "readme": showcase.readme(hotbay, found),
        "screenshots": showcase.pictures(hotbay, found),
        "live": _live(hotbay, found),
    }
    return JSONResponse(body)


@router.get("/addons/{addon_id}/screenshots/{name}")
def screenshot(addon_id: AddonId, name: Annotated[str, Path(max_length=120)], hotbay: Host) -> Response:
    """One picture of a plugin: png, jpeg or webp, of at most 2 MiB."""
    data = showcase.picture(hotbay, shelf.addon(hotbay, addon_id), name)
    kind = showcase.KINDS["." + name.rpartition(".")[2]]
    return Response(data, media_type=kind, headers=_HARMLESS)


def _live(hotbay: Host, found: shelf.Addon) -> dict[str, Any] | None:
    if found.live is None:
        return None
    leak, waiting = all_leaks(hotbay.store).get(found.id), find_confirmation(hotbay.store, found.id)
    return shelf.live_json(found.live, leak, waiting, found.policy)


@router.get("/installed", **answers(Installed))
def installed(hotbay: Host) -> Response:
    """What is installed, what each worker makes of it, and folders that could not be brought in."""
    return JSONResponse(shelf.installed(hotbay))


@router.get("/confirmations", **answers(Confirmations))
def confirmations(hotbay: Host) -> Response:
    """The changes that go back unless somebody confirms them, the most urgent first."""
    live = hotbay.store.all_live()
    rows = [one.to_json() | {"name": _name(live.get(one.plugin), one.plugin)} for one in pending(hotbay.store)]
    return JSONResponse({"confirmations": sorted(rows, key=lambda row: row["seconds_left"])})


def _name(row: Live | None, plugin: str) -> str:
    return str(row.manifest.get("name", plugin)) if row is not None else plugin
