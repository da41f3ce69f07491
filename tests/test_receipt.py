"""Receipts: what was signed can't be changed in any place without it being seen."""

from __future__ import annotations

import copy
import json
import multiprocessing
import re
import stat
import string
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbay.errors import BadInput, NotVerified, StateError
from hotbay.receipt import (
    ANCHOR,
    FIRST,
    FORMAT,
    HostKey,
    canonical,
    check_chain,
    check_whole,
    digest,
    key_id,
    parse,
    plain,
    public_pem,
    read_public,
    verify,
)

RECEIPT: dict[str, Any] = {
    "format": FORMAT,
    "number": 7,
    "previous": "ab" * 32,
    "plugin": "shop",
    "recovered": False,
    "error": None,
    "steps": [{"verb": "start", "microseconds": 1200, "record": {"done": ["w-1"], "late": []}}],
    "requests": {"during": {"requests": 12, "failures": {}, "p99": None}},
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LEAVES = st.none() | st.booleans() | st.integers() | TEXT
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> HostKey:
    return HostKey(tmp_path_factory.mktemp("key") / "receipts.key")


# ── the canonical form ────────────────────────────────────────────────────────────────────────────────────────────


@given(VALUES)
def test_the_canonical_form_is_one_and_loses_nothing(value: Any) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(json.dumps(value))) == text


def test_the_order_of_names_and_blanks_do_not_matter() -> None:
    assert canonical({"b": 1, "a": ["ü", None]}) == '{"a":["ü",null],"b":1}'.encode()
    assert canonical(dict(reversed(RECEIPT.items()))) == canonical(RECEIPT)


@pytest.mark.parametrize("value", [1.5, {"x": [{"y": 0.0}]}, {1: 2}, b"x", float("nan"), {"a": object()}])
def test_what_other_languages_write_otherwise_is_refused(value: Any) -> None:
    with pytest.raises(BadInput):
        canonical(value)


def test_anything_can_be_made_plain() -> None:
    made = plain({"a": 0.25, 1: (True, None, 7), "p": Path("x"), "bad": "\ud800", "s": {"z"}})
    assert made == {"a": "0.250000", "1": [True, None, 7], "p": "x", "bad": "?", "s": ["z"]}
    canonical(made)


# ── signing and checking ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_signed_receipt_is_verified(key: HostKey) -> None:
    signed = json.loads(json.dumps(key.sign(RECEIPT), indent=2))
    assert verify(signed, key.public) == RECEIPT
    assert signed["key"] == key_id(key.public)
    assert re.fullmatch("[0-9a-f]{16}", signed["key"])


def test_an_anchor_is_no_receipt(key: HostKey) -> None:
    """Whoever may sign one thing has not signed the other."""
    anchor = key.sign({**RECEIPT, "format": ANCHOR})
    assert verify(anchor, key.public, ANCHOR)["format"] == ANCHOR
    for signed, form in ((anchor, FORMAT), (key.sign(RECEIPT), ANCHOR), (key.sign({"number": 1}), FORMAT)):
        with pytest.raises(NotVerified, match=f"no {form} signed with Ed25519"):
            verify(signed, key.public, form)


def changes_of(value: Any) -> list[Any]:
    """Every value that differs from this one in one place."""
    if isinstance(value, dict):
        found: list[Any] = [{**value, name: new} for name, item in value.items() for new in changes_of(item)]
        found += [{other: item for other, item in value.items() if other != name} for name in value]
        renamed = [{(n + "x" if n == name else n): item for n, item in value.items()} for name in value]
        return [*found, *renamed, {**value, "more": 1}]
    if isinstance(value, list):
        found = [
            [*value[:place], new, *value[place + 1 :]] for place, item in enumerate(value) for new in changes_of(item)
        ]
        return [*found, *([*value[:place], *value[place + 1 :]] for place in range(len(value))), [*value, 1]]
    if isinstance(value, bool) or value is None:
        return [value is not True, 0, "", 1 if value is None else None]
    if isinstance(value, int):
        return [value + 1, str(value), float(value)]
    return [value + " ", value[:-1], value.swapcase() + "0", None]


def test_every_change_in_any_place_is_seen(key: HostKey) -> None:
    signed = key.sign(RECEIPT)
    tried = changes_of(signed)
    assert len(tried) > 100
    for changed in tried:
        assert changed != signed or type(changed) is not type(signed) or json.dumps(changed) != json.dumps(signed)
        with pytest.raises(NotVerified):
            verify(changed, key.public)


def test_every_changed_character_of_the_signature_is_seen(key: HostKey) -> None:
    signed = key.sign(RECEIPT)
    alphabet = string.ascii_letters + string.digits + "+/= \n"
    for place, old in enumerate(signed["signature"]):
        for new in alphabet:
            if new != old:
                changed = signed["signature"][:place] + new + signed["signature"][place + 1 :]
                with pytest.raises(NotVerified):
                    verify({**signed, "signature": changed}, key.public)


def test_another_hosts_key_does_not_verify(key: HostKey, tmp_path: Path) -> None:
    other = HostKey(tmp_path / "other.key")
    with pytest.raises(NotVerified, match="names the key"):
        verify(key.sign(RECEIPT), other.public)
    forged = {**other.sign(RECEIPT), "key": key_id(key.public)}
    with pytest.raises(NotVerified, match="was changed"):
        verify(forged, key.public)


@pytest.mark.parametrize("thing", [None, [], "x", 1, {}, {"receipt": 1, "signature": 1, "key": 1, "algorithm": 1}])
def test_what_is_no_receipt_at_all_is_not_verified(key: HostKey, thing: Any) -> None:
    with pytest.raises(NotVerified):
        verify(thing, key.public)


def test_a_signature_for_something_else_is_none_for_a_receipt(key: HostKey) -> None:
    """The key signs receipts only, and says so in what it signs."""
    import base64

    raw = base64.b64encode(key._private().sign(canonical(RECEIPT))).decode()
    with pytest.raises(NotVerified):
        verify({**key.sign(RECEIPT), "signature": raw}, key.public)


def test_a_name_that_is_there_twice_is_refused(key: HostKey) -> None:
    text = json.dumps(key.sign(RECEIPT)).replace('"plugin": "shop"', '"plugin": "mail", "plugin": "shop"')
    assert json.loads(text)["receipt"] == RECEIPT
    with pytest.raises(BadInput, match="twice"):
        parse(text)
    for broken in ("", "{", "[" * 100_000, "nonsense"):
        with pytest.raises(BadInput):
            parse(broken)
    assert parse(json.dumps(key.sign(RECEIPT)))["receipt"] == RECEIPT


# ── keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "home" / "receipts.key"
    first = HostKey(file).public
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert key_id(HostKey(file).public) == key_id(first)
    assert [path.name for path in file.parent.iterdir()] == ["receipts.key"]


def _make(file: Path, found: Any) -> None:
    found.put(key_id(HostKey(file).public))


def test_processes_that_make_it_at_once_have_the_same_key(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    found = spawn.Queue()
    makers = [spawn.Process(target=_make, args=(tmp_path / "key", found)) for _ in range(3)]
    for maker in makers:
        maker.start()
    assert len({found.get(timeout=20) for _ in makers}) == 1
    for maker in makers:
        maker.join()


def test_a_file_that_is_no_key_is_said_to_be_none(tmp_path: Path) -> None:
    file = tmp_path / "receipts.key"
    for text in ("", "nonsense", public_pem(HostKey(tmp_path / "other").public)):
        file.write_text(text)
        with pytest.raises(StateError, match="no Ed25519 key"):
            HostKey(file).sign(RECEIPT)


def test_a_public_key_as_text_and_back(key: HostKey) -> None:
    assert verify(key.sign(RECEIPT), read_public(public_pem(key.public))) == RECEIPT
    for text in ("", "x", key.file.read_text()):
        with pytest.raises(BadInput):
            read_public(text)


def test_openssl_agrees(key: HostKey, tmp_path: Path) -> None:
    """Somebody without Hotbay can check a receipt."""
    import base64

    signed = key.sign(RECEIPT)
    (tmp_path / "pub.pem").write_text(public_pem(key.public))
    (tmp_path / "text").write_bytes(b"hotbay receipt\n" + canonical(signed["receipt"]))
    (tmp_path / "signature").write_bytes(base64.b64decode(signed["signature"]))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "pub.pem", "-rawin", "-in", "text"]
    done = subprocess.run(
        [*command, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "Signature Verified Successfully" in done.stdout, done.stderr


# ── the chain ─────────────────────────────────────────────────────────────────────────────────────────────────────


def chain(count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        found.append({**RECEIPT, "number": number, "previous": digest(found[-1]) if found else FIRST})
    return found


def test_a_whole_chain_and_a_part_of_it_are_right() -> None:
    assert check_chain([]) == []
    assert check_chain(chain(5)) == []
    assert check_chain(chain(5)[2:]) == []


def test_a_receipt_that_is_missing_changed_or_replaced_is_seen() -> None:
    whole = chain(5)
    assert check_chain(whole[:2] + whole[3:]) == ["receipt 3 is missing"]
    changed = copy.deepcopy(whole)
    changed[2]["plugin"] = "mail"
    assert check_chain(changed) == ["receipt 4 does not continue the one before it"]
    assert check_chain([{**whole[0], "previous": "1" * 64}]) == ["receipt 1 does not continue the one before it"]


def test_a_hosts_chain_begins_with_the_first_or_behind_its_anchor() -> None:
    whole = chain(5)
    anchor = {"number": 2, "sha256": digest(whole[1])}
    assert [check_whole(found, None) for found in ([], whole)] == [[], []]
    assert check_whole(whole[1:], None) == ["receipt 1 is missing"]
    assert check_whole(whole[2:], anchor) == []
    assert check_whole(whole[3:], anchor) == ["receipt 3 is missing"]
    assert check_whole([], anchor) == ["receipt 3 is missing"], "all that came after it was cut off"
    assert check_whole(whole[2:], {**anchor, "sha256": FIRST}) == ["receipt 3 does not continue the one before it"]


def test_an_anchor_says_something_of_the_receipt_behind_it_only() -> None:
    whole = chain(5)
    for number in (1, 3):
        assert check_chain(whole[2:], {"number": number, "sha256": FIRST}) == []
