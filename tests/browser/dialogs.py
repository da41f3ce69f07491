"""What the tests do with a change's dialog."""

from __future__ import annotations

from playwright.sync_api import Locator, expect


def close(dialog: Locator) -> None:
    """Close it when the change has ended: while that runs, there is only the cross, which leaves it running."""
    closing = dialog.get_by_role("button", name="Close")
    expect(closing).to_have_count(2)
    closing.last.click()
