"""A host's own pages, bundled."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotbay.console.own import bundle
from hotbay.errors import InvalidConfig

CONFIG = 'import "./look.css";\nexport default { pages: [{ path: "/", component: () => import("./Home") }] };\n'


def sources(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def test_pages_styles_and_chunks_are_bundled_once(tmp_path: Path) -> None:
    folder = sources(tmp_path / "pages", look_css="a { color: red }", Home_tsx="export default () => <p>Hi</p>;\n")
    (folder / "host.config.ts").write_text(CONFIG)
    found = bundle(folder, tmp_path / "cache")
    assert (found.folder / found.module).is_file()
    assert [name for name in found.styles if (found.folder / name).is_file()]
    assert len(list(found.folder.glob("*.js"))) >= 2
    before = (found.folder / found.module).stat().st_mtime_ns
    assert bundle(folder, tmp_path / "cache") == found
    assert (found.folder / found.module).stat().st_mtime_ns == before


def test_other_sources_are_another_digest(tmp_path: Path) -> None:
    folder = sources(tmp_path / "pages")
    (folder / "host.config.ts").write_text("export default {};\n")
    one = bundle(folder, tmp_path / "cache")
    (folder / "host.config.ts").write_text("export default { pages: [] };\n")
    assert bundle(folder, tmp_path / "cache").digest != one.digest


def test_what_does_not_compile_is_named_with_its_line(tmp_path: Path) -> None:
    folder = sources(tmp_path / "pages")
    (folder / "host.config.tsx").write_text("export default {{{")
    with pytest.raises(InvalidConfig, match=r"host\.config\.tsx:1"):
        bundle(folder, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_folder_without_an_entry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"there is no host\.config\.tsx"):
        bundle(sources(tmp_path / "pages"), tmp_path / "cache")
