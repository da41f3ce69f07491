"""Each page of console and panel: it shows what it is about, and nobody complains."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from browser.conftest import Visitor, new_visitor
from browser.site import CUSTOMER, Site


def test_an_operation_with_its_steps(site: Site, admin: Visitor) -> None:
    site.install("1.1.0")
    page = admin.tab("/operations")
    page.get_by_role("link", name="install live_notes 1.1.0").first.click()
    expect(page.get_by_text("serve 1.1.0 in every worker")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_phone(site: Site, chromium: Browser, visitors: list[Visitor], scheme: str) -> None:
    phone = new_visitor(site, chromium, visitors, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    phone.login()
    page = phone.tab("/")
    for path in ("/", "/dashboard", "/marketplace", "/marketplace/live_notes", "/operations"):
        page.goto(site.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} px too wide"


def test_a_customer_sees_what_is_his(site: Site, chromium: Browser, visitors: list[Visitor]) -> None:
    customer = new_visitor(site, chromium, visitors)
    customer.login(CUSTOMER)
    page = customer.tab("/account")
    expect(page.get_by_role("heading", level=1, name="My account")).to_be_visible()
    expect(page.get_by_text("My invoices")).to_be_visible()
    page.goto(site.url + "/marketplace")
    expect(page.get_by_text("There is no such page")).to_be_visible()


def test_the_palette_finds_pages_by_the_keyboard(admin: Visitor) -> None:
    page = admin.tab("/dashboard")
    expect(page.get_by_role("heading", level=1, name="Dashboard")).to_be_visible()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Search or jump to")).to_be_focused()
    page.keyboard.type("aud")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Audit")).to_be_visible()


def test_another_language_stays(site: Site, admin: Visitor) -> None:
    page = admin.tab("/marketplace")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Deutsch").click()
    expect(page.get_by_role("heading", level=1, name="Marktplatz")).to_be_visible()
    page.goto(site.url + "/health")
    expect(page.get_by_role("heading", level=1, name="Gesundheit")).to_be_visible()
