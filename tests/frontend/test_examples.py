"""The examples of docs/frontend.md compile with what the console really shares, and add what their chapter says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hotbay.frontend import Toolchain, build
from hotbay.frontend.contributions import read_contributions
from hotbay.package import read_manifest
from plugs import write_tree

PAGE = (Path(__file__).parents[2] / "docs" / "frontend.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```\w+\n(?://|/\*) (frontend/[\w./]+)(?:: (\w+))?(?: \*/)?\n(.*?)```", PAGE, re.DOTALL)
CONFIGS = {kind: text for name, kind, text in BLOCKS if kind}
MODULES = {name: text for name, kind, text in BLOCKS if not kind}


def test_every_extension_point_has_an_example() -> None:
    assert set(CONFIGS) == {"pages", "menu", "widgets", "settings", "commands", "messages"}
    assert len(MODULES) == 5


@pytest.mark.parametrize("kind", CONFIGS)
def test_it_compiles_and_adds_what_it_says(kind: str, tmp_path: Path) -> None:
    write_tree(tmp_path, MODULES | {"frontend/addon.config.ts": CONFIGS[kind]})
    front = {"routes": ["/tickets", "/tickets/:number"]}
    manifest = {"id": "helpdesk", "name": "Helpdesk", "version": "1.0.0", "frontend": front}
    (tmp_path / "metadata.json").write_text(json.dumps(manifest))
    with build(tmp_path, read_manifest(tmp_path), Toolchain.installed()) as (bundle, _):
        assert bundle.contributions[kind]
        if kind == "widgets":
            assert bundle.styles


def test_the_table_names_every_part_and_field() -> None:
    from hotbay.frontend import contributions

    table = PAGE[PAGE.index("| part | fields") : PAGE.index("- A page's path must be declared")]
    parts = {
        "routes": contributions._ROUTE,
        "navigationItems": contributions._ENTRY,
        "widgets": contributions._WIDGET,
        "settingsPanels": contributions._PANEL,
        "commands": contributions._COMMAND,
    }
    for part, fields in parts.items():
        row = next(line for line in table.splitlines() if line.startswith(f"| `{part}`"))
        assert set(re.findall(r"`(\w+)`", row)) - set(contributions.LAYOUTS) - {"components"} == {part, *fields}
    assert read_contributions is contributions.read_contributions
