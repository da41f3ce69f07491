"""Every page of console and panel for people who see little, or use no mouse: nothing serious that axe knows."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from browser.axe import findings
from browser.conftest import Visitor, new_visitor
from browser.site import CUSTOMER, Site

# What stands there when the page has come: its heading, or some of its text.
ADMINS = {
    "/dashboard": "Dashboard",
    "/customers": "Customers",
    "/customers/1": "INV-",
    "/products": "Products",
    "/orders": "Orders",
    "/invoices": "Invoices",
    "/payments": "Payments",
    "/marketplace": "Marketplace",
    "/marketplace/live_notes": "Live Notes",
    "/plugins": "Installed plugins",
    "/plugins/live_notes": "Live Notes",
    "/operations": "Operations",
    "/operations/1": "serve 1.1.0 in every worker",
    "/audit": "Audit",
    "/health": "Health",
    "/sources": "Sources",
    "/support/notes": "Live Notes",
    "/support/chats": "Live Chats",
    "/nowhere": "There is no such page",
}


def go(page: Page, path: str, words: str) -> None:
    """As a link does it, without loading the page anew."""
    page.evaluate("(path) => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')) }", path)
    heading = page.get_by_role("heading", level=1, name=words, exact=True)
    expect(heading.or_(page.locator("main").get_by_text(words)).first).to_be_visible()
    complete(page)


def complete(page: Page) -> None:
    """Wait until nothing is on its way."""
    expect(page.locator(".mantine-Skeleton-root, .mantine-Loader-root")).to_have_count(0)


def test_an_administrators_pages(site: Site, admin: Visitor) -> None:
    site.install("1.1.0")
    site.install("1.1.0", "ai_chatbot")
    page = admin.tab("/")
    found = {}
    for path, words in ADMINS.items():
        go(page, path, words)
        found[path] = findings(page)
    go(page, "/plugins/ai_chatbot", "AI Chatbot")
    for tab in ("Settings", "Files", "Tables", "Backups", "Logs", "History"):
        page.get_by_role("tab", name=tab).click()
        complete(page)
        found[tab] = findings(page)
    assert {path: told for path, told in found.items() if told} == {}


def test_pages_of_guests_and_customers(site: Site, guest: Visitor, chromium: Browser, visitors: list[Visitor]) -> None:
    site.install("1.1.0", "ai_chatbot")
    customer = new_visitor(site, chromium, visitors)
    customer.login(CUSTOMER)
    found = {}
    for visitor, path in ((guest, "/"), (guest, "/login"), (customer, "/account"), (customer, "/")):
        page = visitor.tab(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        complete(page)
        found[path] = findings(page)
    page.get_by_role("button", name="Chat with us").click()
    expect(page.get_by_role("dialog").or_(page.get_by_role("complementary")).first).to_be_visible()
    found["chat"] = findings(page)
    assert {path: told for path, told in found.items() if told} == {}


def test_dialogs(site: Site, admin: Visitor) -> None:
    site.install("1.1.0")
    page = admin.tab("/marketplace")
    found = {}
    page.get_by_role("article", name="AI Chatbot").get_by_role("button", name="Install Free").click()
    expect(page.get_by_role("dialog")).to_contain_text("What will happen")
    found["install"] = findings(page)
    page.keyboard.press("Escape")
    page.get_by_role("article", name="Live Notes").get_by_role("button", name="Uninstall").click()
    page.get_by_role("radio", name="Delete it").check()
    expect(page.get_by_text("Data will be lost")).to_be_visible()
    found["uninstall"] = findings(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option").first).to_be_visible()
    found["palette"] = findings(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Account").click()
    expect(page.get_by_role("menuitem", name="Deutsch")).to_be_visible()
    found["account"] = findings(page)
    assert {path: told for path, told in found.items() if told} == {}
