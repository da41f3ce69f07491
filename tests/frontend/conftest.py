"""A toolchain with a real esbuild, and packages' folders with a frontend."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotbay.frontend import Bundle, Toolchain, build
from hotbay.package import read_manifest
from plugs import write_tree

EXPORTS = {
    "react": ("default", "useState", "useEffect", "Fragment"),
    "react/jsx-runtime": ("jsx", "jsxs", "Fragment"),
    "@hotbay/sdk": ("api", "notify", "useEvents"),
    "@hotbay/ui": ("Button", "Badge", "Card"),
}
CONFIG = """
    export const AddonConfig = {
      name: 'shop',
      version: '1.0.0',
      routes: [
        { path: '/support/chats', component: () => import('./pages/ChatsPage'), requireAuth: true, requireAdmin: true }
      ],
      components: { 'AIChatBot': () => import('./components/AIChatBot') },
      navigationItems: [
        { parent: 'Support', name: 'Live Chats', href: '/support/chats', icon: 'ChatBubbleLeftRightIcon' }
      ]
    };
"""
PAGE = """
    import { useState } from 'react';
    import { api } from '@hotbay/sdk';
    import { Button } from '@hotbay/ui';
    import { title } from '../shared/title';
    import './chats.css';

    export default function ChatsPage() {
      const [count, setCount] = useState<number>(0);
      return <Button onClick={() => api.get('/chats').then(() => setCount(count + 1))}>{title(count)}</Button>;
    }
"""
WIDGET = """
    import { title } from '../shared/title';
    export default function AIChatBot() { return <b>{title(2)}</b>; }
"""
FILES = {
    "frontend/addon.config.ts": CONFIG,
    "frontend/pages/ChatsPage.tsx": PAGE,
    "frontend/pages/chats.css": ".chats { color: red }",
    "frontend/components/AIChatBot.tsx": WIDGET,
    "frontend/shared/title.ts": "export const title = (count: number) => `Chats (${count}) of ${location.host}`;",
}


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    """The installation's compiler, with a few exports that the tests know."""
    return Toolchain(Toolchain.installed().compiler(), EXPORTS)


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., Path]:
    """A package's folder with the seeds' frontend; files given replace some of it, None leaves one away."""

    def make(files: dict[str, str | None] | None = None, **manifest: Any) -> Path:
        folder = tmp_path / "shop"
        chosen = {name: text for name, text in {**FILES, **(files or {})}.items() if text is not None}
        write_tree(folder, chosen)
        front = {"routes": ["/support/chats"], "components": ["AIChatBot"]}
        document = {"id": "shop", "name": "Shop", "version": "1.0.0", "frontend": front, **manifest}
        (folder / "metadata.json").write_text(json.dumps(document))
        return folder

    return make


@pytest.fixture
def compiled(toolchain: Toolchain, shop: Callable[..., Path]) -> Callable[..., tuple[Bundle, dict[str, bytes]]]:
    """What such a package compiles to: the bundle and its files."""

    def make(files: dict[str, str | None] | None = None, **manifest: Any) -> tuple[Bundle, dict[str, bytes]]:
        folder = shop(files, **manifest)
        with build(folder, read_manifest(folder), toolchain) as (bundle, place):
            return bundle, {file.name: file.read_bytes() for file in place.iterdir()}

    return make
