"""Without a network, and without a server: open pages say so, go on by themselves, and catch up."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.conftest import Visitor
from browser.site import Site
from browser.test_browser_live import kept, no_reload

GONE = "No connection to the server"


def test_offline_and_back(site: Site, admin: Visitor) -> None:
    site.install("1.0.0")
    admin.expected += ["ERR_INTERNET_DISCONNECTED", "dynamically imported module"]
    page = admin.tab("/dashboard")
    expect(page.get_by_role("link", name="Live Notes")).to_be_visible()
    no_reload(page)
    admin.context.set_offline(True)
    expect(page.get_by_text(GONE)).to_be_visible()
    site.upgrade("1.2.0")
    # A page of the console, and one of a plugin, which this tab has never loaded.
    page.get_by_role("link", name="Live Notes").click()
    expect(page.get_by_role("alert")).to_contain_text("Live Notes has a problem")
    page.get_by_role("link", name="Audit").click()
    expect(page.get_by_role("link", name="Dashboard")).to_be_visible()
    admin.context.set_offline(False)
    expect(page.get_by_role("heading", level=1, name="Audit")).to_be_visible()
    expect(page.get_by_text(GONE)).to_have_count(0)
    page.go_back()
    expect(page.get_by_text("Version 1.2.0, second edition")).to_be_visible()
    site.remove()
    expect(page.get_by_role("link", name="Live Notes")).to_have_count(0)
    assert kept(page)


def test_a_restart_of_the_server(site: Site, admin: Visitor) -> None:
    admin.expected += ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY"]
    leader, other = admin.tab("/dashboard"), admin.tab("/support/notes")
    expect(leader.get_by_role("heading", level=1, name="Dashboard")).to_be_visible()
    expect(other.get_by_text("Live Notes Addon Not Installed")).to_be_visible()
    for page in (leader, other):
        no_reload(page)
    before = site.registry()
    site.stop()
    try:
        for page in (leader, other):
            expect(page.get_by_text(GONE)).to_be_visible()
        site.hotbay("install", "live_notes", "--version", "1.2.0")
    finally:
        site.start()
    # The same database: the revision goes on from where it was.
    after = site.registry()
    assert after["epoch"] == before["epoch"] and after["rev"] > before["rev"]
    expect(other.get_by_text("Version 1.2.0, second edition")).to_be_visible()
    expect(leader.get_by_role("link", name="Live Notes")).to_be_visible()
    for page in (leader, other):
        expect(page.get_by_text(GONE)).to_have_count(0)
    site.remove()
    expect(other.get_by_text("Live Notes Addon Not Installed")).to_be_visible()
    assert kept(leader) and kept(other)
