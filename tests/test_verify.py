"""Verified is made here only, and only of the promised bytes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hotbay.errors import InvalidPackage, NotVerified, Refused
from hotbay.model import Version
from hotbay.package import digest, pack, read_manifest, sha256_file
from hotbay.source import Download, Offer, UploadSource
from hotbay.verify import AllowUnsigned, PinnedHashes, VerifiedPackage, verify, verify_folder

OTHER = "0" * 64


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A package's folder."""
    root = tmp_path / "plugins" / "shop"
    root.mkdir(parents=True)
    (root / "metadata.json").write_text('{"id": "shop", "name": "Shop", "version": "1.0.0"}')
    (root / "a.txt").write_text("a")
    return root


@pytest.fixture
def download(shop: Path, tmp_path: Path) -> Download:
    """A download of it."""
    return UploadSource(pack(shop, tmp_path / "out")).fetch("shop", "latest", tmp_path / "down")


def test_a_package_whose_bytes_are_the_promised_ones(download: Download, shop: Path, tmp_path: Path) -> None:
    promised = download.sha256.upper()
    done = verify(download, tmp_path / "into", expected_sha256=promised, policy=AllowUnsigned())
    assert done.version == Version("shop", "1.0.0", download.sha256, digest(shop), download.offer.location)
    assert (done.root, done.trust, done.manifest.id) == (tmp_path / "into", "unsigned", "shop")
    assert (done.root / "a.txt").read_text() == "a"


def changed(download: Download, **values: str) -> Download:
    return dataclasses.replace(download, offer=dataclasses.replace(download.offer, **values))


def test_broken_promises(download: Download, tmp_path: Path) -> None:
    into = tmp_path / "into"
    for bad, expected in [
        (changed(download, sha256=OTHER), ""),
        (dataclasses.replace(download, sha256=OTHER), ""),
        (download, OTHER),
        (download, "no hash é"),
        (changed(download, id="other"), ""),
        (changed(download, version="2.0.0"), ""),
    ]:
        with pytest.raises(NotVerified):
            verify(bad, into, expected_sha256=expected, policy=AllowUnsigned())
        assert not into.exists()


def test_bytes_that_changed_after_the_download(download: Download, tmp_path: Path) -> None:
    download.path.write_bytes(download.path.read_bytes() + b"x")
    with pytest.raises(NotVerified, match="not the one that was promised") as caught:
        verify(download, tmp_path / "into", policy=AllowUnsigned())
    assert caught.value.problems[0].value == sha256_file(download.path)


def test_hostile_bytes_are_refused_by_the_unpacker(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"PK\x03\x04 nonsense")
    download = Download(tmp_path / "a", Offer("shop", "1.0.0"), sha256_file(tmp_path / "a"))
    with pytest.raises(InvalidPackage):
        verify(download, tmp_path / "into", policy=AllowUnsigned())
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_pinned_hashes(download: Download, tmp_path: Path) -> None:
    key = ("shop", "1.0.0")
    done = verify(download, tmp_path / "into", policy=PinnedHashes({key: download.sha256.upper() + "\n"}))
    assert done.trust == "pinned"
    with pytest.raises(NotVerified, match="promised"):
        verify(download, tmp_path / "two", policy=PinnedHashes({key: OTHER}))
    with pytest.raises(NotVerified, match="not among the pinned"):
        verify(download, tmp_path / "two", policy=PinnedHashes({}))
    assert not (tmp_path / "two").exists()


def test_a_folder(shop: Path, tmp_path: Path) -> None:
    (shop / ".env").write_text("secret")
    done = verify_folder(shop, tmp_path / "into", plugin="shop", policy=AllowUnsigned())
    assert done.version == Version("shop", "1.0.0", digest(shop), digest(shop), str(shop))
    assert sorted(path.name for path in done.root.iterdir()) == ["a.txt", "metadata.json"]
    with pytest.raises(Refused):
        verify_folder(shop, tmp_path / "into", policy=AllowUnsigned())
    for plugin, policy in (("other", AllowUnsigned()), ("shop", PinnedHashes({}))):
        with pytest.raises(NotVerified):
            verify_folder(shop, tmp_path / "two", plugin=plugin, policy=policy)
    assert not (tmp_path / "two").exists()
    pins = PinnedHashes({("shop", "1.0.0"): digest(shop)})
    assert verify_folder(shop, tmp_path / "two", policy=pins).trust == "pinned"


def test_nobody_else_makes_one(shop: Path) -> None:
    manifest = read_manifest(shop)
    version = Version("shop", "1.0.0", OTHER, OTHER)
    with pytest.raises(TypeError, match=r"only hotbay\.verify"):
        VerifiedPackage(shop, manifest, version, "unsigned")
    with pytest.raises(TypeError, match=r"only hotbay\.verify"):
        VerifiedPackage(shop, manifest, version, "unsigned", object())
