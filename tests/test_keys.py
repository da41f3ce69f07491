"""Keys as text: one way to write each, and nothing else is taken for one."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hotbay.errors import BadInput
from hotbay.keys import fingerprint, fresh_private, load_private, parse_public, public_text, unbase64

# The key of RFC 8032, 7.1, test 1.
RAW = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
TEXT = "ed25519:" + base64.b64encode(RAW).decode()


def test_a_public_key_as_text_and_back() -> None:
    key = parse_public(f"  {TEXT}\n")
    assert public_text(key) == TEXT
    assert fingerprint(key) == "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9"


@pytest.mark.parametrize(
    "text",
    ["", "ed25519:", TEXT.removeprefix("ed25519:"), TEXT.upper(), TEXT + "A", TEXT[:-1], TEXT.replace("ed25519", "rsa"),
     f"{TEXT}\n{TEXT}", "ed25519:" + base64.b64encode(RAW + b"x").decode(), "ed25519:é", fresh_private().decode()],
)  # fmt: skip
def test_what_is_no_public_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BadInput, match="no public key") as caught:
        parse_public(text)
    assert len(text) < 9 or text not in str(caught.value)


def test_a_private_key_as_text_and_back() -> None:
    pem = fresh_private()
    one, same = load_private(pem), load_private(pem)
    assert one is not None and same is not None
    assert fingerprint(one.public_key()) == fingerprint(same.public_key())
    assert fresh_private() != pem
    other = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert [load_private(data) for data in (b"", b"nonsense", other, pem[:-40])] == [None] * 4


def test_base64_has_one_way_to_write_it() -> None:
    assert unbase64("AA==") == b"\0"
    for text in ("AB==", "AA", "AA=", " AA==", "AA==\n", "A-_=", "é"):
        with pytest.raises(ValueError):
            unbase64(text)
