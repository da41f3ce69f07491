"""Settings of plugins: secrets are never stored in the clear, never shown, and can't be read with another key."""

from __future__ import annotations

import json
import multiprocessing
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr

from hotbay.errors import StateError
from hotbay.store import Store
from hotbay.vault import MASK, Vault, secret_fields


class Model(BaseModel):
    """A plugin's settings."""

    model: str = "small"
    limit: int | None = None
    key: SecretStr = SecretStr("")
    other: SecretStr | None = None
    raw: SecretBytes = SecretBytes(b"")


SCHEMA = Model.model_json_schema()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """An empty vault."""
    registry = Store(tmp_path / "host.db")
    yield Vault(registry, tmp_path / "home" / "secret.key")
    registry.close()


def test_the_schema_tells_the_secrets() -> None:
    assert secret_fields(SCHEMA) == {"key", "other", "raw"}
    assert secret_fields(None) == secret_fields({}) == frozenset()


def test_values_come_back_for_the_plugin_and_masked_for_people(vault: Vault) -> None:
    vault.write("chat", {"model": "large", "key": "s3cret-é", "other": "x"}, SCHEMA)
    assert vault.read("chat") == {"model": "large", "key": "s3cret-é", "other": "x"}
    assert vault.show("chat", SCHEMA) == {"model": "large", "limit": None, "key": MASK, "other": MASK}
    assert vault.read("nobody") == {}
    assert vault.show("nobody", SCHEMA) == {"model": "small", "limit": None}


def test_no_secret_is_at_rest_in_the_clear(vault: Vault, tmp_path: Path) -> None:
    vault.write("chat", {"key": "s3cret-value"}, SCHEMA)
    vault.store.close()
    found = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"s3cret-value" not in found
    key = vault.key_file
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [path.name for path in key.parent.iterdir()] == ["secret.key"]


def test_without_secrets_no_key_is_made(vault: Vault) -> None:
    vault.write("chat", {"model": "large", "key": ""}, SCHEMA)
    assert not vault.key_file.exists()
    assert vault.read("chat") == {"model": "large"}


def test_changes_are_merged(vault: Vault) -> None:
    vault.write("chat", {"model": "large", "limit": 5, "key": "old", "other": "kept"}, SCHEMA)
    merged = vault.merge("chat", {"limit": None, "key": "new", "other": MASK, "model": MASK}, SCHEMA)
    assert merged == {"model": MASK, "key": "new", "other": "kept"}
    assert vault.read("chat")["key"] == "old"
    assert vault.merge("chat", {"key": None}, SCHEMA) == {"model": "large", "limit": 5, "other": "kept"}


def test_a_lost_key_is_said_and_mended_by_setting_the_secret_anew(vault: Vault) -> None:
    vault.write("chat", {"key": "value"}, SCHEMA)
    vault.key_file.unlink()
    fresh = Vault(vault.store, vault.key_file)
    with pytest.raises(StateError, match="the secret key of chat can't be decrypted") as caught:
        fresh.read("chat")
    assert "value" not in json.dumps(caught.value.to_json())
    assert fresh.show("chat", SCHEMA)["key"] == MASK
    # What the error says that one should do.
    fresh.write("chat", fresh.merge("chat", {"key": "again"}, SCHEMA), SCHEMA)
    assert fresh.read("chat") == {"key": "again"}


def test_a_key_file_that_is_no_key_is_said(vault: Vault) -> None:
    vault.key_file.parent.mkdir(parents=True)
    vault.key_file.write_text("nonsense")
    with pytest.raises(StateError, match=r"secret\.key"):
        vault.write("chat", {"key": "value"}, SCHEMA)


def seal(folder: Path, number: int) -> None:
    registry = Store(folder / "host.db")
    Vault(registry, folder / "home" / "secret.key").write(f"plugin{number}", {"key": f"value{number}"}, SCHEMA)
    registry.close()


def test_many_processes_make_one_key(vault: Vault, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=seal, args=(tmp_path, number)) for number in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert [vault.read(f"plugin{number}")["key"] for number in range(3)] == ["value0", "value1", "value2"]
