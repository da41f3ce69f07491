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
