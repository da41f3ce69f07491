"""Pictures of every page of the console and the billing panel: light and dark, wide and on a phone.

python scripts/screenshots.py                 into screenshots/, which git ignores
python scripts/screenshots.py --only dark     those with the word in their name
python scripts/screenshots.py --docs          the README's own, into docs/images/

A real browser in front of the billing host with two workers, with plugins installed, upgraded and used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser.conftest import CHROMIUM, OPTIONS  # noqa: E402
from browser.site import ADMIN, API, CUSTOMER, PASSWORD, served  # noqa: E402
from hotbay.seal import make_key, sign_archive  # noqa: E402

if TYPE_CHECKING:
    from browser.site import Site

CHATBOT = "ai_chatbot"
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
_QUIET_MS = 350


@dataclass(frozen=True)
class Picture:
    """One page as somebody sees it; `act` is what he does there first."""

    name: str
    path: str
    who: str = ADMIN
    act: Callable[[Page], None] = lambda page: None


def tab(name: str) -> Callable[[Page], None]:
    """Open one of the page's tabs."""
    return lambda page: page.get_by_role("tab", name=name).click()


def button(name: str) -> Callable[[Page], None]:
    """Press a button."""
    return lambda page: page.get_by_role("button", name=name).first.click()


PICTURES = [
    Picture("home", "/", ""),
    Picture("home-chat", "/", "", button("Chat")),
    Picture("login", "/login", ""),
    Picture("account", "/account", CUSTOMER),
    *(Picture(name, f"/{name}") for name in ("dashboard", "customers", "products", "orders", "invoices", "payments")),
    Picture("customer", "/customers/1"),
    Picture("marketplace", "/marketplace"),
    Picture("addon", f"/marketplace/{CHATBOT}"),
    Picture("addon-install", "/marketplace/live_notes", act=button("Install")),
    Picture("installed", "/plugins"),
    Picture("plugin", f"/plugins/{CHATBOT}"),
    *(
        Picture(f"plugin-{name.lower()}", f"/plugins/{CHATBOT}", act=tab(name))
        for name in ("Settings", "Logs", "Files", "Tables")
    ),
    Picture("plugin-history", f"/plugins/{CHATBOT}", act=tab("History")),
    Picture("operations", "/operations"),
    Picture("operation", "/operations/2"),
    Picture("audit", "/audit"),
    Picture("health", "/health"),
    Picture("sources", "/sources"),
    Picture("chats", "/support/chats", act=lambda page: page.get_by_text("Mara Lind").first.click()),
    Picture("not-installed", "/support/notes"),
    Picture("nowhere", "/nowhere"),
    Picture("palette", "/dashboard", act=lambda page: page.keyboard.press("Control+k")),
]
# The README's: picture and scheme.
CHOSEN = [("marketplace", "light"), ("plugin", "dark"), ("chats", "light"), ("home-chat", "light")]

TALKS = [
    ("Mara Lind", "mara@example.com", ["Hello", "How do I move my domain to you?", "And my mailboxes?"]),
    ("Jonas Weber", "jonas@example.com", ["My invoice of last month is wrong", "I would like to talk to a person"]),
    ("Aiko Tanaka", "aiko@example.com", ["Which plan has backups?"]),
]


ARTICLES = {
    "Moving a domain": "To move your domain to us, ask your registrar for the code of transfer, then order a transfer.",
    "Mailboxes": "Mailboxes move with a domain: make them in your account first, then copy the mail by IMAP.",
    "Backups": "Daily backup keeps 30 days; each plan of web hosting and each virtual server can have it.",
}


def furnish(site: Site) -> None:
    """Install, upgrade and use: what is on the pictures really happened."""
    for package in (site.folder / "modules").glob("stranger*"):
        package.unlink()  # Of the tests of what a host does not trust.
    vouch(site)
    site.install("1.0.0", CHATBOT)
    site.install("1.0.0")
    site.client.post(f"{API}/marketplace/upgrade/{CHATBOT}", json={}).raise_for_status()
    site.client.post(f"{API}/marketplace/toggle/live_notes", json={"enabled": False}).raise_for_status()
    site.client.delete(f"{API}/marketplace/uninstall/live_notes", params={"data": "purge"}).raise_for_status()
    for title, text in ARTICLES.items():
        site.client.post(f"{API}/chat/admin/articles", json={"title": title, "body": text}).raise_for_status()
    for name, email, lines in TALKS:
        made = site.client.post(f"{API}/chat/sessions", json={"name": name, "email": email}).raise_for_status().json()
        token, chat = {"X-Chat-Token": made["token"]}, made["session"]["id"]
        for line in lines:
            path = f"{API}/chat/sessions/{chat}/messages"
            site.client.post(path, json={"text": line}, headers=token).raise_for_status()


def vouch(site: Site) -> None:
    """Sign the chatbot's packages, and trust who signed them."""
    key = make_key(site.folder / "publisher.key", "The Hotbay authors")
    for archive in (site.folder / "modules").glob(f"{CHATBOT}_*.zip"):
        sign_archive(archive, key)
    site.trust(key.public)


def visitors(
    browser: Browser, site: Site, who: Sequence[str], **options: object
) -> Iterator[tuple[str, BrowserContext]]:
    """A browser for each of the people, logged in."""
    for email in who:
        context = browser.new_context(locale="en-US", reduced_motion="reduce", **options)  # type: ignore[arg-type]
        if email:
            body = {"email": email, "password": PASSWORD}
            context.request.post(f"{site.url}{API}/auth/login", data=body)
        yield email, context
        context.close()


def take(context: BrowserContext, site: Site, picture: Picture, file: Path, *, whole: bool) -> None:
    """Go there, wait until nothing is on its way, act, and save it."""
    page = context.new_page()
    page.goto(site.url + picture.path)
    page.locator("main").first.wait_for()
    settle(page)
    try:
        picture.act(page)
        settle(page)
    except Error as error:  # A page that can't be acted on is worth a picture as well.
        sys.stderr.write(f"{file.name}: {error.message.splitlines()[0]}\n")
    file.parent.mkdir(parents=True, exist_ok=True)
    if whole:  # What is as high as the window, the menu for one, is then as high as the page.
        width = (page.viewport_size or {"width": 0})["width"]
        high = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": width, "height": max(high, 300)})
    page.screenshot(path=file)
    page.close()


def settle(page: Page) -> None:
    """Until no placeholder is left."""
    page.wait_for_timeout(_QUIET_MS)
    page.locator(".mantine-Skeleton-root, .mantine-Loader-root").first.wait_for(state="hidden")
    page.wait_for_timeout(_QUIET_MS)


def everything(browser: Browser, site: Site, folder: Path, only: str) -> int:
    """Every page in both schemes and both sizes; how many."""
    count = 0
    for size, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            look = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
            for email, context in visitors(browser, site, sorted({one.who for one in PICTURES}), **look):
                for picture in PICTURES:
                    name = f"{size}-{scheme}-{picture.name}"
                    if picture.who == email and only in name:
                        take(context, site, picture, folder / f"{name}.png", whole=True)
                        count += 1
    return count


def chosen(browser: Browser, site: Site, folder: Path) -> int:
    """The README's, 1280 pixels wide."""
    named = {picture.name: picture for picture in PICTURES}
    for name, scheme in CHOSEN:
        look = {"viewport": {"width": 1280, "height": 760}, "color_scheme": scheme}
        for _, context in visitors(browser, site, [named[name].who], **look):
            take(context, site, named[name], folder / f"{name}.png", whole=False)
    return len(CHOSEN)


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "screenshots")
    parser.add_argument("--only", default="", metavar="WORD", help="only those with it in their name")
    parser.add_argument("--docs", action="store_true", help="the README's, into docs/images/")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="hotbay-screenshots-") as made, served(Path(made)) as site:
        furnish(site)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
            folder = ROOT / "docs" / "images" if options.docs else options.out
            count = chosen(browser, site, folder) if options.docs else everything(browser, site, folder, options.only)
            browser.close()
    sys.stderr.write(f"{count} pictures in {folder}\n")


if __name__ == "__main__":
    main()
