"""Trusted publishers over HTTP: list them, trust a key, trust it no more. For administrators, as all of this API."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from hotbay.console.desk import Actor, Host, PublisherBody
from hotbay.console.shapes import answers
from hotbay.console.shapes.market import Publishers

router = APIRouter(tags=["publishers"])
KeyId = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


@router.get("/publishers", **answers(Publishers))
def publishers(hotbay: Host) -> dict[str, Any]:
    """The publishers whose packages count as verified here."""
    return _shown(hotbay)


@router.post("/publishers", **answers(Publishers))
def trust(body: PublisherBody, hotbay: Host, actor: Actor) -> dict[str, Any]:
    """Trust a public key under its publisher's name. Safe to repeat; 409 when the key belongs to another name."""
    hotbay.publishers.trust(body.name, body.key, actor)
    return _shown(hotbay)


@router.delete("/publishers/{keyid}", **answers(Publishers))
def distrust(keyid: KeyId, hotbay: Host, actor: Actor) -> dict[str, Any]:
    """Trust a key no more. What is installed stays."""
    hotbay.publishers.distrust(keyid, actor)
    return _shown(hotbay)


def _shown(hotbay: Host) -> dict[str, Any]:
    rows = [one.to_json() for one in hotbay.publishers.all()]
    return {"publishers": rows, "required": hotbay.settings.require_signature}
