"""Receipts: what an operation did, in a form that can be checked by anybody who has the host's public key.

A receipt is a JSON object of strings, whole numbers, booleans, null, lists and objects, so that its canonical form
(sorted keys, no blanks, UTF-8) is the same in every language. That form is signed with Ed25519, and each receipt
contains the hash of the one before it: none can be changed, and none left out in the middle, without it being seen.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from hotbay.errors import BadInput, NotVerified, StateError
from hotbay.keyfile import read_key
from hotbay.keys import fingerprint, fresh_private, load_private, unbase64

FORMAT = "hotbay-receipt/1"
ANCHOR = "hotbay-anchor/1"
ALGORITHM = "Ed25519"
FIRST = "0" * 64
_DOMAIN = b"hotbay receipt\n"
_MEMBERS = {"receipt", "signature", "key", "algorithm"}

Receipt = dict[str, Any]
Signed = dict[str, Any]


def canonical(value: Any) -> bytes:
    """The bytes that are signed. Raises BadInput for what a receipt may not have: floats, keys that are no text."""
    _check(value, "receipt")
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BadInput("a receipt must not contain half of a surrogate pair") from None


def _check(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise BadInput(f"{where}: {key!r} is no text")
            _check(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check(item, f"{where}[{number}]")
    elif value is not None and not isinstance(value, str | bool | int):
        raise BadInput(f"{where} is {type(value).__name__}: a receipt has text, whole numbers, lists and objects only")


def plain(value: Any) -> Any:
    """The value as a receipt may have it: fractions become text with six digits, unknown things their text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int):
        return value
    text = f"{value:.6f}" if isinstance(value, float) else str(value)
    return text.encode("utf-8", "replace").decode()


def digest(receipt: Receipt) -> str:
    """The SHA-256 of a receipt's canonical form, 64 hex digits: what the next receipt calls `previous`."""
    return hashlib.sha256(canonical(receipt)).hexdigest()


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────


def key_id(key: Ed25519PublicKey) -> str:
    """A short name of a public key: 16 hex digits of its SHA-256."""
    return fingerprint(key)[:16]


def public_pem(key: Ed25519PublicKey) -> str:
    """A public key as text (PEM), as `openssl pkey -pubin` reads it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_public(text: str) -> Ed25519PublicKey:
    """The public key of a PEM text. Raises BadInput."""
    try:
        key = load_pem_public_key(text.encode())
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput("that is no Ed25519 public key", mend="`hotbay receipt key` prints the host's")
    return key


class HostKey:
    """The host's key pair, in a file that only its owner can read; made at the first use."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._key: Ed25519PrivateKey | None = None

    @property
    def public(self) -> Ed25519PublicKey:
        """The public half. Raises StateError when the file is no key."""
        return self._private().public_key()

    def sign(self, receipt: Receipt) -> Signed:
        """The receipt with its signature."""
        key = self._private()
        signature = base64.b64encode(key.sign(_DOMAIN + canonical(receipt))).decode()
        return {"receipt": receipt, "algorithm": ALGORITHM, "key": key_id(key.public_key()), "signature": signature}

    def _private(self) -> Ed25519PrivateKey:
        if self._key is None:
            found = load_private(read_key(self.file, fresh_private))
            if found is None:
                raise StateError(
                    f"{self.file} is no Ed25519 key", mend="restore the file, or move it away for a new one"
                )
            self._key = found
        return self._key


# ── checking ────────────────────────────────────────────────────────────────────────────────────────────────────


def verify(signed: Any, key: Ed25519PublicKey, form: str = FORMAT) -> Receipt:
    """The receipt (or, by its `form`, the anchor) of a signed one.

    Raises NotVerified unless `key` signed exactly this, and nothing is beside it.
    """
    if not isinstance(signed, dict) or set(signed) != _MEMBERS or not isinstance(signed["receipt"], dict):
        raise NotVerified("that is no signed receipt", mend=f"it has exactly the members {', '.join(sorted(_MEMBERS))}")
    receipt: Receipt = signed["receipt"]
    if receipt.get("format") != form or signed["algorithm"] != ALGORITHM:
        raise NotVerified(f"the receipt is no {form} signed with {ALGORITHM}")
    if signed["key"] != key_id(key):
        raise NotVerified(
            f"the receipt names the key {signed['key']}, this one is {key_id(key)}",
            mend="give the public key of the host that wrote it with --key",
        )
    try:
        key.verify(unbase64(signed["signature"]), _DOMAIN + canonical(receipt))
    except (InvalidSignature, ValueError, TypeError, BadInput):
        raise NotVerified("the receipt is not the one that was signed: it, or its signature, was changed") from None
    return receipt


def parse(text: str) -> Any:
    """The JSON of a receipt's file. Raises BadInput for what is no JSON, and for objects with a name twice."""
    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"that is no receipt: {error}") from None


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, for `json.loads`. Raises ValueError when a name is there twice: readers would not agree."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def check_whole(receipts: list[Receipt], anchor: Receipt | None) -> list[str]:
    """What is wrong with a host's whole chain. It begins with the first receipt, or with the one after the anchor."""
    begins = anchor["number"] + 1 if anchor is not None else 1
    if receipts and receipts[0]["number"] != begins:
        return [f"receipt {begins} is missing", *check_chain(receipts)]
    return check_chain(receipts, anchor) if receipts or anchor is None else [f"receipt {begins} is missing"]


def check_chain(receipts: list[Receipt], anchor: Receipt | None = None) -> list[str]:
    """What is wrong with receipts that should follow one another, in the order of their numbers; [] when nothing.

    The first is compared with what comes before it where that is known: it is the first of all, or follows the anchor.
    """
    problems = []
    number = receipts[0]["number"] if receipts else 1
    expected = FIRST if number == 1 else None
    if anchor is not None and anchor["number"] == number - 1:
        expected = anchor["sha256"]
    for receipt in receipts:
        if receipt["number"] != number:
            problems.append(f"receipt {number} is missing")
        elif expected is not None and receipt["previous"] != expected:
            problems.append(f"receipt {number} does not continue the one before it")
        number, expected = receipt["number"] + 1, digest(receipt)
    return problems
