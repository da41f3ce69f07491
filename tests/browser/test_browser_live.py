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


COUNT_AMOUNTS = """() => {
  const Real = Intl.NumberFormat;
  window.amounts = 0;
  Intl.NumberFormat = function (...given) { window.amounts += 1; return new Real(...given); };
}"""


def at_rest(page: Page) -> None:
    """Wait until the page renders no amounts any more: on a busy machine its last answer may come late."""
    for _ in range(40):
        page.evaluate("window.amounts = 0")
        page.wait_for_timeout(500)
        if page.evaluate("window.amounts") == 0:
            return
    raise AssertionError("the page never stops rendering")


def test_what_a_plugin_does_not_change_is_neither_rendered_anew_nor_asked_for(site: Site, admin: Visitor) -> None:
    """Every open tab hears of every change: what each of them does then is done at once, beside the switch."""
    page = admin.tab("/dashboard")
    entry = page.get_by_role("link", name="Live Notes")
    expect(page.locator("td .hb-number").nth(6)).to_be_visible()
    expect(page.locator("main").get_by_text("\u2013", exact=True)).to_have_count(0)
    page.evaluate(COUNT_AMOUNTS)
    at_rest(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    site.install()
    expect(entry).to_be_visible()
    site.remove()
    expect(entry).to_have_count(0)
    assert page.evaluate("window.amounts") == 0
    assert [url for url in asked if "/hotbay/assets/" not in url] == []
    page.locator("nav").get_by_role("link", name="Invoices").click()
    expect(page.locator("td .hb-number").nth(12)).to_be_visible()
    assert page.evaluate("window.amounts") > 0


COUNTED = {
    "frontend/addon.config.ts": """
        export const AddonConfig = {
          routes: [{ path: '/counted', component: () => import('./Count'), requireAdmin: true }],
        };
    """,
    "frontend/Count.tsx": """
        export default function Count({ plugin }) {
          window.rendered = (window.rendered ?? 0) + 1;
          return <p>Counted {plugin.version}</p>;
        }
    """,
}


def test_another_plugin_s_page_is_not_rendered_anew(site: Site, admin: Visitor) -> None:
    """It would lose nothing, but each change would cost what all open pages cost."""
    for version in ("1.0.0", "1.0.1"):
        site.offer("counted", version, COUNTED, frontend={"routes": ["/counted"]})
    site.install("1.0.0", "counted")
    page = admin.tab("/counted")
    expect(page.get_by_text("Counted 1.0.0")).to_be_visible()
    entry = page.get_by_role("link", name="Live Notes")
    before = page.evaluate("window.rendered")
    assert before
    site.install()
    expect(entry).to_be_visible()
    site.upgrade("1.2.0")
    site.uninstall()
    expect(entry).to_have_count(0)
    assert page.evaluate("window.rendered") == before
    site.upgrade("1.0.1", "counted")
    expect(page.get_by_text("Counted 1.0.1")).to_be_visible()
    assert page.evaluate("window.rendered") > before


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
