"""The page that a frontend runs in which the host does not trust: of an opaque origin, and connected to nothing.

It holds nothing of a plugin and of a viewer. The console around it hands over a channel, and says what to load.
"""

from __future__ import annotations

import secrets
from typing import Any

from hotbay.console.built import Built, in_script

FRAME = "/hotbay/frame"
_POLICY = (
    "default-src 'none'; script-src 'self' {map}; style-src 'self' 'nonce-{nonce}'; img-src data: blob:; "
    "font-src 'self'; connect-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-scripts; require-trusted-types-for 'script'; trusted-types default"
)
_PAGE = """<!doctype html>
<html lang="en" class="hb-framed">
<head>
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>Plugin</title>
{links}
<script type="importmap">{map}</script>
<script type="application/json" id="hotbay-boot">{boot}</script>
<script type="module" src="{main}" crossorigin="anonymous" nonce="{nonce}" id="hotbay-main"></script>
</head>
<body>
<div id="root"></div>
</body>
</html>
"""


def frame_page(built: Built, boot: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The page and its headers. `boot` is what the console tells its own page; everybody may know it."""
    nonce = secrets.token_urlsafe(16)
    links = [f'<link rel="stylesheet" crossorigin="anonymous" href="{file}">' for file in built.entry["styles"]]
    preload = built.entry["frame"]["preload"]
    links += [f'<link rel="modulepreload" crossorigin="anonymous" href="{file}">' for file in preload]
    page = _PAGE.format(
        links="\n".join(links),
        map=built.import_map,
        boot=in_script({name: boot[name] for name in ("api", "console", "brand")}),
        main=built.entry["frame"]["main"],
        nonce=nonce,
    )
    return page, {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Content-Security-Policy": _POLICY.format(map=built.import_map_hash, nonce=nonce),
        "Referrer-Policy": "no-referrer",
        "X-DNS-Prefetch-Control": "off",
    }
