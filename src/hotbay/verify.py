"""Verified is another type than downloaded: this file alone makes a `VerifiedPackage`."""

from __future__ import annotations

import hmac
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, replace
from pathlib import Path
from typing import Protocol

from hotbay.errors import NotVerified, Problem
from hotbay.model import Trust, TrustState, Version
from hotbay.package import copy_tree, read_manifest, sha256_file, unpack
from hotbay.signature import PublisherKey, Statement, read_envelope
from hotbay.source import Download, Offer
from hotbay_sdk.manifest import Manifest

_MAKER = object()


@dataclass(frozen=True)
class VerifiedPackage:
    """An unpacked package whose bytes are the promised ones. `trust` is the policy's word on who made it.

    Made by `verify` and `verify_folder` only; anywhere else the constructor raises TypeError.
    """

    root: Path
    manifest: Manifest
    version: Version
    trust: Trust
    maker: InitVar[object] = None

    def __post_init__(self, maker: object) -> None:
        if maker is not _MAKER:
            raise TypeError("only hotbay.verify makes a VerifiedPackage: call verify() or verify_folder()")


@dataclass(frozen=True)
class Evidence:
    """What a policy judges by, before anything of the package was opened.

    `sha256` (hex) and `size` are those of the bytes, of a folder (`size` 0) those of its content; `signature` is the
    envelope as it came, not checked, empty when there is none.
    """

    plugin: str
    version: str
    sha256: str
    size: int = 0
    signature: bytes = b""
    folder: bool = False

    @property
    def what(self) -> str:
        """`shop 1.0.0`."""
        return f"{self.plugin} {self.version}"


class Policy(Protocol):
    """Decides whether bytes are trusted."""

    def judge(self, evidence: Evidence) -> Trust:
        """What is known of who made the package. Raises NotVerified when that is not enough."""


class AllowUnsigned:
    """Trusts every package whose hash is the promised one, and asks for no signature."""

    def judge(self, evidence: Evidence) -> Trust:
        """Always `unsigned`."""
        return Trust()


class PinnedHashes:
    """Trusts the packages of a list only: SHA-256 (hex) by `(id, version)`."""

    def __init__(self, pins: Mapping[tuple[str, str], str]) -> None:
        self.pins = {key: value.strip().lower() for key, value in pins.items()}

    def judge(self, evidence: Evidence) -> Trust:
        """`pinned`, or NotVerified for another hash and for what is not listed."""
        pin = self.pins.get((evidence.plugin, evidence.version), "")
        if not pin:
            mend = f"pin its sha256 {evidence.sha256}"
            raise NotVerified(f"{evidence.what} is not among the pinned packages", mend=mend)
        _compare(evidence.sha256, pin, evidence.what, "the pin")
        return Trust(TrustState.PINNED)


class TrustedPublishers:
    """Trusts what a publisher has signed whose key this host trusts. `required`: and nothing else.

    Whatever is required, a signature that is none (malformed, of other bytes, in the name of a trusted key that did not
    make it) is refused: who put it there claims something that is not so.
    """

    def __init__(self, keys: Iterable[PublisherKey], *, required: bool = False) -> None:
        self.keys = {key.keyid: key for key in keys}
        self.required = required

    def judge(self, evidence: Evidence) -> Trust:
        """`verified`, `unknown` or `unsigned`. Raises NotVerified."""
        if not evidence.signature:
            return self._enough(Trust(), evidence)
        envelope = read_envelope(evidence.signature)
        _same_bytes(envelope.statement, evidence)
        named = [self.keys[keyid] for keyid in envelope.keyids if keyid in self.keys]
        signers = [key for key in named if envelope.signed_by(key)]
        if named and not signers:
            raise _forged(evidence, named[0])
        publisher, claimed = envelope.statement.publisher, next(iter(envelope.keyids), "")
        if not signers:
            return self._enough(Trust(TrustState.UNKNOWN, publisher, claimed), evidence)
        mine = [key for key in signers if key.publisher == publisher]
        if not mine:
            raise _misnamed(evidence, signers[0], publisher)
        return Trust(TrustState.VERIFIED, publisher, mine[0].keyid)

    def still(self, trust: Trust) -> Trust:
        """What was said once, as it would be said today: of a key that is not trusted any more nothing is known."""
        key = self.keys.get(trust.keyid)
        if not trust.verified or (key is not None and key.publisher == trust.publisher):
            return trust
        return replace(trust, state=TrustState.UNKNOWN)

    def _enough(self, trust: Trust, evidence: Evidence) -> Trust:
        if not self.required:
            return trust
        if evidence.folder:
            raise NotVerified(
                f"{evidence.what} comes as a folder, which has no signature, and this host takes signed packages only",
                mend="pack and sign it (`hotbay pack --sign`) and install the package",
            )
        if trust.state is TrustState.UNKNOWN:
            raise NotVerified(
                f"{evidence.what} is signed with the key {trust.keyid}, which this host does not trust",
                mend=f"if it is {trust.publisher}'s: `hotbay publishers trust` with their name and public key",
            )
        raise NotVerified(
            f"{evidence.what} is not signed, and this host takes signed packages only",
            mend="ask its publisher for a signed package (require_signature is set)",
        )


class KnownContent:
    """Trusts a folder whose content was verified before as what it was then; the rest is judged by another policy."""

    def __init__(self, known: Mapping[str, Trust], otherwise: Policy) -> None:
        self.known = known
        self.otherwise = otherwise

    def judge(self, evidence: Evidence) -> Trust:
        """By the content's hash, or as the other policy does."""
        found = self.known.get(evidence.sha256) if evidence.folder else None
        return found if found is not None and found.verified else self.otherwise.judge(evidence)


def _same_bytes(said: Statement, evidence: Evidence) -> None:
    """Raises NotVerified when a signature is about another package than this one."""
    pairs = {
        "id": (said.id, evidence.plugin),
        "version": (said.version, evidence.version),
        "sha256": (said.sha256, evidence.sha256),
        "size": (said.size, evidence.size),
    }
    problems = tuple(
        Problem(f"payload.{name}", f"must be that of the package: {actual}", value=str(claimed))
        for name, (claimed, actual) in pairs.items()
        if claimed != actual
    )
    if problems:
        mend = "fetch package and signature again; if it stays so, ask who publishes it"
        raise NotVerified(f"the signature is not that of {evidence.what}", mend=mend, problems=problems)


def _forged(evidence: Evidence, key: PublisherKey) -> NotVerified:
    return NotVerified(
        f"the signature of {evidence.what} is not genuine: the key {key.keyid} of {key.publisher} did not make it",
        mend="fetch package and signature again; if it stays so, ask who publishes it",
    )


def _misnamed(evidence: Evidence, key: PublisherKey, publisher: str) -> NotVerified:
    return NotVerified(
        f"{evidence.what} says it is by {publisher}, but is signed with the key {key.keyid} of {key.publisher}",
        mend="a key is trusted under the name that its owner signs with: see `hotbay publishers`",
    )


def appraise(offer: Offer, policy: Policy) -> Trust:
    """What a policy says of an offer if its bytes are those that its source promises; for lists, nothing is opened.

    Where the source promises no hash, its signature's counts. Raises NotVerified; an install would as well.
    """
    sha256, size = offer.sha256, offer.size
    if offer.signature and not (sha256 and size):
        said = read_envelope(offer.signature).statement
        sha256, size = sha256 or said.sha256, size or said.size
    return policy.judge(Evidence(offer.id, offer.version, sha256, size, offer.signature))


def verify(download: Download, into: Path, *, expected_sha256: str = "", policy: Policy) -> VerifiedPackage:
    """Check a download against its promises, then unpack it to the new folder `into`.

    `expected_sha256` (hex) is what the administrator promised, besides what the source's offer says. Raises
    NotVerified when bytes, id, version or signature differ from it, and whatever `package.unpack` raises; then `into`
    does not exist.
    """
    offer, what = download.offer, f"{download.offer.id} {download.offer.version}"
    actual = sha256_file(download.path)
    _compare(actual, download.sha256, what, "the bytes that were downloaded")
    _compare(actual, offer.sha256, what, "the source's promise")
    _compare(actual, expected_sha256, what, "the expected hash")
    size = download.path.stat().st_size
    trust = policy.judge(Evidence(offer.id, offer.version, actual, size, offer.signature))
    unpacked = unpack(download.path, into, durable=False)
    with _gone_on_failure(into):
        _compare(unpacked.sha256, actual, what, "the bytes that were hashed")
        _same_name(unpacked.manifest, offer.id, offer.version)
        version = Version(offer.id, offer.version, actual, unpacked.digest, offer.location)
        return VerifiedPackage(into, unpacked.manifest, version, trust, _MAKER)


def verify_folder(folder: Path, into: Path, *, plugin: str = "", policy: Policy) -> VerifiedPackage:
    """Copy the package in `folder` to the new folder `into`; its sha256 is the content's digest.

    `plugin` is the id that it must have. A folder has no signature. Raises NotVerified when it has another id or the
    policy does not trust it, and whatever `package.copy_tree` and `read_manifest` raise; then `into` does not exist.
    """
    content = copy_tree(folder, into, durable=False)
    with _gone_on_failure(into):
        manifest = read_manifest(into)
        _same_name(manifest, plugin or manifest.id, manifest.version)
        trust = policy.judge(Evidence(manifest.id, manifest.version, content, folder=True))
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
