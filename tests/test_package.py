"""Building packages: reproducible, atomic, and unpacked again to the same content."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from hotbay import package
from hotbay.errors import BadInput, InvalidManifest, InvalidPackage, NotFound
from hotbay.package import ArchiveKind, digest, pack, read_manifest, unpack

KINDS: list[ArchiveKind] = ["zip", "tar.gz"]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small package."""
    root = tmp_path / "work" / "shop"
    (root / "backend/__pycache__").mkdir(parents=True)
    (root / "metadata.json").write_text('{"id": "shop", "name": "Shop", "version": "1.2.0"}')
    (root / "backend/__init__.py").write_text("")
    (root / "backend/größe.py").write_text("x = 1\n" * 50_000)
    (root / "backend/__pycache__/x.pyc").write_bytes(b"x")
    return root


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_tree_gives_the_same_bytes(shop: Path, tmp_path: Path, kind: ArchiveKind) -> None:
    first = pack(shop, tmp_path / "one", kind=kind)
    other = tmp_path / "elsewhere" / "other_name"
    shutil.copytree(shop, other)
    for path in other.rglob("*"):
        os.utime(path, (1_000_000, 1_000_000))
        path.chmod(0o700)
    (other / ".env").write_text("secret")
    second = pack(other, tmp_path / "two", kind=kind)
    assert first.name == second.name == f"shop_v1.2.0.{kind}"
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_packed_unpacks_to_the_same_content(shop: Path, tmp_path: Path, kind: ArchiveKind) -> None:
    archive = pack(shop, kind=kind)
    assert archive.parent == shop.parent
    done = unpack(archive, tmp_path / "into")
    assert done.digest == digest(shop)
    assert done.manifest == read_manifest(shop) == read_manifest(archive)
    assert {path.name for path in shop.parent.iterdir()} == {"shop", archive.name}


@pytest.mark.parametrize("kind", KINDS)
def test_other_tools_read_it(shop: Path, kind: ArchiveKind) -> None:
    archive = pack(shop, kind=kind)
    wanted = ["backend/__init__.py", "backend/größe.py", "metadata.json"]
    if kind == "zip":
        with zipfile.ZipFile(archive) as read:
            assert read.namelist() == wanted
            assert read.testzip() is None
    else:
        with tarfile.open(archive) as opened:
            assert opened.getnames() == wanted


def test_another_content_gives_other_bytes(shop: Path, tmp_path: Path) -> None:
    first = pack(shop, tmp_path / "one").read_bytes()
    (shop / "backend/__init__.py").write_text("#")
    assert pack(shop, tmp_path / "one").read_bytes() != first


def test_a_failure_leaves_the_old_archive_and_nothing_else(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = pack(shop)
    before = archive.read_bytes()
    (shop / "backend/__init__.py").write_text("#")
    monkeypatch.setattr(package, "digest", lambda folder: "another")
    with pytest.raises(InvalidPackage, match="changed while it was packed"):
        pack(shop)
    assert archive.read_bytes() == before
    assert {path.name for path in shop.parent.iterdir()} == {"shop", archive.name}


def test_what_can_not_be_packed(shop: Path) -> None:
    with pytest.raises(BadInput, match="inside the package"):
        pack(shop, shop / "dist")
    assert not (shop / "dist").exists()
    with pytest.raises(NotFound):
        pack(shop / "none")
    (shop / "link").symlink_to("/etc/passwd")
    with pytest.raises(InvalidPackage, match="is a link"):
        pack(shop)
    (shop / "link").unlink()
    (shop / "bomb.txt").write_bytes(bytes(3 << 20))
    with pytest.raises(InvalidPackage, match="200 times"):
        pack(shop)
    assert {path.name for path in shop.parent.iterdir()} == {"shop"}


def test_manifests_of_folders(shop: Path) -> None:
    text = (shop / "metadata.json").read_text()
    (shop / "plugin.json").write_text(text.replace('"id"', '"plugin_id"').replace("Shop", "Other"))
    assert read_manifest(shop).name == "Shop"
    (shop / "metadata.json").unlink()
    assert read_manifest(shop).name == "Other"
    (shop / "plugin.json").unlink()
    with pytest.raises(InvalidManifest, match="no manifest at its top level"):
        read_manifest(shop)
    (shop / "metadata.json").symlink_to("/etc/passwd")
    with pytest.raises(InvalidPackage, match="must be a file"):
        read_manifest(shop)


def test_manifest_errors_come_all_at_once_with_their_file(shop: Path) -> None:
    (shop / "metadata.json").write_text(json.dumps({"id": "Shop", "version": "v1", "price": "free"}))
    with pytest.raises(InvalidManifest, match=r"metadata.json has 4 errors") as caught:
        read_manifest(shop)
    assert {problem.field for problem in caught.value.problems} == {"id", "name", "version", "price"}
    assert {problem.file for problem in caught.value.problems} == {"metadata.json"}
    (shop / "metadata.json").write_bytes(b"{" + b" " * (1 << 20))
    with pytest.raises(InvalidManifest, match="too large"):
        read_manifest(shop)


def test_a_package_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no package at"):
        read_manifest(tmp_path / "none")


def test_exports_are_sorted_and_there() -> None:
    assert sorted(package.__all__) == package.__all__
    assert all(hasattr(package, name) for name in package.__all__)
