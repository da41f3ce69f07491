"""What changes a host: install, uninstall, toggle, upgrade, confirm, rollback, upload; and the plan of each."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from hotbay.confirm import confirm as confirm_change
from hotbay.confirmations import unconfirmed_rows
from hotbay.console.desk import (
    Actor,
    AddonId,
    Host,
    InstallBody,
    PlanBody,
    RollbackBody,
    Root,
    Runs,
    ToggleBody,
    UpgradeBody,
    Wait,
    Within,
)
from hotbay.console.runner import Job
from hotbay.console.shapes import answers
from hotbay.console.shapes.market import Confirmation
from hotbay.console.shapes.operations import OPERATION, Planned
from hotbay.console.uploads import discard, receive_file
from hotbay.errors import BadInput
from hotbay.model import DataPolicy, Kind, Rows
from hotbay.package import read_manifest
from hotbay.request import Request as Wish

router = APIRouter(tags=["operations"])
Policy = Annotated[Literal["keep", "export", "purge"], Query(description="what becomes of the plugin's rows")]

_FILE = {"requestBody": {"content": {"multipart/form-data": {}}, "required": True}}


@router.post("/install", **OPERATION)
async def install(body: InstallBody, runs: Runs, actor: Actor, root: Root, wait: Wait = True) -> Response:
    """Install a plugin from the configured source."""
    return await runs.answer(_install(runs.hotbay, body, actor), wait=wait, root_path=root)


@router.post("/install-remote", **OPERATION)
async def install_remote(body: InstallBody, runs: Runs, actor: Actor, root: Root, wait: Wait = True) -> Response:
    """Install a plugin from the repository at PLUGIN_SERVER_URL, whatever the configured source is."""
    job = _install(runs.hotbay, body, actor, remote=True)
    return await runs.answer(job, wait=wait, root_path=root)


def _install(hotbay: Host, body: InstallBody, actor: str, *, remote: bool = False) -> Job:
    wanted = Wish(
        Kind.INSTALL,
        body.addon_id,
        body.version,
        sha256=body.sha256.lower(),
        restore=_export(hotbay, body.restore),
        inactive=body.inactive,
        with_requirements=body.with_requirements,
        confirm_within=float(body.confirm_within),
    )
    return Job(wanted, actor, remote=remote, settings=body.settings)


def _export(hotbay: Host, name: str) -> str:
    """Over HTTP only exports (by name) and backups (by number) of this host can be restored. Raises BadInput."""
    if name in ("", "latest") or name.isdigit():
        return name
    folder: Path = hotbay.settings.exports
    if "/" in name or "\\" in name or name.startswith(".") or not (folder / name).is_dir():
        raise BadInput(f"there is no export {name!r} on this host", mend="give `latest`, or an export's name")
    return str(folder / name)


@router.delete("/uninstall/{addon_id}", **OPERATION)
async def uninstall(
    addon_id: AddonId,
    runs: Runs,
    actor: Actor,
    root: Root,
    data: Policy = "export",
    force: bool = False,
    wait: Wait = True,
) -> Response:
    """Remove a plugin; by default its rows are written to a file that `restore` reads."""
    wanted = Wish(Kind.UNINSTALL, addon_id, data=DataPolicy(data), force=force)
    return await runs.answer(Job(wanted, actor), wait=wait, root_path=root)


@router.post("/toggle/{addon_id}", **OPERATION)
async def toggle(
    addon_id: AddonId,
    runs: Runs,
    actor: Actor,
    root: Root,
    body: Annotated[ToggleBody | None, Body()] = None,
    force: bool = False,
    wait: Wait = True,
) -> Response:
    """Activate or deactivate a plugin; without a body it changes its state."""
    row = await asyncio.to_thread(runs.hotbay.store.get_live, addon_id)
    enabled = not row.active if body is None or body.enabled is None else body.enabled
    wanted = Wish(Kind.ACTIVATE if enabled else Kind.DEACTIVATE, addon_id, force=force)
    return await runs.answer(Job(wanted, actor), wait=wait, root_path=root)


@router.post("/upgrade/{addon_id}", **OPERATION)
async def upgrade(
    addon_id: AddonId,
    runs: Runs,
    actor: Actor,
    root: Root,
    body: Annotated[UpgradeBody | None, Body()] = None,
    wait: Wait = True,
) -> Response:
    """Replace a plugin by another version while it serves; by default the highest."""
    body = body or UpgradeBody()
    wanted = Wish(
        Kind.UPGRADE,
        addon_id,
        body.version,
        sha256=body.sha256.lower(),
        with_requirements=body.with_requirements,
        confirm_within=float(body.confirm_within),
        rows=unconfirmed_rows(float(body.confirm_within), keep_new=body.keep_new_rows),
        accept_publisher=body.accept_publisher,
    )
    return await runs.answer(Job(wanted, actor), wait=wait, root_path=root)


@router.post("/rollback/{addon_id}", **OPERATION)
async def rollback(
    addon_id: AddonId,
    runs: Runs,
    actor: Actor,
    root: Root,
    body: Annotated[RollbackBody | None, Body()] = None,
    wait: Wait = True,
) -> Response:
    """Go back to a version that is kept here; by default the one before."""
    body = body or RollbackBody()
    rows = Rows.chosen(body.data, keep_new=body.keep_new_rows)
    wanted = Wish(Kind.ROLLBACK, addon_id, body.version, rows=rows, accept_loss=body.accept_loss)
    return await runs.answer(Job(wanted, actor), wait=wait, root_path=root)


@router.post("/confirm/{addon_id}", **answers(Confirmation))
def confirm(addon_id: AddonId, hotbay: Host, actor: Actor) -> Response:
    """Let the last install or upgrade stay that was to be confirmed. Safe to repeat; 409 `too-late` after its time."""
    return JSONResponse(confirm_change(hotbay.applier(actor), addon_id).to_json())


def _upload_wishes(
    activate: bool = True,
    confirm_within: Annotated[Within, Query()] = 0.0,
    keep_new_rows: bool = False,
    accept_publisher: bool = False,
) -> dict[str, Any]:
    """What is wished of an upload. `activate=false` leaves a new plugin inactive."""
    rows = unconfirmed_rows(float(confirm_within), keep_new=keep_new_rows)
    trial = {"confirm_within": float(confirm_within), "rows": rows}
    return {"inactive": not activate, "accept_publisher": accept_publisher, **trial}


UploadWishes = Annotated[dict[str, Any], Depends(_upload_wishes)]


@router.post("/upload", openapi_extra=_FILE, **OPERATION)
async def upload(
    request: Request, runs: Runs, actor: Actor, root: Root, wishes: UploadWishes, wait: Wait = True
) -> Response:
    """Install the uploaded package, or upgrade the plugin to it.

    Its signature comes in the same body, in the field `signature`.
    """
    file = await receive_file(request, runs.hotbay.settings.home / "uploads")
    try:
        wanted = await asyncio.to_thread(_uploaded, runs.hotbay, file, wishes)
    except BaseException:
        discard(file)
        raise
    return await runs.answer(Job(wanted, actor, file=file), wait=wait, root_path=root)


@router.post("/upload/plan", openapi_extra=_FILE, **answers(Planned))
async def plan_upload(request: Request, runs: Runs, actor: Actor, wishes: UploadWishes) -> dict[str, Any]:
    """The steps of an upload, printed and as data; nothing is changed, and the file is not kept."""
    hotbay = runs.hotbay
    file = await receive_file(request, hotbay.settings.home / "uploads")
    try:
        return await asyncio.to_thread(lambda: _planned(hotbay, _uploaded(hotbay, file, wishes), actor))
    finally:
        discard(file)


def _uploaded(hotbay: Host, file: Path, wishes: dict[str, Any]) -> Wish:
    manifest = read_manifest(file)
    kind = Kind.UPGRADE if hotbay.store.find_live(manifest.id) is not None else Kind.INSTALL
    return Wish(kind, manifest.id, manifest.version, file=file, **wishes)


@router.post("/plan", **answers(Planned))
def plan(body: PlanBody, hotbay: Host, actor: Actor) -> dict[str, Any]:
    """The steps of an operation, printed and as data; nothing is changed."""
    wanted = Wish(
        Kind(body.kind),
        body.addon_id,
        body.version,
        sha256=body.sha256.lower(),
        **_policies(body),
        restore=_export(hotbay, body.restore),
        inactive=body.inactive,
        with_requirements=body.with_requirements,
        force=body.force,
        confirm_within=float(body.confirm_within),
    )
    return _planned(hotbay, wanted, actor)


def _planned(hotbay: Host, wanted: Wish, actor: str) -> dict[str, Any]:
    made = hotbay.applier(actor).plan(wanted)
    return {"plan": made.to_json(), "text": str(made)}


def _policies(body: PlanBody) -> dict[str, Any]:
    """What `data` means to the kind of operation. Raises BadInput."""
    if body.kind == "uninstall" and body.data != "restore":
        return {"data": DataPolicy(body.data or "export")}
    if body.data in ("", "restore", "keep"):
        return {"rows": Rows.chosen(body.data, keep_new=body.keep_new_rows), "backup": body.backup}
    raise BadInput(f"data={body.data} is nothing for {body.kind}", mend="export and purge belong to uninstall")
