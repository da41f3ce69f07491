"""Two browsers with twelve tabs between them: each hears by one stream, whichever tab is closed."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from browser.conftest import Visitor
from browser.site import Site


def streams(visitor: Visitor) -> list[str]:
    """The streams of the registry that a browser opens from now on."""
    opened: list[str] = []
    visitor.context.on(
        "request", lambda request: opened.append(request.url) if "/registry/events" in request.url else None
    )
    return opened


def test_ten_tabs_and_another_browser_share_a_stream_each(site: Site, admin: Visitor, guest: Visitor) -> None:
    ours, theirs = streams(admin), streams(guest)
    tabs = [admin.tab("/sources") for _ in range(10)]
    homes = [guest.tab("/") for _ in range(2)]
    # All ten got their pages: the streams leave connections for them.
    for tab in tabs:
        expect(tab.get_by_role("heading", name="Sources")).to_be_visible()
    site.install()
    _all(tabs, homes, 1)
    assert (len(ours), len(theirs)) == (1, 1)
    # Who listened is gone, in both: another tab takes its place.
    tabs.pop(0).close()
    homes.pop(0).close()
    site.remove()
    _all(tabs, homes, 0)
    assert (len(ours), len(theirs)) == (2, 2)


def _all(tabs: list[Page], homes: list[Page], count: int) -> None:
    for tab in tabs:
        expect(tab.get_by_role("link", name="Live Notes")).to_have_count(count)
    for home in homes:
        expect(home.get_by_role("button", name="Write a note")).to_have_count(count)
