"""A frontend that the host does not trust: it works in its frame, and gets at nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from browser.conftest import Visitor
from browser.framed import PLUGIN
from browser.site import Site
from hotbay.signature import PublisherKey, sidecar
from signing import publisher, signed

FRAME = f'iframe[data-plugin="{PLUGIN}"]'


def inside(page: Page) -> FrameLocator:
    return page.frame_locator(FRAME)


def test_a_page_works_in_its_frame(site: Site, admin: Visitor) -> None:
    site.install("1.0.0", PLUGIN)
    page = admin.tab("/stranger/a")
    frame = inside(page)
    expect(frame.get_by_role("heading", name="Stranger a 1.0.0")).to_be_visible()
    expect(frame.get_by_text("hello with a session")).to_be_visible()
    expect(frame.get_by_text("light, admin, stranger")).to_be_visible()
    expect(frame.get_by_role("heading")).to_have_css("color", "rgb(1, 2, 3)")
    assert page.locator(FRAME).get_attribute("sandbox") == "allow-scripts"
    assert page.evaluate(f"document.querySelector('{FRAME}').contentDocument") is None
    assert (page.locator(FRAME).bounding_box() or {})["height"] > 900
    frame.get_by_label("Draft").fill("a word")
    frame.get_by_role("button", name="Send").click()
    expect(frame.get_by_text("sent a word")).to_be_visible()


def test_what_it_may_not_do_is_refused(site: Site, admin: Visitor) -> None:
    site.install("1.0.0", PLUGIN)
    # The browser says what the frame's policy and origin stopped.
    admin.expected += ["Content Security Policy", "Blocked", "blocked", "stranger/moved", "TrustedHTML"]
    admin.expected += [f"policy: {kind} refused" for kind in ("connect-src", "img-src", "require-trusted-types-for")]
    page = admin.tab("/stranger/a")
    asked: list[str] = []
    page.on("response", lambda answer: asked.append(answer.url))
    frame = inside(page)
    expect(frame.get_by_text("hello with a session")).to_be_visible()
    frame.get_by_role("button", name="Attack").click()
    expect(frame.get_by_role("status")).to_contain_text("forged")
    got = json.loads(frame.get_by_role("status").text_content() or "")
    assert got == {
        # By the browser: the frame's origin is nobody's.
        **dict.fromkeys(("dom", "opener", "cookies", "storage", "databases"), "refused SecurityError"),
        # By its policy, and by its sandbox.
        **dict.fromkeys(("xhr", "image", "popup"), "refused Error"),
        "markup": "refused TypeError",
        "peer": "refused ReferenceError",
        # By the console around it: only routes of its own, with methods that they have.
        **dict.fromkeys(("host", "market", "method", "wrong", "settings", "twice"), "refused not-in-frame"),
        **dict.fromkeys(("other", "dots"), "got 403"),
        "moved": "refused redirected",
        "slash": "got yes",
        "headers": 'got ["x-chat-token"]',
        "event": "got undefined",
        "forged": "got 1",
    }
    forbidden = ("example.com", "customers", "products", "marketplace", "%2f", "x.png")
    # What was forged on the channel itself is done no more than what was asked by the SDK.
    frame.get_by_role("button", name="Publish").click()
    expect(frame.get_by_text("news hot")).to_be_visible()
    assert [url for url in asked if any(word in url for word in forbidden)] == []
    assert page.url.endswith("/stranger/a")
    assert page.locator(FRAME).evaluate("frame => getComputedStyle(frame).position") == "static"


def test_what_it_wishes_is_done_as_far_as_it_may(site: Site, admin: Visitor) -> None:
    site.install("1.0.0", PLUGIN)
    page = admin.tab("/stranger/a")
    no_reload(page)
    frame = inside(page)
    frame.get_by_role("button", name="Note").click()
    # Under its own name: it can't speak as the console.
    expect(page.get_by_role("status").get_by_text("Stranger", exact=True)).to_be_visible()
    expect(page.get_by_text("Trust me")).to_be_visible()
    frame.get_by_role("button", name="Publish").click()
    expect(frame.get_by_text("news hot")).to_be_visible()
    frame.get_by_role("button", name="Go").click()
    expect(frame.get_by_role("heading", name="Stranger b 1.0.0")).to_be_visible()
    assert page.url.endswith("/stranger/b")
    frame.get_by_label("Draft").press("Control+k")
    expect(page.get_by_role("option", name="Visit the stranger")).to_be_visible()
    expect(page.get_by_role("option", name="Run something")).to_have_count(0)
    page.keyboard.press("Escape")
    frame.get_by_role("link", name="A link").click()
    expect(page.get_by_text("There is no such page")).to_be_visible()
    assert kept(page)


def test_it_looks_like_the_console_and_translates_only_its_own_words(site: Site, guest: Visitor) -> None:
    site.install("1.0.0", PLUGIN)
    page = guest.tab("/stranger/a")
    frame = inside(page)
    expect(frame.get_by_text("light, guest, stranger")).to_be_visible()
    page.get_by_role("button", name="Dark colours").click()
    expect(frame.get_by_text("dark, guest, stranger")).to_be_visible()
    expect(frame.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    page.get_by_role("button", name="Language").click()
    page.get_by_role("menuitem", name="Deutsch").click()
    expect(page.get_by_role("link", name="Fremder")).to_be_visible()
    expect(page.get_by_role("link", name="Anmelden")).to_be_visible()
    expect(frame.locator("html")).to_have_attribute("lang", "de")


def test_a_widget_floats_in_its_corner_and_hears_events(site: Site, guest: Visitor) -> None:
    site.install("1.0.0", PLUGIN)
    page = guest.tab("/")
    frame = inside(page)
    frame.get_by_role("button", name="Hello there").click()
    expect(frame.get_by_text("one two three")).to_be_visible()
    box = frame.get_by_text("one two three").bounding_box()
    size = page.viewport_size
    assert box is not None and size is not None
    assert (box["width"], box["height"]) == (300, 400)
    assert (box["x"] + box["width"], box["y"] + box["height"]) == (size["width"] - 24, size["height"] - 24)
    # What is not the widget is the page's own.
    hit = "([x, y]) => document.elementFromPoint(x, y).tagName"
    assert page.evaluate(hit, [box["x"] + 20, box["y"] + 20]) == "IFRAME"
    assert page.evaluate(hit, [box["x"] - 40, box["y"] + 20]) != "IFRAME"


def test_an_upgrade_replaces_the_frame_and_an_uninstall_removes_it(site: Site, admin: Visitor) -> None:
    site.install("1.0.0", PLUGIN)
    page = admin.tab("/stranger/a")
    no_reload(page)
    frame = inside(page)
    frame.get_by_label("Draft").fill("half an ans")
    site.upgrade("1.1.0", PLUGIN)
    fresh = page.frame_locator(f'{FRAME}[data-version="1.1.0"]')
    expect(fresh.get_by_role("heading", name="Stranger a 1.1.0")).to_be_visible()
    expect(fresh.get_by_label("Draft")).to_have_value("half an ans")
    expect(page.locator(FRAME)).to_have_count(1)
    site.remove()
    expect(page.get_by_text("Stranger Addon Not Installed")).to_be_visible()
    expect(page.locator(FRAME)).to_have_count(0)
    assert kept(page)


def test_what_breaks_in_a_frame_is_told_under_its_name(site: Site, admin: Visitor) -> None:
    site.install("1.1.0", PLUGIN)
    admin.expected += ["the stranger broke", "error boundary", "above error", "frame-ancestors"]
    page = admin.tab("/stranger/a")
    inside(page).get_by_label("Draft").fill("crash")
    expect(inside(page).get_by_role("alert")).to_contain_text("Stranger has a problem")
    page.goto(site.url + "/stranger/b")
    inside(page).get_by_role("button", name="Leave").click()
    expect(page.get_by_role("alert")).to_contain_text("Stranger has a problem")
    page.get_by_role("button", name="Try again").click()
    expect(inside(page).get_by_role("heading", name="Stranger b 1.1.0")).to_be_visible()
    log = site.client.get("/api/v1/marketplace/logs/stranger").text
    assert "the stranger broke" in log and "the frame left its page" in log


def test_its_settings_are_changed_in_its_panel(site: Site, admin: Visitor) -> None:
    site.install("1.0.0", PLUGIN)
    page = admin.tab(f"/plugins/{PLUGIN}")
    page.get_by_role("tab", name="Settings").click()
    inside(page).get_by_role("button", name="Greets with hello").click()
    expect(inside(page).get_by_role("button", name="Greets with good day")).to_be_visible()


@contextmanager
def framing(site: Site, who: str) -> Iterator[None]:
    """In the block the host frames others than in the rest of the tests."""
    before = site.environment["HOTBAY_FRONTEND_FRAMES"]
    restart(site, who)
    try:
        yield
    finally:
        restart(site, before)


def restart(site: Site, who: str) -> None:
    site.stop()
    site.environment["HOTBAY_FRONTEND_FRAMES"] = who
    site.start()


@pytest.fixture
def all_framed(site: Site) -> Iterator[None]:
    """The host trusts nobody."""
    with framing(site, "all"):
        yield


@pytest.fixture
def unverified_framed(site: Site) -> Iterator[PublisherKey]:
    """The host trusts only who signed the chatbot, whose key this is; nobody any more when the test is over."""
    key = publisher("The Hotbay authors")
    archive = signed(site.folder / "modules" / "ai_chatbot_v1.1.0.zip", key)
    with framing(site, "unverified"):
        site.trust(key.public)
        yield key.public
    sidecar(archive).unlink()
    site.distrust(key.public)


def test_the_chatbot_is_none_the_wiser(all_framed: None, site: Site, guest: Visitor, admin: Visitor) -> None:
    site.install("1.1.0", "ai_chatbot")
    chat = guest.tab("/").frame_locator('iframe[data-plugin="ai_chatbot"]')
    chat.get_by_role("button", name="Chat with us").click()
    chat.get_by_label("Name").fill("Ann")
    chat.get_by_label("E-mail").fill("ann@example.com")
    chat.get_by_role("button", name="Start").click()
    chat.get_by_label("Your message").fill("How do I pay an invoice?")
    chat.get_by_label("Your message").press("Enter")
    expect(chat.get_by_text("Open the invoice and choose card")).to_be_visible()
    desk = admin.tab("/support/chats").frame_locator('iframe[data-plugin="ai_chatbot"]')
    desk.get_by_text("Ann").first.click()
    expect(desk.get_by_text("How do I pay an invoice?").last).to_be_visible()


def test_who_is_verified_needs_no_frame(unverified_framed: PublisherKey, site: Site, admin: Visitor) -> None:
    site.install("1.1.0", "ai_chatbot")
    site.install("1.0.0", PLUGIN)
    stranger, chats = admin.tab("/stranger/a"), admin.tab("/support/chats")
    expect(inside(stranger).get_by_role("heading", name="Stranger a 1.0.0")).to_be_visible()
    frame = chats.locator('iframe[data-plugin="ai_chatbot"]')
    expect(chats.get_by_role("heading", name="Live Chats")).to_be_visible()
    expect(frame).to_have_count(0)
    site.distrust(unverified_framed)
    chats.reload()
    expect(
        chats.frame_locator('iframe[data-plugin="ai_chatbot"]').get_by_role("heading", name="Live Chats")
    ).to_be_visible()


def no_reload(page: Page) -> None:
    page.evaluate("window.marked = true")


def kept(page: Page) -> bool:
    return bool(page.evaluate("window.marked === true"))
