"""A real browser in front of the real billing host. A missing browser fails the run: nothing here is skipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from browser.site import ADMIN, API, PASSWORD, Site, served

CHROMIUM = "/usr/bin/chromium"
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Chromium says of most violations what they are; this says it of all, in words that no test expects by accident.
LISTEN = """document.addEventListener('securitypolicyviolation', (event) =>
  console.error(`policy: ${event.effectiveDirective} refused ${event.blockedURI} ${event.sample}`))"""
expect.set_options(timeout=15_000)


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    # Not for the whole session: while it lasts, an event loop runs here, and no other test could run its own.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """One person's browser; what its pages complain about is kept."""

    site: Site
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def login(self, email: str = ADMIN) -> None:
        """Get the session's cookie."""
        answer = self.context.request.post(
            self.site.url + API + "/auth/login", data={"email": email, "password": PASSWORD}
        )
        assert answer.ok, answer.text()

    def tab(self, path: str) -> Page:
        """A new tab at an address."""
        page = self.context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.goto(self.site.url + path)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(word in message.text for word in self.expected):
            where = message.location.get("url", "")
            self.complaints.append(f"{message.type}: {message.text} ({where})")


@pytest.fixture
def visitors(site: Site, chromium: Browser) -> Iterator[list[Visitor]]:
    """Browsers that a test opens; none of them may have complained: no error, no violation of the policy."""
    opened: list[Visitor] = []
    yield opened
    for visitor in opened:
        visitor.context.close()
    site.remove()
    assert [text for visitor in opened for text in visitor.complaints] == []


def new_visitor(site: Site, chromium: Browser, visitors: list[Visitor], **options: object) -> Visitor:
    made = Visitor(site, chromium.new_context(locale="en-US", **options))  # type: ignore[arg-type]
    made.context.add_init_script(LISTEN)
    visitors.append(made)
    return made


@pytest.fixture
def guest(site: Site, chromium: Browser, visitors: list[Visitor]) -> Visitor:
    return new_visitor(site, chromium, visitors)


@pytest.fixture
def admin(site: Site, chromium: Browser, visitors: list[Visitor]) -> Visitor:
    made = new_visitor(site, chromium, visitors)
    made.login()
    return made
