"""Licence keys: kept encrypted, never told, refused when they can be none."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotbay.errors import BadInput, StateError
from hotbay.licenses import LONGEST, Licenses
from hotbay.store import Store
from hotbay.vault import Vault

KEY = "AAAA-bbbb-1234"


@pytest.fixture
def keys(registry: Store, tmp_path: Path) -> Licenses:
    """The keys of a host that has none."""
    return Licenses(registry, Vault(registry, tmp_path / "secret.key"))


def test_a_key_is_kept_replaced_and_forgotten(keys: Licenses) -> None:
    assert (keys.known("shop"), keys.read("shop")) == (False, None)
    keys.put("shop", f"  {KEY}\n", "admin")
    assert (keys.known("shop"), keys.read("shop"), keys.known("other")) == (True, KEY, False)
    keys.put("shop", "other", "admin")
    assert keys.read("shop") == "other"
    assert keys.forget("shop", "admin")
    assert not keys.forget("shop", "admin")
    assert keys.read("shop") is None


def test_it_is_in_no_file_and_no_audit_in_the_clear(keys: Licenses, registry: Store, tmp_path: Path) -> None:
    keys.put("shop", KEY, "admin")
    keys.forget("shop", "other")
    keys.put("shop", KEY, "admin")
    told = registry.audit_entries("shop")[::-1]
    assert [(item["actor"], item["action"], item["plugin"], item["result"]) for item in told] == [
        ("admin", "license", "shop", "set"),
        ("other", "license", "shop", "removed"),
        ("admin", "license", "shop", "set"),
    ]
    assert KEY not in str(told)
    registry.close()
    assert all(KEY.encode() not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_a_lost_key_of_the_host_is_named(keys: Licenses, registry: Store, tmp_path: Path) -> None:
    keys.put("shop", KEY, "admin")
    with pytest.raises(StateError, match="license key of shop"):
        Licenses(registry, Vault(registry, tmp_path / "another.key")).read("shop")


@pytest.mark.parametrize("text", ["", " \n", "two\nlines", "a\0b", "x" * (LONGEST + 1)])
def test_what_can_be_no_key_is_refused_and_not_repeated(keys: Licenses, text: str) -> None:
    with pytest.raises(BadInput) as refused:
        keys.put("shop", text, "admin")
    assert refused.value.problems[0].field == "license_key"
    assert text.strip() == "" or text not in str(refused.value)
    assert not keys.known("shop")
