"""Licence keys of paid plugins: taken by console, API and command line, encrypted at rest, never answered.

A key belongs to the host and the plugin's id, not to an installation: it outlives an uninstallation. Whether it is good
is for the repository to say that sold it; Hotbay keeps it and says whether there is one.
"""

from __future__ import annotations

from typing import Any

from hotbay import store
from hotbay.errors import BadInput, Problem
from hotbay.store import Store
from hotbay.vault import Vault

LONGEST = 512


class Licenses:
    """The keys of one host."""

    def __init__(self, registry: Store, vault: Vault) -> None:
        self.store = registry
        self.vault = vault

    def known(self, plugin: str) -> bool:
        """True when there is a key for the plugin."""
        return self.store.get_meta(_name(plugin)) is not None

    def read(self, plugin: str) -> str | None:
        """The key in the clear, for the repository only. Raises StateError when the host's own key is another."""
        sealed = self.store.get_meta(_name(plugin))
        return None if sealed is None else self.vault.unseal(plugin, "license key", str(sealed))

    def put(self, plugin: str, key: str, actor: str) -> None:
        """Keep a key instead of the one before. Safe to repeat. Raises BadInput for what can be none."""
        sealed = self.vault.seal(checked(key))
        self._write(plugin, sealed, actor, "set")

    def forget(self, plugin: str, actor: str) -> bool:
        """Forget the key; answers whether there was one."""
        there = self.known(plugin)
        if there:
            self._write(plugin, None, actor, "removed")
        return there

    def _write(self, plugin: str, sealed: str | None, actor: str, result: str) -> None:
        row = self.store.find_live(plugin)
        version = row.version if row is not None else ""
        entry: dict[str, Any] = {"actor": actor, "action": "license", "plugin": plugin, "result": result}
        with self.store.write(durable=True) as connection:
            if sealed is None:
                store.drop_meta(connection, _name(plugin))
            else:
                store.set_meta(connection, _name(plugin), sealed)
            store.add_audit(connection, **entry, before=version, after=version, operation=None, detail={})


def checked(key: str) -> str:
    """The key without blanks around it. Raises BadInput, which does not repeat it."""
    bare = key.strip()
    if bare and len(bare) <= LONGEST and bare.isprintable():
        return bare
    rule = f"must be one line of 1 to {LONGEST} characters"
    raise BadInput(
        "that is no licence key", problems=(Problem("license_key", rule, mend="copy it as the seller gave it"),)
    )


def _name(plugin: str) -> str:
    return f"license:{plugin}"
