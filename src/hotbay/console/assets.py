"""Plugins' compiled files as browsers get them: they never change under their address, so they may be kept for ever."""

from __future__ import annotations

import asyncio
import gzip
from functools import lru_cache
from pathlib import Path

from hotbay.activate import Receive, Scope, Send
from hotbay.answers import encodings, header, respond_json, respond_with
from hotbay.console.built import ANY_ORIGIN, FOREVER, KINDS
from hotbay.frontend.assets import Assets
from hotbay.settings import Settings
from hotbay.table import route_path

ROOT = "/hotbay/assets/"
# Opened by itself, a file can do nothing.
_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
_KINDS = KINDS | {".woff": "font/woff"}
_LARGE = 512 * 1024
_WORTH_PACKING = 1000


class AssetFiles:
    """Serves `/hotbay/assets/<plugin>/<digest>/<file>`: for GET and HEAD, with an ETag."""

    def __init__(self, settings: Settings) -> None:
        self.assets = Assets(settings.assets)
        self._on = settings.frontends
        self.roots = (ROOT,)

    def owns(self, path: str) -> bool:
        """True for the addresses of plugins' files."""
        return self._on and path.startswith(ROOT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that `owns` was true for."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": "no WebSocket here"})
            return
        if scope["method"] not in ("GET", "HEAD"):
            await respond_json(send, 405, {"status": 405, "code": "method-not-allowed", "detail": "only GET and HEAD"})
            return
        parts = route_path(scope).removeprefix(ROOT).split("/")
        file = self.assets.file(*parts) if len(parts) == 3 else None
        if file is None:
            detail = "there is no such file; it belonged to a version that is gone, or never was there"
            await respond_json(send, 404, {"status": 404, "code": "not-found", "detail": detail})
            return
        await self._send(file, f'"{parts[1]}-{parts[2]}"', scope, send)

    async def _send(self, file: Path, tag: str, scope: Scope, send: Send) -> None:
        fixed = {
            "ETag": tag,
            "Cache-Control": FOREVER,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": _POLICY,
            "Cross-Origin-Resource-Policy": "same-origin",
            **ANY_ORIGIN,
        }
        if tag in [part.strip().removeprefix("W/") for part in header(scope, b"if-none-match").split(",")]:
            await respond_with(send, 304, fixed, b"")
            return
        data, encoding = await asyncio.to_thread(_content, file, "gzip" in encodings(scope))
        about = {"Content-Type": _KINDS[file.suffix], "Content-Length": str(len(data))}
        about |= {"Content-Encoding": encoding} if encoding else {}
        await respond_with(send, 200, fixed | about, b"" if scope["method"] == "HEAD" else data)


def _content(file: Path, packed: bool) -> tuple[bytes, str]:
    if file.stat().st_size > _LARGE:
        return file.read_bytes(), ""
    return _kept(file, packed and file.suffix in (".js", ".css"))


@lru_cache(maxsize=256)
def _kept(file: Path, packed: bool) -> tuple[bytes, str]:
    data = file.read_bytes()
    return (gzip.compress(data, 6, mtime=0), "gzip") if packed and len(data) > _WORTH_PACKING else (data, "")
