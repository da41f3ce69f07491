"""The package that these tests install: a page, a menu entry, a widget and a command, in versions that differ."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

PLUGIN = "live_notes"
# What is in the code of each version; the first two have the same code, and so the same files in the browser.
EDITIONS = {"1.0.0": "first", "1.1.0": "first", "1.2.0": "second", "1.3.0": "third"}

CONFIG = """
    export const AddonConfig = {
      routes: [{ path: '/support/notes', component: () => import('./pages/NotesPage'), requireAdmin: true }],
      components: { NotesWidget: () => import('./components/NotesWidget') },
      navigationItems: [
        { parent: 'Support', name: 'Live Notes', href: '/support/notes', icon: 'ChatBubbleLeftRightIcon' },
      ],
      widgets: [{ slot: 'homepage.widgets', component: 'NotesWidget' }],
      commands: [{ id: 'notes', title: 'Answer notes', href: '/support/notes' }],
    };
"""
PAGE = """
    import { lazy, Suspense, useState } from 'react';
    import { useHotState } from '@hotbay/sdk';
    import { Button, PageHeader, TextInput } from '@hotbay/ui';

    const Archive = lazy(() => import('./Archive'));

    export default function NotesPage({ plugin }) {
      const [text, setText] = useHotState('draft', '');
      const [past, setPast] = useState(false);
      if (text === 'crash') throw new Error('the page broke');
      return (
        <>
          <PageHeader title="Live Notes" about={`Version ${plugin.version}, EDITION edition`} />
          <TextInput label="Answer" value={text} onChange={(event) => setText(event.currentTarget.value)} />
          <Button onClick={() => setPast(true)}>Archive</Button>
          {past ? <Suspense fallback="…"><Archive /></Suspense> : null}
        </>
      );
    }
"""
ARCHIVE = """
    export default function Archive() {
      return <p>Archive of the EDITION edition</p>;
    }
"""
WIDGET = """
    import './widget.css';
    export default function NotesWidget() {
      return <button type="button" className="note-bubble">Write a note</button>;
    }
"""
ROUTES = """
    from fastapi import APIRouter

    router = APIRouter(prefix="/notes")


    @router.get("/all")
    def every():
        return []
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    """The package's folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return folder


def tree(folder: Path, version: str) -> Path:
    """The folder of one version."""
    manifest = {
        "id": PLUGIN,
        "name": "Live Notes",
        "version": version,
        "description": "Notes on what customers say",
        "author": "Test",
        "category": "communication",
        "price": 0,
        "icon": "PencilSquareIcon",
        "changelog": f"{version}: better",
        "backend": {"routes": ["/api/v1/notes/*"]},
        "frontend": {"routes": ["/support/notes"], "components": ["NotesWidget"]},
        "permissions": ["api.register_routes"],
    }
    edition = EDITIONS[version]
    files = {
        "metadata.json": json.dumps(manifest),
        "README.md": "# Live Notes\n\nNotes on *customers*.\n",
        "backend/__init__.py": "",
        "backend/routes.py": ROUTES,
        "frontend/addon.config.ts": CONFIG,
        "frontend/pages/NotesPage.tsx": PAGE.replace("EDITION", edition),
        "frontend/pages/Archive.tsx": ARCHIVE.replace("EDITION", edition),
        "frontend/components/NotesWidget.tsx": WIDGET,
        "frontend/components/widget.css": ".note-bubble { position: fixed; right: 24px; bottom: 24px }",
    }
    return write(folder, files)
