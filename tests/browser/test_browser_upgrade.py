"""Upgrades under open pages: what is typed stays, nothing flickers, and a tab that slept through them goes on."""

from __future__ import annotations

from playwright.sync_api import Page, Route, expect

from browser.conftest import Visitor
from browser.site import API, Site
from browser.test_browser_live import kept, no_reload

# Counts the frames in which the page has no field to type in.
WATCH = """() => {
  window.gaps = 0;
  const look = () => {
    if (!document.querySelector('main input')) window.gaps += 1;
    requestAnimationFrame(look);
  };
  look();
}"""
SLOW = {"offline": False, "latency": 300, "downloadThroughput": 60_000, "uploadThroughput": 60_000}


def test_half_a_form_outlives_upgrades_and_not_its_plugin(site: Site, admin: Visitor) -> None:
    site.install("1.0.0")
    page = admin.tab("/support/notes")
    answer = page.get_by_label("Answer")
    answer.fill("half an ans")
    no_reload(page)
    page.evaluate(WATCH)
    # The same code under another number, then other code.
    for version, edition in (("1.1.0", "first"), ("1.2.0", "second")):
        site.upgrade(version)
        expect(page.get_by_text(f"Version {version}, {edition} edition")).to_be_visible()
        expect(answer).to_have_value("half an ans")
    # Somewhere else and back.
    page.get_by_role("link", name="Dashboard").click()
    page.get_by_role("link", name="Live Notes").click()
    expect(answer).to_have_value("half an ans")
    site.uninstall()
    expect(page.get_by_text("Live Notes Addon Not Installed")).to_be_visible()
    site.install("1.2.0")
    expect(answer).to_have_value("")
    assert kept(page)


def test_on_a_slow_network_the_old_version_stays_until_the_new_one_is_there(site: Site, admin: Visitor) -> None:
    site.install("1.1.0")
    page = admin.tab("/support/notes")
    page.get_by_label("Answer").fill("half an ans")
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW)
    page.evaluate(WATCH)
    site.upgrade("1.2.0")
    expect(page.get_by_text("Version 1.2.0, second edition")).to_be_visible()
    expect(page.get_by_label("Answer")).to_have_value("half an ans")
    assert page.evaluate("window.gaps") == 0
    # A whole page by the same line: it comes, and says that it is coming.
    page.get_by_role("link", name="Operations").click()
    expect(page.get_by_role("heading", name="Operations")).to_be_visible()


def test_a_tab_that_slept_through_three_upgrades_still_loads_its_files(site: Site, admin: Visitor) -> None:
    site.install("1.0.0")
    admin.context.route(f"**{API}/hotbay/registry/events", _never)
    page = admin.tab("/dashboard")
    expect(page.get_by_role("link", name="Live Notes")).to_be_visible()
    admin.context.route(f"**{API}/hotbay/registry", _never)
    for version in ("1.1.0", "1.2.0", "1.3.0"):
        site.upgrade(version)
    # Neither its page nor what that loads later were here before.
    page.get_by_role("link", name="Live Notes").click()
    expect(page.get_by_text("Version 1.0.0, first edition")).to_be_visible()
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_text("Archive of the first edition")).to_be_visible()
    _wake(admin, page)
    expect(page.get_by_text("Version 1.3.0, third edition")).to_be_visible()


def _never(route: Route) -> None:
    """A request that nobody answers, as for a tab that the browser put to sleep."""


def _wake(visitor: Visitor, page: Page) -> None:
    visitor.context.unroute_all()
    page.evaluate("window.dispatchEvent(new Event('online'))")


# Real files of that size take a minute to pack, compile and install: here the page's file only says that it is so big.
BIG = """Object.defineProperty(PerformanceResourceTiming.prototype, 'decodedBodySize', {
  get() { return this.name.includes('/NotesPage-') ? 14_000_000 : 1000 },
})"""


def test_a_reload_is_offered_when_earlier_versions_fill_the_page(site: Site, admin: Visitor) -> None:
    site.install("1.0.0")
    admin.context.add_init_script(BIG)
    page = admin.tab("/support/notes")
    # The second version has the files of the first, and takes no place of its own.
    for before, after in (("1.0.0", "1.1.0"), ("1.1.0", "1.2.0"), ("1.2.0", "1.3.0")):
        expect(page.get_by_text(f"Version {before}")).to_be_visible()
        expect(page.get_by_text("Earlier versions of plugins")).to_have_count(0)
        site.upgrade(after)
    expect(page.get_by_text("Version 1.3.0")).to_be_visible()
    no_reload(page)
    expect(page.get_by_text("Earlier versions of plugins fill 53 MB of this page.")).to_be_visible()
    page.get_by_role("button", name="Load it anew").click()
    expect(page.get_by_text("Version 1.3.0")).to_be_visible()
    expect(page.get_by_text("Earlier versions of plugins")).to_have_count(0)
    assert not kept(page)
