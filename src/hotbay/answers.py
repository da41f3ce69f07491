"""What a worker itself answers: problem documents, and a page where a plugin's would be."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

from hotbay.activate import Scope, Send
from hotbay.table import Claim


async def give_up(scope: Scope, send: Send) -> None:
    """Answer what waited too long for a plugin that is held."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1013})
    else:
        detail = "the plugin is being changed and that takes longer than requests may wait"
        await respond_json(send, 503, {"status": 503, "code": "held", "detail": detail}, retry_after=5)


async def absent(claim: Claim, scope: Scope, send: Send) -> None:
    """Answer that a plugin is known here and not active: with a page where it has one, and one is wanted."""
    if claim.page and accepts_html(scope):
        await respond(send, 404, _page(claim, scope.get("root_path", "")), "text/html; charset=utf-8")
    else:
        await respond_json(send, 404, _absence(claim))


def _absence(claim: Claim) -> dict[str, Any]:
    return {
        "type": "urn:hotbay:error:plugin-not-active",
        "title": "Plugin not active",
        "status": 404,
        "code": "plugin-not-active",
        "plugin": claim.plugin,
        "detail": f"This is part of the plugin {claim.name} ({claim.plugin}), which is not active here.",
        "mend": claim.how,
    }


def _page(claim: Claim, root: str) -> bytes:
    name, how = html.escape(claim.name), html.escape(claim.how)
    way = f'<p><a href="{html.escape(root + claim.shop)}">Go to Marketplace</a></p>' if claim.shop else ""
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{name} is not installed</title>"
        f"<main><h1>{name} Addon Not Installed</h1><p>This page belongs to the plugin {name}, which is not active "
        f"here.</p><p>{how}</p>{way}</main></html>"
    ).encode()


def header(scope: Scope, name: bytes) -> str:
    """A header of a request, by its name in lower case; several of that name as one list, "" for none."""
    return ",".join(value.decode("latin-1") for key, value in scope.get("headers", ()) if key == name)


def accepts_html(scope: Scope) -> bool:
    """True for a browser that wants a page."""
    return "text/html" in header(scope, b"accept")


def encodings(scope: Scope) -> set[str]:
    """The content encodings that a client takes; their weights are not looked at."""
    return {part.partition(";")[0].strip() for part in header(scope, b"accept-encoding").split(",")}


async def respond(send: Send, status: int, body: bytes, kind: str, retry_after: int = 0) -> None:
    """Answer an HTTP request."""
    headers = {"Content-Type": kind, "Content-Length": str(len(body))}
    if retry_after:
        headers["Retry-After"] = str(retry_after)
    await respond_with(send, status, headers, body)


async def respond_with(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Answer an HTTP request with these headers, and no others."""
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def respond_json(send: Send, status: int, body: dict[str, Any], retry_after: int = 0) -> None:
    """Answer with a problem document (RFC 9457)."""
    await respond(send, status, json.dumps(body).encode(), "application/problem+json", retry_after)
