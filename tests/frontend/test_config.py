"""What a configuration says is read by running it; what it raises is found in what the author wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hotbay.errors import InvalidPackage
from hotbay.frontend import Toolchain
from hotbay.frontend.config import _decode, read_config, source_line


def read(text: str, toolchain: Toolchain, folder: Path, *lazy: str) -> dict[str, Any]:
    """The configuration as plain data."""
    (folder / "frontend").mkdir()
    (folder / "frontend" / "addon.config.ts").write_text(text)
    return read_config(toolchain.compiler(), "frontend/addon.config.ts", lazy, folder, toolchain.exports)


@pytest.mark.parametrize(
    ("written", "module", "export"),
    [
        ("() => import('./a')", "./a", "default"),
        ("() => import('./a').then((m) => m)", "./a", "default"),
        ("() => import('./a').then((m) => m.default)", "./a", "default"),
        ("() => import('./a').then((m) => m.Named)", "./a", "Named"),
        ("() => import('./a').then((m) => ({ default: m.Named }))", "./a", "Named"),
        ("() => import('./a').then(({ Named }) => Named)", "./a", "Named"),
        ("() => { return import('./a'); }", "./a", "default"),
    ],
)
def test_ways_to_name_a_module(written: str, module: str, export: str, toolchain: Toolchain, tmp_path: Path) -> None:
    found = read(f"export const AddonConfig = {{ x: {written} }};", toolchain, tmp_path, "./a")
    assert found == {"x": {"$module": module, "$export": export}}


def test_plain_data_in_the_types_of_json(toolchain: Toolchain, tmp_path: Path) -> None:
    text = (
        "enum Kind { A = 'a' }\nexport default { a: [1, 'x', true, null], b: undefined, c: Kind.A, d: () => 7 } as any;"
    )
    assert read(text, toolchain, tmp_path) == {"a": [1, "x", True, None], "c": "a", "d": {"$function": True}}


def test_an_asynchronous_function_names_no_module(toolchain: Toolchain, tmp_path: Path) -> None:
    text = "export default { x: async () => (await import('./a')).default };"
    assert read(text, toolchain, tmp_path, "./a") == {"x": {"$function": True}}


def test_what_is_no_object_is_refused(toolchain: Toolchain, tmp_path: Path) -> None:
    with pytest.raises(InvalidPackage, match="must be an object"):
        read("export default [1];", toolchain, tmp_path)


def test_source_maps() -> None:
    assert _decode("AAgBC") == [0, 0, 16, 1]
    assert _decode("D") == [-1]
    assert source_line("no map at all", 1, 1, "x.ts") == 0
