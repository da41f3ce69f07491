"""The signed receipts of operations, and the key to verify them with."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from hotbay.console.desk import Host, Limit
from hotbay.console.shapes import answers
from hotbay.console.shapes.operations import PublicKey, Receipts, Signed
from hotbay.history import find_anchor
from hotbay.receipt import ALGORITHM, key_id, public_pem

router = APIRouter(tags=["receipts"])


@router.get("/operations/{number}/receipt", **answers(Signed))
def receipt(number: int, hotbay: Host) -> Response:
    """The receipt of one operation as it was signed; 404 with `pending` for one that is not written yet."""
    return JSONResponse(hotbay.notary.find(number))


@router.get("/receipts", **answers(Receipts))
def receipts(hotbay: Host, plugin: str = "", limit: Limit = 50) -> Response:
    """The signed receipts, the newest first, and the anchor that stands for those beyond the retention."""
    anchor = find_anchor(hotbay.store)
    return JSONResponse({"receipts": hotbay.notary.latest(plugin, limit), "anchor": anchor})


@router.get("/receipts/key", **answers(PublicKey))
def key(hotbay: Host) -> Response:
    """The public key (PEM) that this host signs with."""
    public = hotbay.notary.key.public
    return JSONResponse({"algorithm": ALGORITHM, "key": key_id(public), "pem": public_pem(public)})
