"""A plugin as a folder that an administrator puts there by hand, a package that is dropped onto the page, safe mode."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

from playwright.sync_api import Page, expect

from browser.conftest import Visitor
from browser.dialogs import close
from browser.notes import PLUGIN
from browser.site import Site

NAME = "Live Notes"
DROP = """
([text, name]) => {
  const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const made = new DataTransfer();
  made.items.add(new File([bytes], name, { type: 'application/zip' }));
  return made;
}
"""
SAFE = "Safe mode: no plugin is loaded."


def folders(site: Site) -> list[str]:
    """What the plugins folder has."""
    found = (site.folder / "var" / "plugins").iterdir()
    return sorted(path.name for path in found if path.is_dir() and not path.name.startswith("."))


def put(site: Site, name: str) -> None:
    """A folder comes, whole, by one rename."""
    plugins: Path = site.folder / "var" / "plugins"
    plugins.mkdir(exist_ok=True)
    shutil.copytree(site.folder / "trees" / "1.0.0" / PLUGIN, plugins / ".coming")
    (plugins / ".coming").rename(plugins / name)


def act(page: Page, entry: str, button: str, done: str) -> None:
    """Choose from the row's menu, agree to the plan, wait for its end."""
    page.get_by_role("button", name=f"Actions for {NAME}").click()
    page.get_by_role("menuitem", name=entry).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=button, exact=True).click()
    expect(dialog.get_by_text(done)).to_be_visible()
    close(dialog)
    expect(dialog).to_have_count(0)


def test_a_folder_is_activated_deactivated_and_deleted_from_the_page(site: Site, admin: Visitor) -> None:
    page = admin.tab("/plugins")
    expect(page.get_by_text("No plugin is installed yet")).to_be_visible()
    put(site, f"_{PLUGIN}")
    row = page.get_by_role("row").filter(has_text=NAME)
    expect(row).to_contain_text("Inactive")
    act(page, "Activate", "Activate", f"{NAME} is active")
    expect(row).to_contain_text("Active")
    expect(page.get_by_role("link", name=NAME).first).to_be_visible()
    assert folders(site) == [PLUGIN]
    act(page, "Deactivate", "Deactivate", f"{NAME} is inactive")
    expect(row).to_contain_text("Inactive")
    assert folders(site) == [f"_{PLUGIN}"]
    act(page, "Uninstall", "Uninstall", f"{NAME} was removed")
    expect(row).to_have_count(0)
    assert folders(site) == []


def test_a_folder_that_is_renamed_by_hand_changes_in_the_page(site: Site, admin: Visitor) -> None:
    site.install("1.0.0")
    page = admin.tab("/plugins")
    row = page.get_by_role("row").filter(has_text=NAME)
    expect(row.get_by_text("Active", exact=True)).to_be_visible()
    plugins = site.folder / "var" / "plugins"
    (plugins / PLUGIN).rename(plugins / f"_{PLUGIN}")
    expect(row.get_by_text("Inactive", exact=True)).to_be_visible()
    shutil.rmtree(plugins / f"_{PLUGIN}")
    expect(row).to_have_count(0)


def test_a_folder_that_is_refused_says_why(site: Site, admin: Visitor) -> None:
    broken = site.folder / "var" / "plugins" / "broken_thing"
    page = admin.tab("/plugins")
    expect(page.get_by_text("No plugin is installed yet")).to_be_visible()
    broken.mkdir(parents=True)
    try:
        (broken / "metadata.json").write_text('{"id": "broken_thing", "name": "Broken", "version": "one"}')
        alert = page.get_by_role("alert").filter(has_text="The folder broken_thing is not installed")
        expect(alert).to_contain_text("version")
    finally:
        shutil.rmtree(broken)
    expect(alert).to_have_count(0)


def test_a_package_is_installed_by_dropping_it_onto_the_page(site: Site, admin: Visitor) -> None:
    (package,) = (site.folder / "modules").glob(f"{PLUGIN}_v1.0.0*")
    page = admin.tab("/plugins")
    expect(page.get_by_role("heading", name="Installed plugins")).to_be_visible()
    data = page.evaluate_handle(DROP, [base64.b64encode(package.read_bytes()).decode(), package.name])
    target = page.locator("main")
    target.dispatch_event("dragover", {"dataTransfer": data})
    expect(page.get_by_text("Drop the package to install it")).to_be_visible()
    target.dispatch_event("drop", {"dataTransfer": data})
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Install", exact=True).click()
    expect(dialog.get_by_text("is installed")).to_be_visible()
    close(dialog)
    expect(page.get_by_role("row").filter(has_text=NAME)).to_contain_text("1.0.0")
    expect(page.get_by_text("Drop the package to install it")).to_have_count(0)


def test_safe_mode_says_so_on_every_page_and_lets_plugins_be_switched_off(site: Site, admin: Visitor) -> None:
    site.install("1.0.0")
    restart(site, safe=True)
    try:
        page = admin.tab("/plugins")
        expect(page.get_by_role("status").filter(has_text=SAFE)).to_be_visible()
        expect(page.locator("nav").get_by_role("link", name=NAME)).to_have_count(0)
        act(page, "Deactivate", "Deactivate", f"{NAME} is inactive")
        page.goto(f"{site.url}/dashboard")
        expect(page.get_by_role("status").filter(has_text=SAFE)).to_be_visible()
        page.close()
    finally:
        restart(site, safe=False)
    page = admin.tab("/plugins")
    expect(page.get_by_role("row").filter(has_text=NAME)).to_contain_text("Inactive")
    expect(page.get_by_text(SAFE)).to_have_count(0)


def restart(site: Site, *, safe: bool) -> None:
    site.stop()
    site.environment["HOTBAY_SAFE_MODE"] = str(safe).lower()
    site.start()
