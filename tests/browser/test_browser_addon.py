"""The marketplace's page of one plugin, when another is looked at or it goes."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from browser.conftest import Visitor
from browser.dialogs import close
from browser.notes import write
from browser.site import Site
from hotbay.package import pack


def test_a_page_of_one_plugin_never_shows_another(site: Site, admin: Visitor) -> None:
    site.offer("first_one", "1.0.0", {"README.md": "I am the first."})
    admin.expected += ["404"]
    page = admin.tab("/marketplace/first_one")
    expect(page.get_by_text("I am the first.")).to_be_visible()
    page.evaluate("history.pushState({}, '', '/marketplace/nobody_here'); dispatchEvent(new PopStateEvent('popstate'))")
    expect(page.locator("main").get_by_role("alert")).to_contain_text("nobody_here")
    expect(page.get_by_text("I am the first.")).to_have_count(0)


def test_what_no_source_offers_is_gone_from_the_marketplace_when_it_is_uninstalled(
    site: Site, admin: Visitor, tmp_path: Path
) -> None:
    tree = write(tmp_path / "brought", {"metadata.json": '{"id": "brought", "name": "Brought", "version": "1.0.0"}'})
    archive = pack(tree, tmp_path)
    site.hotbay("install", str(archive))
    admin.expected += ["404"]
    page = admin.tab("/marketplace/brought")
    page.get_by_role("button", name="Uninstall").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Uninstall").click()
    expect(dialog.get_by_text("Brought was removed")).to_be_visible()
    close(dialog)
    expect(page.locator("main").get_by_role("alert")).to_contain_text("brought")
    expect(page.get_by_role("button", name="Uninstall")).to_have_count(0)
