"""A plugin is found, installed, opened and removed with the keyboard alone."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from browser.conftest import Visitor

HERE = """() => {
  const at = document.activeElement;
  // Of a radio button one sees what stands around it.
  const box = (at.type === 'radio' ? at.parentElement : at).getBoundingClientRect();
  const seen = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return {
    name: at.getAttribute('aria-label') || at.textContent.trim() || at.placeholder || '',
    tag: at.tagName, seen, marked: at.matches(':focus-visible'),
  };
}"""
INSIDE = "(node) => node.contains(document.activeElement)"


def tab_to(page: Page, target: Locator, most: int = 60) -> list[str]:
    """Press Tab until the target has the focus; every stop on the way can be seen. Answers the names of the stops."""
    stops = []
    for _ in range(most):
        page.keyboard.press("Tab")
        here = page.evaluate(HERE)
        assert here["seen"] and here["marked"], here
        stops.append(here["name"])
        if target.evaluate("(node) => node === document.activeElement"):
            return stops
    raise AssertionError(f"never came to it: {stops}")


def test_a_plugin_is_installed_by_the_keyboard(admin: Visitor) -> None:
    page = admin.tab("/dashboard")
    expect(page.get_by_role("heading", level=1, name="Dashboard")).to_be_visible()
    # The first stop leads past the menu.
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Search or jump to")).to_be_focused()
    page.keyboard.type("marketplace")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Marketplace")).to_be_visible()
    card = page.get_by_role("article", name="Live Notes")
    dialog = page.get_by_role("dialog")
    install = card.get_by_role("button", name="Install Free")
    expect(install).to_be_visible()
    stops = tab_to(page, install)
    assert stops[-2:] == ["Live Notes", "Install Free"]
    # Escape: nothing has happened, and the focus is where it was.
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("What will happen")
    assert dialog.evaluate(INSIDE)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(install).to_be_focused()
    page.keyboard.press("Enter")
    confirm = dialog.get_by_role("button", name="Install", exact=True)
    expect(confirm).to_be_enabled()
    tab_to(page, confirm)
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("Live Notes is installed")).to_be_visible()
    expect(dialog.get_by_role("button", name="Open")).to_be_focused()
    # The focus does not leave the dialog.
    for _ in range(6):
        page.keyboard.press("Tab")
        assert dialog.evaluate(INSIDE)
    page.keyboard.press("Escape")
    # The button is gone; the focus stays at the plugin.
    uninstall = card.get_by_role("button", name="Uninstall")
    expect(card.locator(":focus")).to_have_count(1)
    tab_to(page, uninstall, 2)
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("What becomes of its data?")
    remove = dialog.get_by_role("button", name="Uninstall")
    expect(remove).to_be_enabled()
    tab_to(page, remove)
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("Live Notes was removed")).to_be_visible()
    page.keyboard.press("Escape")
    expect(card.locator(":focus")).to_have_count(1)


def test_menus_and_tabs_by_arrows(admin: Visitor) -> None:
    page = admin.tab("/dashboard")
    account = page.get_by_role("button", name="Account")
    account.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem").nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(account).to_be_focused()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.press("Escape")
    expect(account).to_be_focused()
