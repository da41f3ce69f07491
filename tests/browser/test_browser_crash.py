"""A plugin that breaks wherever it can: each place says whose it is, the rest lives, the plugin's log has it all."""

from __future__ import annotations

from playwright.sync_api import expect

from browser.conftest import Visitor
from browser.site import Site

PLUGIN = "bad_day"
CONFIG = """
    export default {
      routes: [
        { path: '/bad/import', component: () => import('./Import'), requireAdmin: true },
        { path: '/bad/page', component: () => import('./parts').then((m) => m.Page), requireAdmin: true },
      ],
      components: { Widget: () => import('./parts').then((m) => m.Widget) },
      widgets: [{ slot: 'homepage.widgets', component: 'Widget', order: 1 }],
      navigationItems: [{ name: 'Bad Day', href: '/bad/page' }],
      settingsPanels: [{ name: 'Panel', component: () => import('./parts').then((m) => m.Panel) }],
      commands: [{ id: 'worst', title: 'The worst command', run: () => import('./parts').then((m) => m.run) }],
    };
"""
BAD = {
    "frontend/addon.config.ts": CONFIG,
    "frontend/Import.tsx": "throw new Error('broken import');\nexport default () => null;\n",
    "frontend/parts.tsx": """
        import { useState } from 'react';

        export function Page() {
          const [pressed, press] = useState(false);
          if (pressed) throw new Error('broken page');
          return <button onClick={() => press(true)}>Break it</button>;
        }
        export function Widget() {
          throw new Error('broken widget');
        }
        export function Panel() {
          throw new Error('broken panel');
        }
        export function run() {
          throw new Error('broken command');
        }
    """,
}
GOOD = BAD | {
    "frontend/Import.tsx": "export default () => <p>Good import</p>;\n",
    "frontend/parts.tsx": """
        export const Page = () => <p>Good page</p>;
        export const Widget = () => <p>Good widget</p>;
        export const Panel = () => <p>Good panel</p>;
        export const run = () => undefined;
    """,
}
KINDS = ("import", "page", "widget", "panel", "command")


def test_a_plugin_that_breaks_everywhere(site: Site, admin: Visitor, guest: Visitor) -> None:
    about = {"name": "Bad Day", "frontend": {"routes": ["/bad/*"]}}
    site.offer(PLUGIN, "1.0.0", BAD, **about)
    site.offer(PLUGIN, "1.0.1", GOOD, **about)
    site.install("1.0.0", PLUGIN)
    site.install("1.1.0")
    for visitor in (admin, guest):
        visitor.expected += [f"broken {kind}" for kind in KINDS]
    home = guest.tab("/")
    expect(home.get_by_role("alert")).to_contain_text("Bad Day has a problem")
    expect(home.get_by_role("alert")).to_contain_text("Widget, version 1.0.0")
    expect(home.get_by_role("button", name="Write a note")).to_be_visible()
    expect(home.get_by_role("heading", name="Products")).to_be_visible()
    page = admin.tab("/bad/import")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Bad Day has a problem")
    page.get_by_role("link", name="Bad Day").click()
    page.get_by_role("button", name="Break it").click()
    expect(alert).to_contain_text("/bad/page, version 1.0.0")
    # Trying again begins anew: it breaks again only when it is broken again.
    alert.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("button", name="Break it")).to_be_visible()
    page.get_by_role("button", name="Break it").click()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Search or jump to")).to_be_focused()
    page.keyboard.type("worst")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The worst command failed")).to_be_visible()
    page.get_by_role("link", name="Live Notes").click()
    expect(page.get_by_label("Answer")).to_be_visible()
    page.goto(site.url + f"/plugins/{PLUGIN}")
    page.get_by_role("tab", name="Settings").click()
    expect(alert).to_contain_text("Panel, version 1.0.0")
    page.get_by_role("tab", name="Logs").click()
    for kind in KINDS:
        expect(page.get_by_label("Log", exact=True)).to_contain_text(f"broken {kind}")
    assert "broken" not in site.plugin_log("live_notes")
    # The next version takes the place of what broke, without a reload.
    site.upgrade("1.0.1", PLUGIN)
    expect(home.get_by_text("Good widget")).to_be_visible()
    expect(home.get_by_role("alert")).to_have_count(0)
