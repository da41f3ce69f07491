"""What a plugin was granted in the database, by name, and the refusal that says what was not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from hotbay.errors import Forbidden

RESERVED = ("sqlite_", "hotbay_")
SHADOWS = ("data", "idx", "content", "docsize", "config")
_FOLD = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def fold(name: str) -> str:
    """The name as SQLite compares it: ASCII letters without case, all others as they are."""
    # Asked some thousand times in a migration, mostly of names without capitals.
    return name if name.islower() else name.translate(_FOLD)


def quote(name: str) -> str:
    """The name as an SQL identifier, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def shadows(virtual: str) -> frozenset[str]:
    """The (folded) names of the tables in which FTS5 keeps the virtual table `virtual`."""
    return frozenset(f"{fold(virtual)}_{suffix}" for suffix in SHADOWS)


@dataclass(frozen=True)
class Grant:
    """What a plugin may touch: tables named `{plugin}_…` and `tables` are its own, `reads` it may select.

    `others` are the ids of the other plugins of this host (the longest id that fits a name owns it, so `ai`
    never owns `ai_chatbot_sessions`); `foreign` are names that are somebody else's although they look like
    its own.
    """

    plugin: str
    tables: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    foreign: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in ("tables", "reads", "foreign"):
            object.__setattr__(self, name, frozenset(fold(item) for item in getattr(self, name)))

    def owns(self, name: str, virtual: frozenset[str] = frozenset()) -> bool:
        """True when a table or view `name` belongs to the plugin; `virtual` are the FTS5 tables that exist, folded.

        The shadow tables of an owned FTS5 table are owned too; names of SQLite and of Hotbay never are.
        """
        key = fold(name)
        table, _, suffix = key.rpartition("_")
        return (suffix in SHADOWS and table in virtual and self._owns(table)) or self._owns(key)

    @cached_property
    def _mine(self) -> dict[str, bool]:
        """The folded ids of all plugins, and whether it is this one."""
        return {fold(one): one == self.plugin for one in (*self.others, self.plugin)}

    def _owns(self, key: str) -> bool:
        if key.startswith(RESERVED) or key in self.foreign:
            return False
        end = key.rfind("_")
        while end > 0:  # The longest id first; however many plugins there are, a name has few parts.
            if key[:end] in self._mine:
                return self._mine[key[:end]]
            end = key.rfind("_", 0, end)
        return key in self.tables

    def may_read(self, name: str) -> bool:
        """True when the plugin was granted to select from a table that is not its own."""
        key = fold(name)
        return key in self.reads and not key.startswith(RESERVED)

    def may_name(self, name: str, table: str) -> bool:
        """True when an index or trigger of the plugin's `table` may be called `name`.

        The name must be the plugin's by prefix or contain its id or the table's name, so that no plugin
        squats on the names that the host will want.
        """
        key = fold(name)
        if key.startswith(RESERVED) or key in self.foreign:
            return False
        return self._owns(key) or fold(table) in key or fold(self.plugin) in key


class GuardDenied(Forbidden):
    """A plugin's SQL touched what was not granted; the statement did nothing."""

    code = "guard-denied"


@dataclass(frozen=True)
class Denial:
    """The last refusal of a connection: what (`act`), on which object, as SQLite named it (`detail`)."""

    plugin: str
    act: str
    name: str
    detail: str

    def error(self) -> GuardDenied:
        """The refusal as an error that says how to mend it."""
        what = f"{self.act} {self.name!r}" if self.name else self.act
        detail = f" ({self.detail})" if self.detail else ""
        return GuardDenied(f"plugin {self.plugin!r} may not {what}{detail}", mend=self._mend())

    def _mend(self) -> str:
        own = f"use tables named {self.plugin}_… or list the table in the manifest's database.tables"
        mends = {
            "read table": f"ask for {self.name} in the manifest's database.reads",
            "write to table": own,
            "use PRAGMA": "leave it out: Hotbay sets foreign_keys, journal and time-outs itself",
            "control the transaction by": "leave it out: Hotbay's own transaction is around every migration",
            "call function": "leave it out: it reaches outside the database",
            "name an index or trigger": f"begin its name with {self.plugin}_ or put the table's name in it",
        }
        if self.act in mends:
            return mends[self.act]
        return own if self.act.split()[0] in ("create", "drop", "alter") else "leave it out"
