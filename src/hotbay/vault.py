"""Plugins' settings: validated by their model, stored in the registry, secrets encrypted at rest.

Secrets are the fields that the model types as `SecretStr` or `SecretBytes` (pydantic writes `format: password` into
the schema). They are encrypted with Fernet (AES-128-CBC and HMAC-SHA256) under the host's own key, `secret.key` in the
home folder, and never answered.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from hotbay import store
from hotbay.errors import StateError
from hotbay.keyfile import read_key
from hotbay.store import Store

MASK = "********"


class Vault:
    """Reads and writes plugins' settings."""

    def __init__(self, registry: Store, key_file: Path) -> None:
        self.store = registry
        self.key_file = key_file
        self._cipher: Fernet | None = None

    def read(self, plugin: str) -> dict[str, Any]:
        """All stored values, secrets in the clear: for the plugin only. Raises StateError when the key is another."""
        return self._read(plugin)

    def _read(self, plugin: str, without: Collection[str] = ()) -> dict[str, Any]:
        plain, secrets = self.store.read_settings(plugin)
        wanted = {name: text for name, text in secrets.items() if name not in without}
        return plain | {name: self.unseal(plugin, name, text) for name, text in wanted.items()}

    def show(self, plugin: str, schema: dict[str, Any] | None) -> dict[str, Any]:
        """What may be shown: plain values over the model's defaults, and a mask for each secret that is set."""
        plain, secrets = self.store.read_settings(plugin)
        fields = (schema or {}).get("properties", {})
        hidden = secret_fields(schema)
        values = {name: item["default"] for name, item in fields.items() if "default" in item and name not in hidden}
        return values | plain | dict.fromkeys(secrets, MASK)

    def merge(self, plugin: str, changes: dict[str, Any], schema: dict[str, Any] | None) -> dict[str, Any]:
        """The values as they would be after `changes`; None removes a value, the mask leaves a secret as it is."""
        hidden = secret_fields(schema)
        # A secret that is set anew is not decrypted: that is how a lost key is mended.
        values = self._read(plugin, without={name for name, value in changes.items() if value != MASK})
        for name, value in changes.items():
            if name in hidden and value == MASK:
                continue
            if value is None:
                values.pop(name, None)
            else:
                values[name] = value
        return values

    def write(self, plugin: str, values: dict[str, Any], schema: dict[str, Any] | None) -> None:
        """Store validated values whole, secrets encrypted."""
        hidden = secret_fields(schema)
        plain = {name: value for name, value in values.items() if name not in hidden}
        secrets = {name: self.seal(str(value)) for name, value in values.items() if name in hidden and value != ""}
        with self.store.write(durable=True) as connection:
            store.put_settings(connection, plugin, plain, secrets)

    def seal(self, text: str) -> str:
        """The text, encrypted with the host's own key."""
        return self._fernet().encrypt(text.encode()).decode()

    def unseal(self, plugin: str, name: str, text: str) -> str:
        """What was sealed, in the clear. Raises StateError, which names plugin and secret, when the key is another."""
        try:
            return self._fernet().decrypt(text.encode()).decode()
        except InvalidToken:
            raise StateError(
                f"the secret {name} of {plugin} can't be decrypted with {self.key_file}",
                mend="restore the key file, or set the secret anew",
            ) from None

    def _fernet(self) -> Fernet:
        if self._cipher is None:
            try:
                self._cipher = Fernet(read_key(self.key_file, Fernet.generate_key))
            except ValueError:
                raise StateError(f"{self.key_file} is no key", mend="restore the file, or move it away") from None
        return self._cipher


def secret_fields(schema: dict[str, Any] | None) -> frozenset[str]:
    """The names of a schema's write-only fields (pydantic's `SecretStr`, optional or not)."""
    fields = (schema or {}).get("properties", {})
    return frozenset(name for name, item in fields.items() if _is_secret(item))


def _is_secret(item: dict[str, Any]) -> bool:
    return bool(item.get("writeOnly")) or any(_is_secret(choice) for choice in item.get("anyOf", ()))
