"""What is open in a browser changes by itself: menu entries, pages and widgets come, go and are replaced."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from browser.conftest import Visitor
from browser.site import Site


def no_reload(page: Page) -> None:
    """Mark the page: a reload would lose the mark."""
    page.evaluate("window.marked = true")


def kept(page: Page) -> bool:
    return bool(page.evaluate("window.marked === true"))


def test_menu_entry_page_and_widget_come_and_go(site: Site, admin: Visitor, guest: Visitor) -> None:
    menu, page, home = admin.tab("/dashboard"), admin.tab("/support/notes"), guest.tab("/")
    entry = menu.get_by_role("link", name="Live Notes")
    widget = home.get_by_role("button", name="Write a note")
    expect(page.get_by_text("Live Notes Addon Not Installed")).to_be_visible()
    expect(home.get_by_role("heading", name="Products")).to_be_visible()
    expect(entry).to_have_count(0)
    for one in (menu, page, home):
        no_reload(one)
    site.install()
    expect(entry).to_be_visible()
    expect(page.get_by_text("Version 1.0.0")).to_be_visible()
    expect(widget).to_be_visible()
    site.remove()
    expect(entry).to_have_count(0)
    expect(page.get_by_text("Live Notes Addon Not Installed")).to_be_visible()
    expect(widget).to_have_count(0)
    assert all(kept(one) for one in (menu, page, home))


def test_an_upgrade_keeps_what_is_typed(site: Site, admin: Visitor) -> None:
    site.install("1.0.0")
    page = admin.tab("/support/notes")
    page.get_by_label("Answer").fill("half an ans")
    no_reload(page)
    site.upgrade("1.1.0")
    expect(page.get_by_text("Version 1.1.0")).to_be_visible()
    expect(page.get_by_label("Answer")).to_have_value("half an ans")
    assert kept(page)


def test_a_page_that_breaks_takes_nothing_with_it(site: Site, admin: Visitor) -> None:
    site.install("1.1.0")
    admin.expected += ["the page broke", "error boundary", "above error"]
    page = admin.tab("/support/notes")
    page.get_by_label("Answer").fill("crash")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Live Notes has a problem")
    expect(page.get_by_role("link", name="Dashboard")).to_be_visible()
    page.goto(site.url + "/plugins/live_notes")
    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_label("Log", exact=True)).to_contain_text("the page broke")


def test_a_guest_is_asked_to_log_in_and_comes_back(site: Site, guest: Visitor) -> None:
    site.install("1.1.0")
    guest.expected += ["401"]
    page = guest.tab("/support/notes")
    page.get_by_label("E-mail").fill("admin@example.com")
    page.get_by_label("Password").first.fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("E-mail or password is wrong")
    page.get_by_label("Password").first.fill("correct horse")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Live Notes")).to_be_visible()


def test_many_tabs_share_one_stream(site: Site, admin: Visitor) -> None:
    streams: list[str] = []
    admin.context.on(
        "request", lambda request: streams.append(request.url) if "/registry/events" in request.url else None
    )
    tabs = [admin.tab("/sources") for _ in range(4)]
    for tab in tabs:
        expect(tab.get_by_role("heading", name="Sources")).to_be_visible()
    site.install()
    for tab in tabs:
        expect(tab.get_by_role("link", name="Live Notes")).to_be_visible()
    assert len(streams) == 1
    # Who listened is gone: another tab takes its place.
    tabs[0].close()
    site.remove()
    for tab in tabs[1:]:
        expect(tab.get_by_role("link", name="Live Notes")).to_have_count(0)
    assert len(streams) == 2
