"""The page of one installed plugin: what waits for a confirmation, and its tabs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Page, expect

from browser.conftest import Visitor
from browser.dialogs import close
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
    close(dialog)
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
    close(dialog)
    expect(page.get_by_role("timer")).to_have_count(0)
    assert state(site) == "1.0.0 dropped"


def test_a_change_reverted_above_another_page_is_told_to_its_end(site: Site, admin: Visitor) -> None:
    site.install("1.0.0")
    body = {"version": HIGHEST, "confirm_within": 600}
    site.client.post(f"{API}/marketplace/upgrade/{PLUGIN}", json=body).raise_for_status()
    page = admin.tab("/operations")
    page.get_by_role("button", name="Revert now").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Roll back").click()
    expect(dialog.get_by_text("was rolled back")).to_be_visible()
    expect(page.get_by_role("timer")).to_have_count(0)
    close(dialog)
    expect(dialog).to_have_count(0)


def test_an_uninstall_says_where_the_rows_are_although_the_plugin_is_gone(site: Site, admin: Visitor) -> None:
    site.client.post(f"{API}/marketplace/install", json={"addon_id": "ai_chatbot"}).raise_for_status()
    page = admin.tab("/plugins/ai_chatbot")
    page.get_by_role("button", name="Uninstall").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Uninstall").click()
    expect(dialog.get_by_text("Its rows are in")).to_be_visible()
    close(dialog)
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("AI Chatbot is not installed")).to_be_visible()


def test_the_badge_of_an_update_goes_when_another_administrator_upgrades(site: Site, admin: Visitor) -> None:
    site.install("1.0.0")
    page = admin.tab("/plugins")
    expect(page.get_by_text("Update", exact=True)).to_be_visible()
    site.upgrade(HIGHEST)
    expect(page.get_by_role("cell", name=HIGHEST, exact=True)).to_be_visible()
    expect(page.get_by_text("Update", exact=True)).to_have_count(0)


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
    close(dialog)
    # Other tests' plugins of that name may have left theirs.
    made = page.get_by_role("row").filter(has_text="by wish")
    expect(made).to_have_count(1)
    page.reload()
    expect(made.get_by_role("button", name="Restore")).to_be_visible()
    made.get_by_role("button", name="Delete").dblclick()
    expect(made.get_by_role("button", name="Really delete?")).to_be_visible()
    page.get_by_role("tab", name="Backups").focus()
    made.get_by_role("button", name="Delete").click()
    made.get_by_role("button", name="Really delete?").click()
    expect(made).to_have_count(0)


def test_a_plan_in_german(site: Site, admin: Visitor) -> None:
    site.install("1.0.0")
    page = admin.tab(f"/plugins/{PLUGIN}")
    page.evaluate("localStorage.setItem('hotbay.language', 'de')")
    page.reload()
    page.get_by_role("button", name=f"Auf {HIGHEST} aktualisieren").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(f"jeden Worker von 1.0.0 auf {HIGHEST} umschalten")).to_be_visible()
    expect(dialog.get_by_text("start and check")).to_have_count(0)


def test_a_refusal_in_german(site: Site, admin: Visitor) -> None:
    site.offer("lonely", "1.0.0", {"README.md": "It needs company."}, requires=["nobody>=3"])
    admin.expected += ["409"]
    page = admin.tab("/marketplace/lonely")
    page.evaluate("localStorage.setItem('hotbay.language', 'de')")
    page.reload()
    page.get_by_role("button", name="installieren").first.click()
    alert = page.get_by_role("dialog").get_by_role("alert")
    expect(alert).to_contain_text("lonely 1.0.0 ist hier nicht verwendbar")
    expect(alert).to_contain_text("requires: braucht nobody>=3")
    expect(alert.get_by_text("can't be used")).to_have_count(0)


def test_a_failed_operation_in_german(site: Site, admin: Visitor) -> None:
    site.offer("sick", "1.0.0", {"backend/__init__.py": "", "backend/plugin.py": "import not_there_at_all\n"})
    assert site.client.post(f"{API}/marketplace/install", json={"addon_id": "sick"}).status_code == 422
    page = admin.tab("/operations")
    expect(page.get_by_text("sick 1.0.0 could not be imported: ModuleNotFoundError")).to_be_visible()
    page.evaluate("localStorage.setItem('hotbay.language', 'de')")
    page.reload()
    expect(page.get_by_text("sick 1.0.0 ließ sich nicht importieren: ModuleNotFoundError")).to_be_visible()
    page.get_by_role("link", name="sick").first.click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("sick 1.0.0 ließ sich nicht importieren: ModuleNotFoundError")
    expect(alert).to_contain_text("Berichtigen Sie das Plugin")


def test_what_the_server_says_in_german(site: Site, admin: Visitor) -> None:
    body = {"addon_id": "ai_chatbot"}
    site.client.post(f"{API}/marketplace/install", json=body).raise_for_status()
    half = Path(site.environment["HOTBAY_HOME"]) / "images" / ".gone-x"
    half.mkdir()
    page = admin.tab("/health")
    expect(page.get_by_text("worker(s) serve")).to_be_visible()
    expect(page.get_by_text("“Mend” deletes it").first).to_be_visible()
    expect(page.get_by_text("--mend")).to_have_count(0)
    page.evaluate("localStorage.setItem('hotbay.language', 'de')")
    page.reload()
    expect(page.get_by_text("2 Worker arbeiten")).to_be_visible()
    expect(page.get_by_text("Speicherplatz")).to_be_visible()
    expect(page.get_by_text("„Beheben“ löscht es").first).to_be_visible()
    half.rmdir()
    expect(page.get_by_text("worker(s) serve")).to_have_count(0)
    page.goto(f"{site.url}/plugins/ai_chatbot")
    page.get_by_role("button", name="Deinstallieren").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Löschen", exact=True).first.click()
    expect(dialog.get_by_text("chat_sessions gehen verloren")).to_be_visible()
    page.goto(f"{site.url}/plugins/ai_chatbot?tab=settings")
    expect(page.get_by_role("textbox", name="API key")).to_be_visible()


def test_what_an_upgrade_asks_for_anew_and_does_to_tables_is_told_before(site: Site, admin: Visitor) -> None:
    first = {"migrations/0001_a.up.sql": "CREATE TABLE diary_days (day TEXT, words INTEGER);"}
    second = {"migrations/0002_b.up.sql": "UPDATE diary_days SET words = 0 WHERE words IS NULL;"}
    site.offer("diary", "1.0.0", first, permissions=["database.create_tables"])
    wishes = {"permissions": ["database.create_tables", "network"], "database": {"reads": ["invoices"]}}
    site.offer("diary", "1.1.0", first | second, **wishes)
    site.client.post(f"{API}/marketplace/install", json={"addon_id": "diary", "version": "1.0.0"}).raise_for_status()
    page = admin.tab("/plugins/diary")
    page.get_by_role("button", name="Upgrade to 1.1.0").click()
    dialog = page.get_by_role("dialog")
    wished = dialog.get_by_role("listitem")
    expect(wished.filter(has_text="Connect to other servers")).to_contain_text("new")
    expect(wished.filter(has_text="Read the host's table invoices")).to_contain_text("new")
    expect(wished.filter(has_text="Make tables of its own")).not_to_contain_text("new")
    expect(dialog.get_by_text("Its requests wait while this runs")).to_be_visible()
    expect(dialog.get_by_text("changes rows of diary_days")).to_contain_text("0002_b.up.sql:1")
    dialog.get_by_role("button", name="Upgrade", exact=True).click()
    close(dialog)
    with closing(sqlite3.connect(site.folder / "billing.db")) as connection, connection:
        connection.execute("INSERT INTO diary_days VALUES ('monday', 12)")
    page.get_by_role("button", name="Roll back").first.click()
    expect(page.get_by_role("dialog").get_by_text("diary_days: lost: 1 added")).to_be_visible()


def test_a_step_that_failed_says_why(site: Site, admin: Visitor) -> None:
    site.offer("broken", "1.0.0", {"backend/__init__.py": "", "backend/routes.py": "1 / 0\n"})
    page = admin.tab("/marketplace/broken")
    page.get_by_role("button", name="Install").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Install", exact=True).click()
    failed = page.locator(".hb-step[data-state=failed]")
    expect(dialog.locator(failed)).to_contain_text("ZeroDivisionError")
    dialog.get_by_role("button", name="Details").click()
    expect(page.get_by_role("heading", name="install broken 1.0.0")).to_be_visible()
    expect(failed).to_contain_text("ZeroDivisionError")
