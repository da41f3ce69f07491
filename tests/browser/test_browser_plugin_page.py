"""The page of one installed plugin: what waits for a confirmation, and its tabs."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from browser.conftest import Visitor
from browser.site import API, PLUGIN, Site


def upgraded(site: Site, admin: Visitor) -> Page:
    """A tab in which somebody upgraded with ten minutes to confirm."""
    site.install("1.0.0")
    page = admin.tab(f"/plugins/{PLUGIN}")
    page.get_by_role("button", name="Upgrade to 1.1.0").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("switch", name="Confirm, or it goes back").click()
    expect(dialog.get_by_text("not confirmed within 600 s: back to 1.0.0")).to_be_visible()
    dialog.get_by_role("button", name="Upgrade", exact=True).click()
    dialog.get_by_role("button", name="Close").last.click()
    expect(page.get_by_role("timer")).to_contain_text("to confirm")
    return page


def state(site: Site) -> str:
    (row,) = site.client.get(f"{API}/marketplace/installed").json()["addons"]
    return f"{row['version']} {row['confirmation']['state']}"


def test_an_upgrade_is_confirmed_from_another_page(site: Site, admin: Visitor) -> None:
    upgraded(site, admin)
    other = admin.tab("/operations")
    expect(other.get_by_role("timer")).to_contain_text("to confirm")
    other.get_by_role("button", name="Confirm").click()
    expect(other.get_by_role("timer")).to_have_count(0)
    assert state(site) == "1.1.0 confirmed"


def test_an_upgrade_is_reverted_by_hand(site: Site, admin: Visitor) -> None:
    page = upgraded(site, admin)
    page.get_by_role("button", name="Revert now").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("1.1.0 → 1.0.0")).to_be_visible()
    dialog.get_by_role("button", name="Roll back").click()
    dialog.get_by_role("button", name="Close").last.click()
    expect(page.get_by_role("timer")).to_have_count(0)
    assert state(site) == "1.0.0 dropped"
