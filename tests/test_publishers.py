"""Trusted publishers: kept with who said so, in the audit, and what is not readable is not trusted."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from hotbay import store as rows
from hotbay.errors import BadInput, NotFound, Refused
from hotbay.keys import public_text
from hotbay.publishers import MOST, Publishers, _only
from hotbay.store import Store
from signing import publisher


@pytest.fixture
def trusted(registry: Store) -> Publishers:
    """The publishers of a host that trusts nobody."""
    return Publishers(registry)


def key(name: str = "Ada") -> str:
    return publisher(name).public.text


def test_keys_come_go_and_are_listed_by_name(trusted: Publishers) -> None:
    assert (trusted.all(), trusted.chosen) == ([], False)
    eve, first, second = key(), key(), key()
    added = [trusted.trust(name, text, "ann") for name, text in (("eve", eve), ("Ada", first), ("Ada", second))]
    found = trusted.all()
    assert [(one.key.publisher, one.key.text) for one in found] == [("Ada", first), ("Ada", second), ("eve", eve)]
    assert found[0].to_json() == {
        "name": "Ada", "keyid": added[1].key.keyid, "key": first, "at": added[1].at, "actor": "ann",
    }  # fmt: skip
    assert trusted.distrust(added[1].key.keyid, "bob").key.text == first
    assert [one.key.text for one in trusted.all()] == [second, eve]
    with pytest.raises(NotFound):
        trusted.distrust(added[1].key.keyid, "bob")
    for one in trusted.all():
        trusted.distrust(one.key.keyid, "bob")
    assert (trusted.all(), trusted.chosen) == ([], True)


def test_trusting_again_changes_nothing(trusted: Publishers, registry: Store) -> None:
    text = key()
    first = trusted.trust("Ada", text, "ann")
    rev = registry.rev()
    assert trusted.trust("Ada", f" {text}\n", "bob").to_json() == first.to_json()
    assert (registry.rev(), len(registry.audit_entries())) == (rev, 1)


def test_a_key_belongs_to_one_name(trusted: Publishers) -> None:
    text = key()
    trusted.trust("Ada", text, "ann")
    with pytest.raises(Refused, match="belongs to Ada"):
        trusted.trust("Eve", text, "ann")
    assert [one.key.publisher for one in trusted.all()] == ["Ada"]


@pytest.mark.parametrize("name", ["", " Ada", "A\nda", "A\u202eda", "x" * 121])
def test_names_that_are_none(trusted: Publishers, name: str) -> None:
    with pytest.raises(BadInput, match="no publisher's name"):
        trusted.trust(name, key(), "ann")
    with pytest.raises(BadInput, match="no public key"):
        trusted.trust("Ada", "ed25519:nonsense", "ann")
    assert trusted.all() == []


def test_a_key_is_named_by_its_first_digits(trusted: Publishers) -> None:
    kept = trusted.trust("Ada", key(), "ann").key.keyid
    for few in ("", "*", kept[:7], "%" * 8, kept[:8] + "zz", kept + "0"):
        with pytest.raises(NotFound):
            trusted.distrust(few, "ann")
    assert trusted.distrust(kept[:8].upper(), "ann").key.keyid == kept


def test_digits_that_several_keys_begin_with() -> None:
    """Nobody finds two such keys by chance; whoever makes them on purpose gets no other one removed."""
    keys = [SimpleNamespace(key=SimpleNamespace(keyid="ab" * 31 + end)) for end in ("00", "01")]
    with pytest.raises(BadInput, match="2 trusted keys begin with"):
        _only(keys, "ab" * 31)  # type: ignore[arg-type]
    assert _only(keys, "ab" * 31 + "01") is keys[1]  # type: ignore[arg-type]


def test_the_audit_says_who_trusted_whom(trusted: Publishers, registry: Store) -> None:
    text = key()
    keyid = trusted.trust("Ada", text, "ann").key.keyid
    before = registry.rev()[1]
    trusted.distrust(keyid, "bob")
    assert registry.rev()[1] == before + 1
    told = [(one["actor"], one["action"], one["result"], one["detail"]) for one in registry.audit_entries()[::-1]]
    detail = {"publisher": "Ada", "keyid": keyid, "key": text}
    assert told == [("ann", "publisher", "trusted", detail), ("bob", "publisher", "distrusted", detail)]


def test_the_policy_knows_the_keys_of_now(trusted: Publishers) -> None:
    assert trusted.policy().keys == {} and not trusted.policy().required
    one = trusted.trust("Ada", key(), "ann").key
    policy = trusted.policy(required=True)
    assert policy.required
    assert {keyid: found.publisher for keyid, found in policy.keys.items()} == {one.keyid: "Ada"}
    trusted.distrust(one.keyid, "ann")
    assert trusted.policy().keys == {}


@pytest.mark.parametrize("change", [{"key": "nonsense"}, {"key": None}, {"name": None, "key": 5}, None, "x", []])
def test_what_is_not_readable_is_not_trusted(
    trusted: Publishers, registry: Store, change: object, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = trusted.trust("Ada", key(), "ann"), trusted.trust("Eve", key(), "ann")
    row = {**bad.to_json(), **change} if isinstance(change, dict) else change
    with registry.write() as connection:
        rows.set_meta(connection, "publishers", {good.key.keyid: good.to_json(), bad.key.keyid: row})
    assert [one.key.publisher for one in trusted.all()] == ["Ada"]
    assert "is not trusted" in caplog.text


def test_a_key_that_was_put_under_another_id_is_not_trusted(trusted: Publishers, registry: Store) -> None:
    good = trusted.trust("Ada", key(), "ann")
    with registry.write() as connection:
        rows.set_meta(connection, "publishers", {"ab" * 32: good.to_json()})
    assert trusted.all() == []


def test_not_more_than_anybody_would_look_through(trusted: Publishers, registry: Store) -> None:
    made = [publisher().public for _ in range(MOST)]
    with registry.write() as connection:
        value = {one.keyid: {"name": "Ada", "key": public_text(one.public), "at": "", "actor": ""} for one in made}
        rows.set_meta(connection, "publishers", value)
    with pytest.raises(Refused, match="already"):
        trusted.trust("Ada", key(), "ann")
    trusted.distrust(made[0].keyid, "ann")
    trusted.trust("Ada", key(), "ann")


def test_two_who_trust_at_once_lose_nothing(registry: Store) -> None:
    texts = [key() for _ in range(12)]
    threads = [
        threading.Thread(target=Publishers(registry).trust, args=(f"P{n}", text, "ann")) for n, text in enumerate(texts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.key.text for one in Publishers(registry).all()} == set(texts)
