"""The console's page and its files: one page for every address that nobody else answers, under a strict policy."""

from __future__ import annotations

import html
import secrets
from pathlib import Path
from typing import Any

from hotbay._version import __version__
from hotbay.activate import Receive, Scope, Send
from hotbay.answers import accepts_html, encodings, respond_json, respond_with
from hotbay.console.built import ANY_ORIGIN, FOREVER, Built, File, in_script, read_file
from hotbay.console.frames import FRAME, frame_page
from hotbay.console.own import OwnPages, bundle
from hotbay.settings import Settings
from hotbay.table import route_path

SHELL, OWN = "/hotbay/shell/", "/hotbay/host/"
_POLICY = (
    "default-src 'none'; script-src 'self' {map}; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types default"
)
_PAGE = """<!doctype html>
<html lang="en" data-mantine-color-scheme="light">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
{icon}
<style nonce="{nonce}">@media (prefers-color-scheme: dark) {{ html {{ background: #101216 }} }}</style>
{links}
<script type="importmap">{map}</script>
<script type="application/json" id="hotbay-boot">{boot}</script>
<script type="module" src="{main}" nonce="{nonce}" id="hotbay-main"></script>
</head>
<body>
<div id="root"></div>
<noscript>This page needs JavaScript.</noscript>
</body>
</html>
"""


class Pages:
    """Serves the console of one host: its files below `/hotbay/`, and its page below `console`.

    `console` None switches the page off. `frontend` is a folder with the host's own pages.
    """

    def __init__(self, settings: Settings, console: str | None, frontend: Path | None = None) -> None:
        self.settings = settings
        self.roots = (SHELL, OWN, FRAME)
        self.root = None if console is None else "/" + console.strip("/")
        self.frontend = frontend
        self.built = Built()
        self.own: OwnPages | None = None
        self._name = ""

    def prepare(self, name: str) -> None:
        """Bundle the host's own pages; `name` is the host's, where the settings name no brand. Raises InvalidConfig."""
        self._name = self.settings.brand_name or name
        if self.root is not None and self.frontend is not None and self.built.exists:
            self.own = bundle(self.frontend, self.settings.home / "cache" / "host")

    def owns(self, path: str) -> bool:
        """True for the addresses of files."""
        return self.root is not None and (path.startswith((SHELL, OWN)) or self._is_frame(path))

    def _is_frame(self, path: str) -> bool:
        return path == FRAME and self.settings.frontend_frames not in ("none", ())

    def shows(self, scope: Scope) -> bool:
        """True when a browser asks for a page below the console: whoever answers nothing himself leaves it to us."""
        if self.root is None or scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return False
        path = route_path(scope)
        below = self.root in ("/", path) or path.startswith(self.root + "/")
        return below and not self._reserved(path) and accepts_html(scope)

    def _reserved(self, path: str) -> bool:
        prefix = self.settings.api_prefix
        return path.startswith("/hotbay/") or (bool(prefix) and (path + "/").startswith(prefix + "/"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that `owns` or `shows` was true for."""
        path = route_path(scope)
        if not self.built.exists:
            detail = "the console was not built with this installation"
            mend = "in a checkout: `pip install -e .`; elsewhere install Hotbay from its wheel"
            await respond_json(send, 503, {"status": 503, "code": "not-built", "detail": detail, "mend": mend})
        elif self._is_frame(path) and scope["method"] in ("GET", "HEAD"):
            page, headers = frame_page(self.built, self._boot(scope.get("root_path", "")))
            await _answer(scope, send, page.encode(), headers)
        elif self.owns(path):
            await self._send_file(path, scope, send)
        else:
            await self._send_page(scope, send)

    # ── files ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _send_file(self, path: str, scope: Scope, send: Send) -> None:
        found = self._find(path, encodings(scope)) if scope.get("method") in ("GET", "HEAD") else None
        if found is None:
            await respond_json(send, 404, {"status": 404, "code": "not-found", "detail": "there is no such file"})
            return
        headers = {"Content-Type": found.kind, "Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
        if found.encoding:
            headers["Content-Encoding"] = found.encoding
        if path.startswith(SHELL):
            headers |= ANY_ORIGIN
        await _answer(scope, send, found.data, headers)

    def _find(self, path: str, accepted: set[str]) -> File | None:
        if path.startswith(SHELL):
            return self.built.file(path.removeprefix(SHELL), accepted)
        digest, _, name = path.removeprefix(OWN).partition("/")
        return read_file(self.own.folder, name) if self.own is not None and digest == self.own.digest else None

    # ── the page ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _send_page(self, scope: Scope, send: Send) -> None:
        nonce = secrets.token_urlsafe(16)
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-store",
            "Content-Security-Policy": _POLICY.format(map=self.built.import_map_hash, nonce=nonce),
            "Referrer-Policy": "same-origin",
        }
        await _answer(scope, send, self._page(nonce, scope.get("root_path", "")).encode(), headers)

    def _page(self, nonce: str, root: str) -> str:
        entry = self.built.entry
        links = [f'<link rel="stylesheet" href="{file}">' for file in entry["styles"]]
        links += [f'<link rel="modulepreload" href="{file}">' for file in entry["preload"]]
        logo = self.settings.brand_logo
        return _PAGE.format(
            title=html.escape(self._name),
            icon=f'<link rel="icon" href="{html.escape(logo)}">' if logo else '<link rel="icon" href="data:,">',
            nonce=nonce,
            links="\n".join(links),
            map=self.built.import_map,
            boot=in_script(self._boot(root)),
            main=entry["main"],
        )

    def _boot(self, root: str) -> dict[str, Any]:
        own, settings = self.own, self.settings
        host = None
        if own is not None:
            base = f"{OWN}{own.digest}/"
            host = {"module": base + own.module, "styles": [base + name for name in own.styles]}
        return {
            "api": root + settings.api_prefix,
            "console": root + (self.root or "/"),
            "brand": {"name": self._name, "logo": settings.brand_logo, "color": settings.brand_color},
            "login": settings.login_url,
            "host": host,
            "frame": root + FRAME,
            "safeMode": settings.safe_mode,
            "version": __version__,
        }


async def _answer(scope: Scope, send: Send, body: bytes, headers: dict[str, str]) -> None:
    named = {**headers, "Content-Length": str(len(body)), "X-Content-Type-Options": "nosniff"}
    await respond_with(send, 200, named, b"" if scope["method"] == "HEAD" else body)
