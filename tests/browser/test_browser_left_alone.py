"""A change whose dialog was closed while it ran still tells its end."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.conftest import Visitor
from browser.site import Site

SLOW = "import time\n\ntime.sleep(1.5)\n"


@pytest.mark.parametrize(
    ("plugin", "end", "told"),
    [
        ("slow_one", "router = None\n", "Slow One is installed"),
        ("broken_one", "1 / 0\n", "broken_one 1.0.0 could not be imported: ZeroDivisionError"),
    ],
)
def test_the_end_is_told_in_the_corner(site: Site, admin: Visitor, plugin: str, end: str, told: str) -> None:
    site.offer(plugin, "1.0.0", {"backend/__init__.py": "", "backend/plugin.py": SLOW + end})
    page = admin.tab(f"/marketplace/{plugin}")
    page.get_by_role("button", name="Install").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Install", exact=True).click()
    expect(dialog.get_by_role("button", name="Working …")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".hb-toasts")).to_contain_text(told)
