"""Ed25519 keys as text and in files: those that sign receipts, and those of the publishers of packages."""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from hotbay.errors import BadInput

PREFIX = "ed25519:"


def fingerprint(key: Ed25519PublicKey) -> str:
    """The SHA-256 of the raw public key, 64 hex digits."""
    return hashlib.sha256(raw_public(key)).hexdigest()


def raw_public(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def public_text(key: Ed25519PublicKey) -> str:
    """A public key in one line: `ed25519:` and the raw key in Base64."""
    return PREFIX + base64.b64encode(raw_public(key)).decode()


def parse_public(text: str) -> Ed25519PublicKey:
    """The public key of such a line, blanks around it left out. Raises BadInput, which does not repeat it."""
    bare = text.strip()
    try:
        if not bare.startswith(PREFIX):
            raise ValueError("of no kind that is known")
        return Ed25519PublicKey.from_public_bytes(unbase64(bare.removeprefix(PREFIX)))
    except ValueError:
        mend = "copy the whole line that `hotbay keygen` printed: ed25519: and 44 characters"
        raise BadInput("that is no public key of a publisher", mend=mend) from None


def unbase64(text: str) -> bytes:
    """The bytes of a text in Base64 (standard, padded). Raises ValueError when there is another way to write them."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not the one way to write it")
    return data


def fresh_private() -> bytes:
    """A new private key (PKCS #8, PEM, not encrypted)."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_private(pem: bytes) -> Ed25519PrivateKey | None:
    """The private key of such a text; None when it is none."""
    try:
        found = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        return None
    return found if isinstance(found, Ed25519PrivateKey) else None
