"""The page of one installed plugin: what waits for a confirmation, and its tabs."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from browser.conftest import Visitor
from browser.site import API, PLUGIN, Site

HIGHEST = "1.3.0"


def upgraded(site: Site, admin: Visitor) -> Page:
    """A tab in which somebody upgraded with ten minutes to confirm."""
    site.install("1.0.0")
    page = admin.tab(f"/plugins/{PLUGIN}")
    page.get_by_role("button", name=f"Upgrade to {HIGHEST}").click()
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
    assert state(site) == f"{HIGHEST} confirmed"


def test_an_upgrade_is_reverted_by_hand(site: Site, admin: Visitor) -> None:
    page = upgraded(site, admin)
    page.get_by_role("button", name="Revert now").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(f"{HIGHEST} → 1.0.0")).to_be_visible()
    dialog.get_by_role("button", name="Roll back").click()
    dialog.get_by_role("button", name="Close").last.click()
    expect(page.get_by_role("timer")).to_have_count(0)
    assert state(site) == "1.0.0 dropped"


def test_its_tabs(site: Site, admin: Visitor) -> None:
    site.client.post(f"{API}/marketplace/install", json={"addon_id": "ai_chatbot"}).raise_for_status()
    site.client.get(f"{API}/chat/sessions")
    page = admin.tab("/plugins/ai_chatbot")
    expect(page.get_by_role("img", name="Requests: last 4 minutes")).to_be_visible()
    expect(page.get_by_role("link", name="install ai_chatbot 1.1.0")).to_be_visible()
    page.get_by_role("tab", name="Files").click()
    page.get_by_role("textbox", name="Search files").fill("metadata")
    expect(page.get_by_role("cell", name="metadata.json")).to_be_visible()
    page.get_by_role("tab", name="Tables").click()
    expect(page.get_by_role("cell", name="chat_sessions", exact=True)).to_be_visible()
    page.get_by_role("tab", name="Backups").click()
    page.get_by_role("button", name="Back up now").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Back up", exact=True).click()
    expect(dialog.get_by_text("The rows before it are backup")).to_be_visible()
    dialog.get_by_role("button", name="Close").last.click()
    # Other tests' plugins of that name may have left theirs.
    made = page.get_by_role("row").filter(has_text="by wish")
    expect(made).to_have_count(1)
    page.reload()
    expect(made.get_by_role("button", name="Restore")).to_be_visible()


def test_a_plan_in_german(site: Site, admin: Visitor) -> None:
    site.install("1.0.0")
    page = admin.tab(f"/plugins/{PLUGIN}")
    page.evaluate("localStorage.setItem('hotbay.language', 'de')")
    page.reload()
    page.get_by_role("button", name=f"Auf {HIGHEST} aktualisieren").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(f"jeden Worker von 1.0.0 auf {HIGHEST} umschalten")).to_be_visible()
    expect(dialog.get_by_text("start and check")).to_have_count(0)


def test_what_the_server_says_in_german(site: Site, admin: Visitor) -> None:
    body = {"addon_id": "ai_chatbot"}
    site.client.post(f"{API}/marketplace/install", json=body).raise_for_status()
    page = admin.tab("/health")
    expect(page.get_by_text("worker(s) serve")).to_be_visible()
    page.evaluate("localStorage.setItem('hotbay.language', 'de')")
    page.reload()
    expect(page.get_by_text("2 Worker arbeiten")).to_be_visible()
    expect(page.get_by_text("Speicherplatz")).to_be_visible()
    expect(page.get_by_text("worker(s) serve")).to_have_count(0)
    page.goto(f"{site.url}/plugins/ai_chatbot")
    page.get_by_role("button", name="Deinstallieren").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Löschen", exact=True).first.click()
    expect(dialog.get_by_text("gehen verloren")).to_be_visible()
    page.goto(f"{site.url}/plugins/ai_chatbot?tab=settings")
    expect(page.get_by_role("textbox", name="API key")).to_be_visible()
