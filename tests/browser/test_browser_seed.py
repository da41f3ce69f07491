"""The promise that the project was started from, step by step; only that nobody has to refresh the page."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.conftest import Visitor
from browser.dialogs import close
from browser.test_browser_live import kept, no_reload


def test_the_four_steps(admin: Visitor) -> None:
    # Step 1: check the current state.
    page = admin.tab("/support/chats")
    no_reload(page)
    expect(page.get_by_text("AI Chatbot Addon Not Installed")).to_be_visible()
    page.get_by_role("link", name="Go to Marketplace").click()
    # Step 2: install the plugin.
    card = page.get_by_role("article", name="AI Chatbot")
    expect(card).to_contain_text("FREE")
    card.get_by_role("button", name="Install Free").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Answer addresses of this site")
    expect(dialog).to_contain_text("serve 1.1.0 in every worker")
    dialog.get_by_role("button", name="Install", exact=True).click()
    expect(dialog.get_by_text("AI Chatbot is installed")).to_be_visible()
    close(dialog)
    # Step 3: use it immediately: the browser's back button, no refresh.
    page.go_back()
    expect(page.get_by_role("heading", name="Live Chats")).to_be_visible()
    # Step 4: uninstall it.
    page.get_by_role("link", name="Marketplace").click()
    card.get_by_role("button", name="Uninstall").click()
    dialog.get_by_role("button", name="Uninstall").click()
    expect(dialog.get_by_text("AI Chatbot was removed")).to_be_visible()
    close(dialog)
    page.go_back()
    expect(page.get_by_text("AI Chatbot Addon Not Installed")).to_be_visible()
    assert kept(page)
