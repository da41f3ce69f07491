"""A packed plugin carries what browsers need; what it says is verified before it is believed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hotbay.errors import InvalidPackage, StateError
from hotbay.frontend import Bundle, Toolchain, build
from hotbay.frontend.packing import pack
from hotbay.package import digest, read_manifest, unpack

Shop = Callable[..., Path]
DIST = "frontend/dist"


@pytest.fixture
def packed(shop: Shop, toolchain: Toolchain, tmp_path: Path) -> Path:
    """The unpacked folder of a packed plugin."""
    return unpack(pack(shop(), tmp_path / "out", toolchain=toolchain), tmp_path / "unpacked").root


@contextmanager
def installed(folder: Path, toolchain: Toolchain) -> Iterator[tuple[Bundle, Path]]:
    """On a host that has no compiler."""
    with build(folder, read_manifest(folder), Toolchain(None, toolchain.exports)) as found:
        yield found


def edit(folder: Path, **changes: object) -> None:
    """Change what bundle.json says."""
    file = folder / DIST / "bundle.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_packed_frontend_needs_no_compiler_and_is_the_same(shop: Shop, packed: Path, toolchain: Toolchain) -> None:
    with build(shop(), read_manifest(shop()), toolchain) as (here, _), installed(packed, toolchain) as (there, files):
        assert there == here
        assert {file.name for file in files.iterdir()} == set(here.files)


def test_the_same_folder_gives_the_same_bytes_and_stays_as_it_is(
    shop: Shop, toolchain: Toolchain, tmp_path: Path
) -> None:
    before = digest(shop())
    first, second = (pack(shop(), tmp_path / name, toolchain=toolchain).read_bytes() for name in ("one", "two"))
    assert first == second
    assert digest(shop()) == before


def test_a_folder_without_a_frontend_is_packed_as_it_is(shop: Shop, tmp_path: Path) -> None:
    folder = shop({"frontend/addon.config.ts": None}, frontend={})
    with zipfile.ZipFile(pack(folder, tmp_path / "out", toolchain=Toolchain(None, {}))) as archive:
        assert not [name for name in archive.namelist() if "dist" in name]


def test_an_old_result_in_the_authors_folder_is_made_anew(shop: Shop, packed: Path, toolchain: Toolchain) -> None:
    (packed / "frontend/shared/title.ts").write_text("export const title = (n: number) => location.href + n;")
    with build(packed, read_manifest(packed), toolchain) as (bundle, _):
        assert bundle.digest != json.loads((packed / DIST / "bundle.json").read_text())["digest"]
    again = unpack(pack(packed, packed.parent / "again", toolchain=toolchain), packed.parent / "unpacked2").root
    assert json.loads((again / DIST / "bundle.json").read_text())["digest"] == bundle.digest
    assert set(bundle.files) == {file.name for file in (again / DIST).iterdir()} - {"bundle.json"}


def test_a_changed_file_is_noticed(packed: Path, toolchain: Toolchain) -> None:
    file = next((packed / DIST).glob("ChatsPage-*.js"))
    file.write_text(file.read_text() + "fetch('https://evil.example')")
    with pytest.raises(InvalidPackage, match="hash is another one"), installed(packed, toolchain):
        pass


def test_files_beside_those_that_are_listed_are_noticed(packed: Path, toolchain: Toolchain) -> None:
    (packed / DIST / "more-ABCDEFGH.js").write_text("1")
    with pytest.raises(InvalidPackage, match=r"not those that bundle\.json lists"), installed(packed, toolchain):
        pass


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"digest": 1}', '{"digest":"a","files":[],"styles":1}'])
def test_a_damaged_bundle_is_refused(packed: Path, toolchain: Toolchain, text: str) -> None:
    (packed / DIST / "bundle.json").write_text(text)
    with pytest.raises(InvalidPackage, match="can't be used"), installed(packed, toolchain):
        pass


def test_another_digest_is_refused(packed: Path, toolchain: Toolchain) -> None:
    edit(packed, digest="0" * 16)
    with pytest.raises(InvalidPackage, match="another digest"), installed(packed, toolchain):
        pass


@pytest.mark.parametrize(
    ("kind", "change", "rule"),
    [
        ("pages", {"path": "/admin"}, "is not declared in the manifest"),
        ("pages", {"module": "../../x.js"}, "which is not packed"),
        ("pages", {"requireAdmin": "no"}, "must be true or false"),
        ("pages", {"requireAuth": False}, "are not what a configuration would give"),
        ("pages", {"secret": 1}, "is no field of this"),
        ("menu", {"href": "javascript:alert(1)"}, "must be a path"),
        ("menu", {"name": 7}, "must be one line of text"),
        ("widgets", {"slot": "Anywhere"}, "must be the name of a slot"),
        ("styles", {}, "are not the style sheets"),
    ],
)
def test_packed_contributions_keep_the_rules_of_configurations(
    packed: Path, toolchain: Toolchain, kind: str, change: dict[str, object], rule: str
) -> None:
    found = json.loads((packed / DIST / "bundle.json").read_text())
    if kind == "styles":
        edit(packed, styles=["x.css"])
    else:
        contributions = found["contributions"]
        contributions[kind][0] |= change
        edit(packed, contributions=contributions)
    with pytest.raises(InvalidPackage) as caught, installed(packed, toolchain):
        pass
    assert any(rule in problem.rule for problem in caught.value.problems), caught.value.problems


def test_a_shell_that_offers_less_refuses_what_would_not_link(packed: Path, toolchain: Toolchain) -> None:
    less = {module: names for module, names in toolchain.exports.items() if module != "@hotbay/ui"}
    none = "'@hotbay/ui' is none of the shared modules"
    with pytest.raises(InvalidPackage, match=none), installed(packed, Toolchain(None, less)):
        pass
    fewer = {**toolchain.exports, "@hotbay/sdk": ("notify",)}
    lacks = "@hotbay/sdk does not export 'api'"
    with pytest.raises(InvalidPackage, match=lacks), installed(packed, Toolchain(None, fewer)):
        pass


def test_without_a_compiler_nothing_is_packed(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="no compiler"):
        pack(shop(), tmp_path / "out", toolchain=Toolchain(None, {}))
    assert not (tmp_path / "out").exists()
