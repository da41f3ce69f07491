"""The examples of docs/frontend.md, one chapter after the other, do in a browser what their chapter says."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.conftest import Visitor
from browser.site import Site
from frontend.test_examples import CONFIGS, MODULES

PLUGIN = "helpdesk"
CHAPTERS = ("pages", "menu", "widgets", "settings", "commands", "messages")
ROUTES = """
from fastapi import APIRouter

router = APIRouter(prefix="/helpdesk")
TICKETS = ["No light", "No heat"]


@router.get("/tickets")
def tickets(q: str = "") -> list[dict[str, str]]:
    return [{"title": title} for title in TICKETS if q in title]


@router.get("/open")
def open_tickets() -> dict[str, int]:
    return {"count": len(TICKETS)}


@router.post("/mailbox/test")
@router.post("/fetch")
def fetch() -> dict[str, bool]:
    return {"ok": True}
"""
SETTINGS = """
from pydantic import BaseModel


class Settings(BaseModel):
    mailbox: str = "post@example.com"
"""


def version(chapter: str) -> str:
    return f"1.{CHAPTERS.index(chapter)}.0"


def offer(site: Site) -> None:
    """One version a chapter: each upgrade is to the next chapter's example."""
    about = {"name": "Helpdesk", "frontend": {"routes": ["/tickets", "/tickets/:number"]}}
    backend = {"backend/__init__.py": "", "backend/routes.py": ROUTES, "backend/settings.py": SETTINGS}
    for chapter in CHAPTERS:
        files = MODULES | backend | {"frontend/addon.config.ts": CONFIGS[chapter]}
        site.offer(PLUGIN, version(chapter), files, **about)


def test_every_example_works(site: Site, admin: Visitor) -> None:
    assert set(CONFIGS) == set(CHAPTERS)
    offer(site)
    site.install(version("pages"), PLUGIN)
    page = admin.tab("/tickets")
    expect(page.get_by_role("heading", name="Tickets")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="No ")).to_have_count(2)
    page.get_by_label("Search").fill("heat")
    expect(page.get_by_role("listitem").filter(has_text="No ")).to_have_text(["No heat"])
    expect(admin.tab("/tickets/7").get_by_role("heading", name="7")).to_be_visible()

    page.goto(site.url + "/dashboard")
    site.upgrade(version("menu"), PLUGIN)
    entry = page.get_by_role("link", name="Tickets")
    expect(entry).to_contain_text("2")
    expect(entry).to_have_attribute("href", "/tickets")

    site.upgrade(version("widgets"), PLUGIN)
    card = page.locator(".open-tickets")
    expect(card).to_contain_text("Open tickets")
    expect(card).to_contain_text("2")
    expect(card).to_have_css("display", "grid")

    site.upgrade(version("settings"), PLUGIN)
    expect(card).to_have_count(0)
    page.goto(site.url + f"/plugins/{PLUGIN}?tab=settings")
    page.get_by_role("button", name="Ask post@example.com").click()
    expect(page.get_by_text("The mailbox answers")).to_be_visible()

    site.upgrade(version("commands"), PLUGIN)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Search or jump to …")).to_be_focused()
    page.keyboard.type("Fetch mail")
    expect(page.get_by_text("Fetch mail now")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Mail was fetched")).to_be_visible()

    site.upgrade(version("messages"), PLUGIN)
    (told,) = (one for one in site.registry()["plugins"] if one["id"] == PLUGIN)
    assert told["contributions"]["messages"]["de"]["Search"] == "Suchen"
