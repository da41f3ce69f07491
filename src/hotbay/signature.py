"""Signatures of packages: a detached DSSE v1 envelope beside the archive, signed with Ed25519.

The envelope is the JSON of the DSSE specification, version 1.0.2 (https://github.com/secure-systems-lab/dsse,
envelope.md and protocol.md): what is signed is not the payload but `PAE(payloadType, payload)`. The payload says which
bytes it is about (id, version, SHA-256, size) and who vouches for them. Members of an envelope that are not known here
are ignored, as DSSE wants it; one of the payload is refused, because it may restrict what the others say. Key ids are
hints for which key to try and prove nothing.
"""

from __future__ import annotations

import base64
import json
import re
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hotbay.errors import NotVerified, Problem, SourceError
from hotbay.keys import fingerprint, public_text, raw_public, unbase64
from hotbay.receipt import canonical, once
from hotbay_sdk import rules

SUFFIX = ".sig.json"
LARGEST = 16 * 1024
PAYLOAD_TYPE = "application/vnd.hotbay.package+json"
FORMAT = "hotbay-package/1"
LONGEST_NAME = 120
MOST_SIGNATURES = 16
_BOTH_ALPHABETS = str.maketrans("-_", "+/")
_TEXTS = {"id": (rules.ID, 64), "version": (rules.VERSION, 64), "sha256": ("[0-9a-f]{64}", 64)}


@dataclass(frozen=True)
class Statement:
    """What a publisher says of one package: these bytes are mine. `sha256` in hex, `size` in bytes."""

    id: str
    version: str
    sha256: str
    size: int
    publisher: str

    def body(self) -> bytes:
        """The payload: canonical JSON."""
        return canonical({"format": FORMAT, **asdict(self)})


@dataclass(frozen=True)
class Signature:
    """One signature of an envelope. `keyid` is a hint, and may be empty."""

    keyid: str
    sig: bytes


@dataclass(frozen=True)
class PublisherKey:
    """A public key, and the name of the publisher that it is known by."""

    publisher: str
    public: Ed25519PublicKey

    @cached_property
    def keyid(self) -> str:
        """The SHA-256 of the raw key, 64 hex digits."""
        return fingerprint(self.public)

    @cached_property
    def raw(self) -> bytes:
        """Its 32 bytes."""
        return raw_public(self.public)

    @property
    def text(self) -> str:
        """The key in one line, `ed25519:…`."""
        return public_text(self.public)


@dataclass(frozen=True)
class Envelope:
    """A statement with its signatures, of which none was verified yet; `body` is the payload as it came."""

    statement: Statement
    body: bytes
    signatures: tuple[Signature, ...]

    def signed_by(self, key: PublisherKey) -> bool:
        """True when one of the signatures is the key's."""
        return any(one.keyid == key.keyid and _genuine(key.raw, one.sig, self.body) for one in self.signatures)

    @property
    def keyids(self) -> tuple[str, ...]:
        """The keys that the signatures name."""
        return tuple(dict.fromkeys(one.keyid for one in self.signatures if one.keyid))


@lru_cache(maxsize=1024)
def _genuine(key: bytes, sig: bytes, body: bytes) -> bool:
    """Remembered, because the marketplace asks it of every package for every list (100 µs each)."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(sig, pae(PAYLOAD_TYPE, body))
    except InvalidSignature:
        return False
    return True


def pae(kind: str, body: bytes) -> bytes:
    """DSSE's pre-authentication encoding of a payload's type and its bytes: what is really signed."""
    name = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(body), body)


# ── beside the archive ──────────────────────────────────────────────────────────────────────────────────────────


def sidecar(archive: Path) -> Path:
    """Where the envelope of an archive lies."""
    return archive.with_name(archive.name + SUFFIX)


def beside(archive: Path) -> bytes:
    """The envelope beside an archive, as it is and not checked; empty when there is none.

    Of one that is too large only so much is read that this is seen. Raises SourceError when it is there and can't be
    read: that is not the same as a package without a signature.
    """
    file = sidecar(archive)
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise SourceError(f"the signature {file} is no file", mend="move it away")
        with file.open("rb") as stream:
            return stream.read(LARGEST + 1) or b"\n"  # An empty file is a signature that is none.
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise SourceError(f"the signature {file} can't be read: {error.strerror}", mend="correct its rights") from None


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def sign(statement: Statement, key: Ed25519PrivateKey, others: Iterable[Signature] = ()) -> bytes:
    """The envelope of a statement, as a file's content. The same key and statement give the same bytes.

    `others` are signatures of the same statement by other keys.
    """
    body = statement.body()
    mine = Signature(fingerprint(key.public_key()), key.sign(pae(PAYLOAD_TYPE, body)))
    signatures = [{"keyid": one.keyid, "sig": base64.b64encode(one.sig).decode()} for one in (*others, mine)]
    document = {"payload": base64.b64encode(body).decode(), "payloadType": PAYLOAD_TYPE, "signatures": signatures}
    return json.dumps(document, indent=1).encode() + b"\n"


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def read_envelope(data: bytes) -> Envelope:
    """The envelope in a file's content: every member checked, no signature verified.

    Raises NotVerified, which names the member that is wrong.
    """
    if len(data) > LARGEST:
        _refuse_form("(signature)", f"must have at most {LARGEST:,} bytes")
    document = _object(data, "(signature)")
    if document.get("payloadType") != PAYLOAD_TYPE:
        _refuse_form("payloadType", "is not of the kind that signs packages")
    body = _bytes(document.get("payload"), "payload")
    return Envelope(_statement(_object(body, "payload")), body, _signatures(document.get("signatures")))


def _object(data: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(data.decode(), object_pairs_hook=once)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        _refuse_form(where, "must be an object of JSON, no name in it twice")
    return found


def _bytes(text: Any, where: str) -> bytes:
    """The bytes of a text in Base64, in either of its alphabets."""
    try:
        return unbase64(text.translate(_BOTH_ALPHABETS))
    except (AttributeError, ValueError):
        _refuse_form(where, "must be a text in Base64")


def _signatures(given: Any) -> tuple[Signature, ...]:
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_SIGNATURES:
        _refuse_form("signatures", f"must be a list of 1 to {MOST_SIGNATURES}")
    return tuple(_signature(item, f"signatures[{number}]") for number, item in enumerate(given))


def _signature(item: Any, where: str) -> Signature:
    if not isinstance(item, dict):
        _refuse_form(where, "must be an object of JSON, no name in it twice")
    keyid = item.get("keyid", "")
    if not isinstance(keyid, str) or len(keyid) > 256 or not keyid.isprintable():
        _refuse_form(f"{where}.keyid", "must be a short text")
    return Signature(keyid, _bytes(item.get("sig"), f"{where}.sig"))


def _statement(found: dict[str, Any]) -> Statement:
    names = {"format", "id", "version", "sha256", "size", "publisher"}
    if found.get("format") != FORMAT or set(found) != names:
        _refuse_form("payload", f"must be a {FORMAT}, with {', '.join(sorted(names - {'format'}))} and nothing else")
    for name, (form, most) in _TEXTS.items():
        value = found[name]
        if not isinstance(value, str) or len(value) > most or not re.fullmatch(form, value):
            _refuse_form(f"payload.{name}", "is not of the form that it has in packages")
    size, publisher = found["size"], found["publisher"]
    if type(size) is not int or size < 0:
        _refuse_form("payload.size", "must be a number of bytes")
    if not isinstance(publisher, str) or not fit_name(publisher):
        _refuse_form("payload.publisher", f"must be a name of 1 to {LONGEST_NAME} printable characters")
    return Statement(found["id"], found["version"], found["sha256"], size, publisher)


def fit_name(name: str) -> bool:
    """True for what can be a publisher's name: one line, printable, no blanks around it."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip()


def _refuse_form(field: str, rule: str) -> NoReturn:
    raise NotVerified(
        "the package's signature can't be understood",
        mend="fetch package and signature again, or have it signed again with `hotbay sign`",
        problems=(Problem(field, rule),),
    )
