"""Verified is made here only, and only of the promised bytes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from hotbay.errors import InvalidPackage, NotVerified, Refused
from hotbay.model import Trust, TrustState, Version
from hotbay.package import digest, pack, read_manifest, sha256_file
from hotbay.seal import SigningKey
from hotbay.source import Download, Offer, UploadSource
from hotbay.verify import (
    AllowUnsigned,
    KnownContent,
    PinnedHashes,
    TrustedPublishers,
    VerifiedPackage,
    appraise,
    verify,
    verify_folder,
)
from signing import envelope, payload, public, publisher, put, signed

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
    assert (done.root, done.trust, done.manifest.id) == (tmp_path / "into", Trust(), "shop")
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
    assert done.trust == Trust(TrustState.PINNED)
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
    assert verify_folder(shop, tmp_path / "two", policy=pins).trust.state is TrustState.PINNED


def test_nobody_else_makes_one(shop: Path) -> None:
    manifest = read_manifest(shop)
    version = Version("shop", "1.0.0", OTHER, OTHER)
    with pytest.raises(TypeError, match=r"only hotbay\.verify"):
        VerifiedPackage(shop, manifest, version, Trust())
    with pytest.raises(TypeError, match=r"only hotbay\.verify"):
        VerifiedPackage(shop, manifest, version, Trust(), object())


# ── signatures ──────────────────────────────────────────────────────────────────────────────────────────────────

ADA, EVE = publisher(), publisher("Eve")
HOST = TrustedPublishers(public(ADA))
STRICT = TrustedPublishers(public(ADA), required=True)


@pytest.fixture
def archive(shop: Path, tmp_path: Path) -> Path:
    """The package, without a signature."""
    return pack(shop, tmp_path / "signed")


def fetched(archive: Path, into: Path) -> Download:
    return UploadSource(archive).fetch("shop", "1.0.0", into / "down")


def judged(archive: Path, tmp_path: Path, policy: TrustedPublishers = HOST) -> Trust:
    return verify(fetched(archive, tmp_path), tmp_path / "into", policy=policy).trust


def refusal(archive: Path, tmp_path: Path, *policies: TrustedPublishers) -> NotVerified:
    """How it is refused, by whatever policy: nothing of it is unpacked."""
    for policy in policies or (HOST, STRICT):
        with pytest.raises(NotVerified) as caught:
            judged(archive, tmp_path, policy)
        assert not (tmp_path / "into").exists()
    return caught.value


def test_what_a_trusted_publisher_signed(archive: Path, tmp_path: Path) -> None:
    expected = Trust(TrustState.VERIFIED, "Ada", ADA.public.keyid)
    assert judged(signed(archive, ADA), tmp_path) == expected
    assert judged(archive, tmp_path / "strict", STRICT) == expected


def test_what_nobody_signed(archive: Path, tmp_path: Path) -> None:
    assert judged(archive, tmp_path) == Trust()
    refused = refusal(archive, tmp_path / "strict", STRICT)
    assert (refused.message, refused.code) == (
        "shop 1.0.0 is not signed, and this host takes signed packages only",
        "not-verified",
    )
    assert refused.mend


def test_what_somebody_signed_whom_the_host_does_not_know(archive: Path, tmp_path: Path) -> None:
    """Nothing is known then, not even whether the signature is genuine: so a name in it proves nothing."""
    claimed = put(archive, envelope(payload(archive, "Ada"), EVE))
    assert judged(claimed, tmp_path) == Trust(TrustState.UNKNOWN, "Ada", EVE.public.keyid)
    refused = refusal(claimed, tmp_path / "strict", STRICT)
    assert EVE.public.keyid in refused.message and "hotbay publishers trust" in refused.mend


def test_swapped_bytes_under_a_good_signature(archive: Path, shop: Path, tmp_path: Path) -> None:
    content = signed(archive, ADA).with_name(archive.name + ".sig.json").read_bytes()
    (shop / "a.txt").write_text("b")
    other = put(pack(shop, tmp_path / "other"), content)
    assert other.stat().st_size == archive.stat().st_size
    refused = refusal(other, tmp_path)
    assert [problem.field for problem in refused.problems] == ["payload.sha256"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"version": "1.0.1"}, "version"), ({"id": "mail"}, "id"), ({"size": 1}, "size"), ({"sha256": OTHER}, "sha256")],
)
def test_a_signature_of_another_package(archive: Path, tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    """By a trusted key, or by an unknown one: what lies there claims something that is not so."""
    for key in (ADA, EVE):
        refused = refusal(put(archive, envelope(payload(archive, **changes), key)), tmp_path)
        assert [problem.field for problem in refused.problems] == [f"payload.{field}"]


def test_a_name_that_is_not_the_signers(archive: Path, tmp_path: Path) -> None:
    refused = refusal(put(archive, envelope(payload(archive, "Eve"), ADA)), tmp_path)
    assert "says it is by Eve, but is signed with the key" in refused.message
    assert refused.message.endswith("of Ada")


def renamed(data: bytes, keyid: str) -> bytes:
    document = json.loads(data)
    return json.dumps(document | {"signatures": [one | {"keyid": keyid} for one in document["signatures"]]}).encode()


def test_a_key_id_that_points_at_another_key(archive: Path, tmp_path: Path) -> None:
    """Signed by Eve in the name of Ada's key: a forgery, not just something unknown."""
    forged = renamed(envelope(payload(archive), EVE), ADA.public.keyid)
    assert "is not genuine" in refusal(put(archive, forged), tmp_path).message
    # The other way round the signature is Ada's own, but names a key that nobody here has.
    hidden = renamed(envelope(payload(archive), ADA), EVE.public.keyid)
    assert judged(put(archive, hidden), tmp_path).state is TrustState.UNKNOWN
    assert "not trust" in refusal(archive, tmp_path / "strict", STRICT).message


def test_a_changed_payload_under_an_old_signature(archive: Path, tmp_path: Path) -> None:
    """An upgrade of the attacker's own, with the payload made to fit and the signature of the version before."""
    old = json.loads(envelope(payload(archive, version="0.9.0"), ADA))
    fit = json.loads(envelope(payload(archive), ADA))
    forged = json.dumps(fit | {"signatures": old["signatures"]}).encode()
    assert "is not genuine" in refusal(put(archive, forged), tmp_path).message


def test_one_of_two_signatures_is_enough(archive: Path, tmp_path: Path) -> None:
    for keys in ((EVE, ADA), (ADA, EVE), (ADA, publisher())):
        put(archive, envelope(payload(archive), *keys))
        assert judged(archive, tmp_path / str(keys)[-9:-3], STRICT).keyid == ADA.public.keyid
    both = TrustedPublishers(public(ADA, EVE), required=True)
    put(archive, envelope(payload(archive, "Eve"), ADA, EVE))
    assert judged(archive, tmp_path / "both", both) == Trust(TrustState.VERIFIED, "Eve", EVE.public.keyid)


def test_two_signatures_of_which_neither_is_good(archive: Path, tmp_path: Path) -> None:
    document = json.loads(envelope(payload(archive), EVE, publisher()))
    document["signatures"][1]["keyid"] = ADA.public.keyid
    assert "is not genuine" in refusal(put(archive, json.dumps(document).encode()), tmp_path).message


def test_one_publisher_with_two_keys(archive: Path, tmp_path: Path) -> None:
    later = publisher("Ada")
    host = TrustedPublishers(public(ADA, later), required=True)
    for key in (ADA, later):
        archive.with_name(archive.name + ".sig.json").unlink(missing_ok=True)
        assert judged(signed(archive, key), tmp_path / key.public.keyid, host).publisher == "Ada"


@pytest.mark.parametrize("content", [b"", b"{}", b"x" * 20_000, b'{"payload":' + b"[" * 9_000, b"\xff"])
def test_a_malformed_signature_is_worse_than_none(archive: Path, tmp_path: Path, content: bytes) -> None:
    assert "can't be understood" in refusal(put(archive, content), tmp_path).message


def test_a_truncated_signature(archive: Path, tmp_path: Path) -> None:
    whole = envelope(payload(archive), ADA)
    for length in range(0, len(whole) - 1, 37):
        refusal(put(archive, whole[:length]), tmp_path, HOST)


def test_a_host_that_trusts_nobody(archive: Path, tmp_path: Path) -> None:
    signed(archive, ADA)
    assert judged(archive, tmp_path, TrustedPublishers([])).state is TrustState.UNKNOWN
    refusal(archive, tmp_path / "strict", TrustedPublishers([], required=True))


def test_the_signature_is_judged_before_anything_is_opened(archive: Path, tmp_path: Path) -> None:
    """Bytes that are no archive: whoever opened them first would say so."""
    garbage = tmp_path / "garbage.zip"
    garbage.write_bytes(b"PK nothing")
    offer = Offer("shop", "1.0.0", signature=envelope(payload(archive), ADA))
    with pytest.raises(NotVerified, match="not that of shop"):
        verify(Download(garbage, offer, sha256_file(garbage)), tmp_path / "into", policy=HOST)


def test_folders_have_no_signature(shop: Path, tmp_path: Path) -> None:
    signed(pack(shop, shop.parent), ADA)
    assert verify_folder(shop, tmp_path / "into", policy=HOST).trust == Trust()
    with pytest.raises(NotVerified, match="comes as a folder"):
        verify_folder(shop, tmp_path / "two", policy=STRICT)
    assert not (tmp_path / "two").exists()


def test_a_folder_with_content_that_was_verified_before(shop: Path, archive: Path, tmp_path: Path) -> None:
    before = Trust(TrustState.VERIFIED, "Ada", ADA.public.keyid)
    known = KnownContent({digest(shop): before}, STRICT)
    assert verify_folder(shop, tmp_path / "into", policy=known).trust == before
    for trust in (Trust(), Trust(TrustState.UNKNOWN, "Ada", ADA.public.keyid)):
        with pytest.raises(NotVerified):
            verify_folder(shop, tmp_path / "two", policy=KnownContent({digest(shop): trust}, STRICT))
    (shop / "a.txt").write_text("edited")
    with pytest.raises(NotVerified):
        verify_folder(shop, tmp_path / "two", policy=known)
    by_hash = KnownContent({sha256_file(archive): before}, STRICT)
    with pytest.raises(NotVerified):
        verify(fetched(archive, tmp_path), tmp_path / "two", policy=by_hash)


def test_what_was_verified_once_counts_while_the_key_does() -> None:
    before = Trust(TrustState.VERIFIED, "Ada", ADA.public.keyid)
    assert HOST.still(before) == before
    gone = Trust(TrustState.UNKNOWN, "Ada", ADA.public.keyid)
    assert TrustedPublishers([]).still(before) == gone
    assert TrustedPublishers(public(SigningKey("Eve", ADA.private))).still(before) == gone
    assert HOST.still(Trust(TrustState.UNKNOWN, "Ada", ADA.public.keyid)).state is TrustState.UNKNOWN
    assert HOST.still(Trust()) == Trust()


def test_offers_are_appraised_by_what_the_source_promises(archive: Path) -> None:
    (offer,) = UploadSource(signed(archive, ADA)).list()
    verified = Trust(TrustState.VERIFIED, "Ada", ADA.public.keyid)
    assert appraise(offer, HOST) == verified
    assert appraise(dataclasses.replace(offer, sha256="", size=0), HOST) == verified
    assert appraise(dataclasses.replace(offer, signature=b""), HOST) == Trust()
    for changes in ({"sha256": OTHER}, {"size": 1}, {"version": "1.0.1"}, {"id": "mail"}, {"signature": b"{}"}):
        with pytest.raises(NotVerified):
            appraise(dataclasses.replace(offer, **changes), HOST)
