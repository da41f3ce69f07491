"""Backups over HTTP: list them, make one, put one in place, delete one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path
from starlette.responses import JSONResponse, Response

from hotbay.backups import list_backups
from hotbay.console.desk import Actor, AddonId, Host, RestoreBody, Root, Runs, Wait
from hotbay.console.runner import Job
from hotbay.console.shapes import answers
from hotbay.console.shapes.operations import OPERATION
from hotbay.console.shapes.plugin import Backups, Deleted
from hotbay.model import Kind, Rows
from hotbay.request import Request as Wish

router = APIRouter(tags=["backups"])
Number = Annotated[int, Path(ge=1, le=2**62)]


@router.get("/backups", **answers(Backups))
def backups(hotbay: Host, plugin: str = "") -> Response:
    """Backups, the newest first."""
    return JSONResponse({"backups": [item.to_json() for item in list_backups(hotbay.store, plugin)]})


@router.post("/backups/{addon_id}", **OPERATION)
async def back_up(addon_id: AddonId, runs: Runs, actor: Actor, root: Root, wait: Wait = True) -> Response:
    """Back a plugin's rows up."""
    job = Job(Wish(Kind.BACKUP, addon_id), actor)
    return await runs.answer(job, wait=wait, root_path=root)


@router.delete("/backups/{number}", **answers(Deleted))
def delete(number: Number, hotbay: Host, actor: Actor) -> Response:
    """Delete a backup for ever."""
    return JSONResponse({"deleted": hotbay.applier(actor).delete_backup(number).to_json()})


@router.post("/restore/{addon_id}", **OPERATION)
async def restore(
    addon_id: AddonId,
    runs: Runs,
    actor: Actor,
    root: Root,
    body: Annotated[RestoreBody | None, Body()] = None,
    wait: Wait = True,
) -> Response:
    """Put the rows of a backup in place; the present ones are backed up before."""
    body = body or RestoreBody()
    rows = Rows.chosen(keep_new=body.keep_new_rows)
    wanted = Wish(Kind.RESTORE, addon_id, backup=body.backup, rows=rows, accept_loss=body.accept_loss)
    return await runs.answer(Job(wanted, actor), wait=wait, root_path=root)
