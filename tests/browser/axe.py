"""What axe finds on a page, in light and in dark."""

from __future__ import annotations

from typing import Any, Literal

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Page

GRAVE = ("serious", "critical")
# A page is the same in both schemes but for its colours.
_COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
_RUN = "(options) => axe.run(document, {resultTypes: ['violations'], ...options})"
_STILL = """() => {
  const sheet = document.createElement('style');
  sheet.nonce = document.getElementById('hotbay-main').nonce;
  sheet.textContent = '*, *::before, *::after { transition: none !important; animation: none !important }';
  document.head.append(sheet);
}"""


def findings(page: Page) -> list[str]:
    """The grave findings of the page as it is now: rule, place, and what is wrong. Leaves the page in light."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
        page.evaluate(_STILL)
    found = _told("light", page.evaluate(_RUN, {}))
    _paint(page, "dark")
    found += _told("dark", page.evaluate(_RUN, _COLOURS))
    _paint(page, "light")
    return found


def _paint(page: Page, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    page.wait_for_selector(f"html[data-mantine-color-scheme={scheme}]")


def _told(scheme: str, result: dict[str, Any]) -> list[str]:
    return [
        f"{scheme}: {rule['id']} at {' '.join(map(str, node['target']))}: {' '.join(node['failureSummary'].split())}"
        for rule in result["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]
