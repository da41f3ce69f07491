"""The envelope: read strictly, tolerant only where DSSE says so; what is signed is the specification's encoding."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbay.errors import NotVerified, SourceError
from hotbay.signature import (
    LARGEST,
    MOST_SIGNATURES,
    PAYLOAD_TYPE,
    beside,
    fit_name,
    pae,
    read_envelope,
    sidecar,
    sign,
)
from signing import STATEMENT, dumped, envelope, publisher

ADA = publisher()
GOOD = json.loads(STATEMENT.body())


def refused(data: bytes) -> tuple[str, str]:
    """The field and the rule that an envelope is refused with."""
    with pytest.raises(NotVerified, match="can't be understood") as caught:
        read_envelope(data)
    (problem,) = caught.value.problems
    return problem.field, problem.rule


def test_the_encoding_is_that_of_the_specification() -> None:
    assert (
        pae("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


def test_what_is_signed_is_read_and_genuine() -> None:
    data = sign(STATEMENT, ADA.private)
    found = read_envelope(data)
    assert found.statement == STATEMENT
    assert found.keyids == (ADA.public.keyid,)
    assert found.signed_by(ADA.public)
    assert not found.signed_by(publisher().public)
    assert json.loads(data)["payloadType"] == PAYLOAD_TYPE
    assert sign(STATEMENT, ADA.private) == data
    assert found.body == b'{"format":"hotbay-package/1","id":"shop","publisher":"Ada","sha256":"' + b"ab" * 32 + (
        b'","size":7,"version":"1.0.0"}'
    )


def test_a_second_key_signs_beside_the_first() -> None:
    eve = publisher("Eve")
    first = read_envelope(sign(STATEMENT, ADA.private))
    both = read_envelope(sign(STATEMENT, eve.private, first.signatures))
    assert both.signed_by(ADA.public) and both.signed_by(eve.public)
    assert both.keyids == (ADA.public.keyid, eve.public.keyid)


def test_unknown_members_of_the_envelope_are_ignored_and_keyid_may_be_missing() -> None:
    document = json.loads(envelope(GOOD, ADA))
    document["more"] = {"deep": [1]}
    document["signatures"][0]["cert"] = "…"
    assert read_envelope(dumped(document)).signed_by(ADA.public)
    del document["signatures"][0]["keyid"]
    found = read_envelope(dumped(document))
    assert found.keyids == ()
    assert not found.signed_by(ADA.public), "a key is tried when it is named"


def test_both_alphabets_of_base64_are_read() -> None:
    """The payload and signature have characters in which the two differ: a name with é, and keys until it is so."""
    body = dumped(GOOD | {"publisher": "Ünï>?>?é"})
    key = next(key for key in (publisher() for _ in range(200)) if set("+/") & set(envelope(body, key).decode()))
    text = envelope(body, key).decode()
    document = json.loads(text)
    for part in (document, document["signatures"][0]):
        for name in ("payload", "sig"):
            if name in part:
                part[name] = part[name].replace("+", "-").replace("/", "_")
    assert dumped(document).decode() != text
    assert read_envelope(dumped(document)).signed_by(key.public)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"payloadType": "application/vnd.in-toto+json"}, "payloadType"),
        ({"payloadType": None}, "payloadType"),
        ({"payloadType": ["x"]}, "payloadType"),
        ({"payload": None}, "payload"),
        ({"payload": 5}, "payload"),
        ({"payload": ["e30="]}, "payload"),
        ({"payload": "no base64!"}, "payload"),
        ({"payload": "e30"}, "payload"),
        ({"payload": base64.b64encode(b"[]").decode()}, "payload"),
        ({"payload": base64.b64encode(b"\xff").decode()}, "payload"),
        ({"signatures": None}, "signatures"),
        ({"signatures": []}, "signatures"),
        ({"signatures": {}}, "signatures"),
        ({"signatures": "x"}, "signatures"),
        ({"signatures": [{"sig": "AA=="}] * (MOST_SIGNATURES + 1)}, "signatures"),
        ({"signatures": ["x"]}, "signatures[0]"),
        ({"signatures": [{"sig": "AA=="}, None]}, "signatures[1]"),
        ({"signatures": [{}]}, "signatures[0].sig"),
        ({"signatures": [{"sig": 1}]}, "signatures[0].sig"),
        ({"signatures": [{"sig": "é"}]}, "signatures[0].sig"),
        ({"signatures": [{"sig": "AA==", "keyid": 1}]}, "signatures[0].keyid"),
        ({"signatures": [{"sig": "AA==", "keyid": "a\nb"}]}, "signatures[0].keyid"),
        ({"signatures": [{"sig": "AA==", "keyid": "a" * 257}]}, "signatures[0].keyid"),
    ],
)  # fmt: skip
def test_members_of_the_envelope_are_checked(changes: dict[str, Any], field: str) -> None:
    assert refused(envelope(GOOD, ADA, **changes))[0] == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"format": "hotbay-package/2"}, "payload"),
        ({"format": None}, "payload"),
        ({"expires": "2027-01-01"}, "payload"),
        ({"id": "../x"}, "payload.id"),
        ({"id": "a" * 65}, "payload.id"),
        ({"id": 5}, "payload.id"),
        ({"version": None}, "payload.version"),
        ({"version": "1.0/2"}, "payload.version"),
        ({"sha256": "AB" * 32}, "payload.sha256"),
        ({"sha256": "ab"}, "payload.sha256"),
        ({"sha256": ["ab" * 32]}, "payload.sha256"),
        ({"size": "7"}, "payload.size"),
        ({"size": True}, "payload.size"),
        ({"size": 7.0}, "payload.size"),
        ({"size": -1}, "payload.size"),
        ({"publisher": ""}, "payload.publisher"),
        ({"publisher": None}, "payload.publisher"),
        ({"publisher": " Ada"}, "payload.publisher"),
        ({"publisher": "Ada\n"}, "payload.publisher"),
        ({"publisher": "A\u202eda"}, "payload.publisher"),
        ({"publisher": "\ud800"}, "payload.publisher"),
        ({"publisher": "x" * 121}, "payload.publisher"),
    ],
)
def test_members_of_the_payload_are_checked_although_it_is_signed(changes: dict[str, Any], field: str) -> None:
    assert refused(envelope(GOOD | changes, ADA))[0] == field


@pytest.mark.parametrize("name", list(GOOD))
def test_nothing_of_the_payload_may_be_missing(name: str) -> None:
    assert refused(envelope({key: value for key, value in GOOD.items() if key != name}, ADA))[0] == "payload"


def test_what_is_no_envelope_at_all() -> None:
    whole = envelope(GOOD, ADA)
    twice = whole.replace(b'"payloadType"', b'"payloadType": "x", "payloadType"')
    numbers = b'{"x": ' + b"9" * 5_000 + b"}"
    for data in (
        b"",
        b"\n",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe{\0}\0",
        b"\xef\xbb\xbf{}",
        twice,
        numbers,
        whole[:-9],
    ):
        assert refused(data) == ("(signature)", "must be an object of JSON, no name in it twice")
    body = dumped(GOOD)
    for inner in (b"[" * 7_000, body[:-1] + b', "id": "mail"}'):
        assert refused(envelope(inner, ADA)) == ("payload", "must be an object of JSON, no name in it twice")


def test_what_is_nested_deeply_is_refused_one_way_or_another() -> None:
    """From Python 3.12 on the reader gets deeper than such a small file can be."""
    deep = b'{"payload": ' + b"[" * 8_000 + b"]" * 8_000 + b"}"
    assert refused(deep)[0] in ("(signature)", "payloadType")
    assert refused(deep.replace(b"}", b', "payloadType": "%b"}' % PAYLOAD_TYPE.encode()))[0] in (
        "(signature)",
        "payload",
    )


def test_a_large_one_is_not_even_parsed() -> None:
    data = envelope(GOOD, ADA)
    assert read_envelope(data + b" " * (LARGEST - len(data))).statement == STATEMENT
    assert refused(data + b" " * (LARGEST + 1 - len(data)))[1] == "must have at most 16,384 bytes"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_nothing_else_is_ever_raised(data: bytes) -> None:
    with pytest.raises(NotVerified):
        read_envelope(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["payload", "payloadType", "signatures"]), JSON)
def test_nor_for_any_json_in_any_member(name: str, value: Any) -> None:
    with pytest.raises(NotVerified):
        read_envelope(json.dumps(json.loads(envelope(GOOD, ADA)) | {name: value}).encode())


def test_one_changed_byte_of_payload_or_signature_is_not_genuine() -> None:
    document = json.loads(envelope(GOOD, ADA))
    sig = base64.b64decode(document["signatures"][0]["sig"])
    for place in range(len(sig)):
        wrong = bytes([*sig[:place], sig[place] ^ 1, *sig[place + 1 :]])
        changed = [{"keyid": ADA.public.keyid, "sig": base64.b64encode(wrong).decode()}]
        assert not read_envelope(dumped(document | {"signatures": changed})).signed_by(ADA.public)
    for text in (b"", sig[:-1], sig + b"\0"):
        changed = [{"keyid": ADA.public.keyid, "sig": base64.b64encode(text).decode()}]
        assert not read_envelope(dumped(document | {"signatures": changed})).signed_by(ADA.public)
    other = base64.b64encode(dumped(GOOD | {"version": "1.0.1"})).decode()
    assert not read_envelope(dumped(document | {"payload": other})).signed_by(ADA.public)


def test_a_signature_over_the_bare_payload_is_none() -> None:
    """Without the type in what is signed, a signature for something else could be passed off as one for a package."""
    body = dumped(GOOD)
    for data in (body, pae("application/json", body), b"hotbay receipt\n" + body):
        sig = base64.b64encode(ADA.private.sign(data)).decode()
        made = envelope(body, ADA, signatures=[{"keyid": ADA.public.keyid, "sig": sig}])
        assert not read_envelope(made).signed_by(ADA.public)


def test_what_lies_beside_an_archive(tmp_path: Path) -> None:
    archive = tmp_path / "shop_v1.0.0.zip"
    assert sidecar(archive).name == "shop_v1.0.0.zip.sig.json"
    assert beside(archive) == b""
    sidecar(archive).write_bytes(b"x" * LARGEST * 2)
    assert len(beside(archive)) == LARGEST + 1
    sidecar(archive).write_bytes(b"")
    assert beside(archive), "an empty file is no missing one"
    sidecar(archive).unlink()
    for make in (Path.mkdir, os.mkfifo):
        make(sidecar(archive))
        with pytest.raises(SourceError, match="is no file"):
            beside(archive)
        (Path.rmdir if make is Path.mkdir else Path.unlink)(sidecar(archive))
    sidecar(archive).symlink_to(sidecar(archive))
    with pytest.raises(SourceError, match="can't be read"):
        beside(archive)


def test_names_of_publishers() -> None:
    assert all(map(fit_name, ("A", "The Hotbay authors", "Ünïcöde & Söhne", "x" * 120)))
    assert not any(map(fit_name, ("", " ", "a\tb", "a\u200bb", "x" * 121, "a ", "\u202ea")))
