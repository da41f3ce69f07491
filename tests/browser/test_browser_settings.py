"""A plugin's settings while others change them, and the plugin."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.conftest import Visitor
from browser.site import API, Site

MODEL = "from pydantic import BaseModel\n\n\nclass Settings(BaseModel):\n"
COLOUR, SIZE, TASTE = '    colour: str = "red"\n', "    size: int = 1\n", '    taste: str = "sour"\n'


def offer(site: Site, version: str, *fields: str) -> None:
    site.offer("paint", version, {"backend/__init__.py": "", "backend/settings.py": MODEL + "".join(fields)})


def test_an_open_form_follows_the_plugin_and_keeps_what_was_typed(site: Site, admin: Visitor) -> None:
    offer(site, "1.0.0", COLOUR, SIZE)
    offer(site, "1.1.0", COLOUR, TASTE)
    site.install("1.0.0", "paint")
    page = admin.tab("/plugins/paint?tab=settings")
    page.get_by_role("textbox", name="Colour").fill("blue")
    page.get_by_role("textbox", name="Size").fill("7")
    site.upgrade("1.1.0", "paint")
    expect(page.get_by_role("textbox", name="Taste")).to_have_value("sour")
    expect(page.get_by_role("textbox", name="Size")).to_have_count(0)
    expect(page.get_by_role("textbox", name="Colour")).to_have_value("blue")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The settings are stored")).to_be_visible()
    assert site.client.get(f"{API}/marketplace/settings/paint").json()["values"] == {"colour": "blue", "taste": "sour"}


def test_what_another_administrator_stores_is_shown(site: Site, admin: Visitor) -> None:
    offer(site, "1.0.0", COLOUR, SIZE)
    site.install("1.0.0", "paint")
    page = admin.tab("/plugins/paint?tab=settings")
    expect(page.get_by_role("textbox", name="Colour")).to_have_value("red")
    site.client.patch(f"{API}/marketplace/settings/paint", json={"colour": "green"}).raise_for_status()
    expect(page.get_by_role("textbox", name="Colour")).to_have_value("green")
