"""What was agreed to is what is done: the package of the plan that was shown, and no other."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from browser.conftest import Visitor
from browser.dialogs import close
from browser.notes import write
from browser.site import API, Site
from browser.test_browser_folders import DROP
from hotbay.package import pack


def offer(site: Site, plugin: str, version: str, text: str, **manifest: object) -> None:
    site.offer(plugin, version, {"README.md": text}, **manifest)


def asked(site: Site, admin: Visitor, plugin: str) -> Locator:
    """The dialog with the plan of 1.0.0, which wants nothing."""
    offer(site, plugin, "1.0.0", "harmless")
    page = admin.tab(f"/marketplace/{plugin}")
    page.get_by_role("button", name="Install Free").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("serve 1.0.0 in every worker")).to_be_visible()
    return dialog


def choose(page: Page, *files: Path) -> None:
    """Drop packages, as files that are chosen."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload a package").click()
    chooser.value.set_files(files)


def packed(folder: Path, plugin: str, **manifest: object) -> Path:
    about = {"id": plugin, "name": plugin.title(), "version": "1.0.0"} | manifest
    return pack(write(folder / plugin, {"metadata.json": json.dumps(about)}), folder)


def installed(site: Site) -> list[str]:
    return [row["version"] for row in site.client.get(f"{API}/marketplace/installed").json()["addons"]]


def test_a_version_that_came_after_the_plan_is_not_installed_with_its_consent(site: Site, admin: Visitor) -> None:
    dialog = asked(site, admin, "followed")
    offer(site, "followed", "1.1.0", "greedy", permissions=["network"])
    dialog.get_by_role("button", name="Install", exact=True).click()
    close(dialog)
    assert installed(site) == ["1.0.0"]


def test_a_package_that_was_replaced_after_the_plan_is_asked_for_again(site: Site, admin: Visitor) -> None:
    dialog = asked(site, admin, "swapped")
    for package in Path(site.folder / "modules").glob("swapped-1.0.0*"):
        package.unlink()
    offer(site, "swapped", "1.0.0", "greedy", permissions=["network"])
    admin.expected += ["422", "409"]
    dialog.get_by_role("button", name="Install", exact=True).click()
    expect(dialog.get_by_text("the package is not the one that was promised")).to_be_visible()
    assert installed(site) == []
    expect(dialog.get_by_text("Connect to other servers")).to_be_visible()
    dialog.get_by_role("button", name="Install", exact=True).click()
    close(dialog)
    assert installed(site) == ["1.0.0"]


def test_an_upload_tells_what_it_wants_before_anything_is_done(site: Site, admin: Visitor, tmp_path: Path) -> None:
    page = admin.tab("/plugins")
    choose(page, packed(tmp_path, "greedy", permissions=["network"]))
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Connect to other servers")).to_be_visible()
    assert (installed(site), list((site.folder / "var" / "uploads").glob("*"))) == ([], [])
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    rubbish = tmp_path / "rubbish.zip"
    rubbish.write_bytes(b"no archive" * 100)
    admin.expected += ["422"]
    choose(page, rubbish)
    expect(dialog.get_by_role("alert")).to_contain_text("the file is no archive")
    expect(dialog.get_by_role("button", name="Install", exact=True)).to_be_disabled()


def test_a_package_that_is_dropped_onto_a_dialog_is_asked_for_anew(site: Site, admin: Visitor, tmp_path: Path) -> None:
    page = admin.tab("/plugins")
    choose(page, packed(tmp_path, "harmless"))
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Install", exact=True).click()
    expect(dialog.get_by_text("is installed")).to_be_visible()
    greedy = packed(tmp_path, "greedy", permissions=["network"])
    data = page.evaluate_handle(DROP, [base64.b64encode(greedy.read_bytes()).decode(), greedy.name])
    page.locator("main").dispatch_event("drop", {"dataTransfer": data})
    expect(dialog.get_by_text("Connect to other servers")).to_be_visible()
    assert installed(site) == ["1.0.0"]
    dialog.get_by_role("button", name="Install", exact=True).click()
    close(dialog)
    assert installed(site) == ["1.0.0", "1.0.0"]
