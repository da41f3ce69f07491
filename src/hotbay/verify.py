"""Verified is another type than downloaded: this file alone makes a `VerifiedPackage`."""

from __future__ import annotations

import hmac
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import InitVar, dataclass
from pathlib import Path
from typing import Protocol

from hotbay.errors import NotVerified, Problem
from hotbay.model import Version
from hotbay.package import copy_tree, read_manifest, sha256_file, unpack
from hotbay.source import Download
from hotbay_sdk.manifest import Manifest

_MAKER = object()


@dataclass(frozen=True)
class VerifiedPackage:
    """An unpacked package whose bytes are the promised ones. `trust` is the policy's word for why.

    Made by `verify` and `verify_folder` only; anywhere else the constructor raises TypeError.
    """

    root: Path
    manifest: Manifest
    version: Version
    trust: str
    maker: InitVar[object] = None

    def __post_init__(self, maker: object) -> None:
        if maker is not _MAKER:
            raise TypeError("only hotbay.verify makes a VerifiedPackage: call verify() or verify_folder()")


class Policy(Protocol):
    """Decides whether bytes are trusted. It sees identity and hash before anything of the package was opened."""

    def judge(self, plugin: str, version: str, sha256: str) -> str:
        """A word for the trust (`unsigned`, `pinned`). Raises NotVerified when there is none."""


class AllowUnsigned:
    """Trusts every package whose hash is the promised one."""

    def judge(self, plugin: str, version: str, sha256: str) -> str:
        """Always `unsigned`."""
        return "unsigned"


class PinnedHashes:
    """Trusts the packages of a list only: SHA-256 (hex) by `(id, version)`."""

    def __init__(self, pins: Mapping[tuple[str, str], str]) -> None:
        self.pins = {key: value.strip().lower() for key, value in pins.items()}

    def judge(self, plugin: str, version: str, sha256: str) -> str:
        """`pinned`, or NotVerified for another hash and for what is not listed."""
        pin = self.pins.get((plugin, version), "")
        if not pin:
            raise NotVerified(f"{plugin} {version} is not among the pinned packages", mend=f"pin its sha256 {sha256}")
        _compare(sha256, pin, f"{plugin} {version}", "the pin")
        return "pinned"


def verify(download: Download, into: Path, *, expected_sha256: str = "", policy: Policy) -> VerifiedPackage:
    """Check a download against its promises, then unpack it to the new folder `into`.

    `expected_sha256` (hex) is what the administrator promised, besides what the source's offer says. Raises
    NotVerified when bytes, id or version differ from it, and whatever `package.unpack` raises; then `into` does
    not exist.
    """
    offer, what = download.offer, f"{download.offer.id} {download.offer.version}"
    actual = sha256_file(download.path)
    _compare(actual, download.sha256, what, "the bytes that were downloaded")
    _compare(actual, offer.sha256, what, "the source's promise")
    _compare(actual, expected_sha256, what, "the expected hash")
    trust = policy.judge(offer.id, offer.version, actual)
    unpacked = unpack(download.path, into, durable=False)
    with _gone_on_failure(into):
        _compare(unpacked.sha256, actual, what, "the bytes that were hashed")
        _same_name(unpacked.manifest, offer.id, offer.version)
        version = Version(offer.id, offer.version, actual, unpacked.digest, offer.location)
        return VerifiedPackage(into, unpacked.manifest, version, trust, _MAKER)


def verify_folder(folder: Path, into: Path, *, plugin: str = "", policy: Policy) -> VerifiedPackage:
    """Copy the package in `folder` to the new folder `into`; its sha256 is the content's digest.

    `plugin` is the id that it must have. Raises NotVerified when it has another or the policy does not trust it,
    and whatever `package.copy_tree` and `read_manifest` raise; then `into` does not exist.
    """
    content = copy_tree(folder, into, durable=False)
    with _gone_on_failure(into):
        manifest = read_manifest(into)
        _same_name(manifest, plugin or manifest.id, manifest.version)
        trust = policy.judge(manifest.id, manifest.version, content)
        version = Version(manifest.id, manifest.version, content, content, str(folder))
        return VerifiedPackage(into, manifest, version, trust, _MAKER)


@contextmanager
def _gone_on_failure(into: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(into)
        raise


def _same_name(manifest: Manifest, plugin: str, version: str) -> None:
    if (manifest.id, manifest.version) != (plugin, version):
        said = f"{manifest.id} {manifest.version}"
        raise NotVerified(f"the package says it is {said}, but {plugin} {version} was asked for")


def _compare(actual: str, promised: str, what: str, whose: str) -> None:
    """Raises NotVerified unless nothing was promised or it is the same hash."""
    if promised and not hmac.compare_digest(actual.encode(), promised.strip().lower().encode()):
        raise NotVerified(
            f"{what}: the package is not the one that was promised",
            mend="fetch it again; if it stays so, ask who publishes it",
            problems=(Problem("sha256", f"must be {whose}: {promised}", value=actual),),
        )
