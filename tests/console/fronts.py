"""Packages whose frontends the tests of the console install."""

from __future__ import annotations

import textwrap
from typing import Any

CONFIG = """
    export default {
      routes: [
        { path: '/notes', component: () => import('./pages/Notes'), title: 'Notes' },
        { path: '/notes/mine', component: () => import('./pages/Notes'), requireAuth: true },
        { path: '/notes/all', component: () => import('./pages/Notes'), requireAdmin: true },
      ],
      navigationItems: [
        { name: 'Notes', href: '/notes' }, { name: 'Mine', href: '/notes/mine' }, { name: 'All', href: '/notes/all' },
      ],
      components: { Card: () => import('./pages/Notes') },
      widgets: [
        { slot: 'homepage.widgets', component: 'Card' },
        { slot: 'dashboard.cards', component: 'Card', requireAdmin: true },
      ],
      settingsPanels: [{ name: 'Keys', component: () => import('./pages/Notes') }],
      commands: [{ id: 'all', title: 'All notes', href: '/notes/all' }],
      messages: { de: { Notes: 'Notizen' } },
    };
"""
ROUTES = ["/notes", "/notes/mine", "/notes/all"]


def front(text: str = "Notes", **changes: str) -> dict[str, Any]:
    """What `desks.tree` takes: the files of a frontend that shows `text`, and the routes of its manifest."""
    page = f"import './n.css';\nexport default function Notes() {{ return <h1>{text}</h1>; }}\n"
    files = {
        "frontend/addon.config.ts": CONFIG,
        "frontend/pages/Notes.tsx": page,
        "frontend/pages/n.css": ".notes { color: red }",
    }
    return {
        "files": {name: textwrap.dedent(one) for name, one in (files | changes).items()},
        "frontend": {"routes": ROUTES},
    }
