"""What SQLite's compiler may be told about a plugin's statement: the authorizer's rules, default deny."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from hotbay.grant import RESERVED, Denial, Grant, fold, shadows

Mode = Literal["run", "migrate"]
SCHEMA = frozenset({"sqlite_master", "sqlite_schema"})
TEMP_SCHEMA = frozenset({"sqlite_temp_master", "sqlite_temp_schema"})
TABLE_PRAGMAS = frozenset({"table_info", "table_xinfo", "index_list", "foreign_key_list"})
INDEX_PRAGMAS = frozenset({"index_info", "index_xinfo"})
STATE_PRAGMAS = frozenset({"read_uncommitted", "data_version"})
FUNCTION_TABLES = frozenset({"json_each", "json_tree", *(f"pragma_{name}" for name in TABLE_PRAGMAS | INDEX_PRAGMAS)})
FUNCTIONS_DENIED = frozenset(
    {
        "load_extension",
        "fts3_tokenizer",
        "readfile",
        "writefile",
        "edit",
        "lsdir",
        "sqlar_uncompress",
        "zipfile",
    }
)


@dataclass
class Names:
    """What exists in the database, by folded name; read again when the schema has changed."""

    version: int = -1
    tables: frozenset[str] = frozenset()
    virtual: frozenset[str] = frozenset()
    indexes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, connection: sqlite3.Connection, version: int) -> Names:
        """Read the catalogue of an unguarded (or lifted) connection."""
        rows = connection.execute("SELECT type, name, tbl_name, sql FROM main.sqlite_master").fetchall()
        tables = {fold(name): sql or "" for kind, name, _, sql in rows if kind in ("table", "view")}
        virtual = {name for name, sql in tables.items() if is_fts5(sql)}
        indexes = {fold(name): fold(table) for kind, name, table, _ in rows if kind == "index"}
        return cls(version, frozenset(tables), frozenset(virtual), indexes)


def is_fts5(sql: str) -> bool:
    """True when the catalogue's `sql` is that of an FTS5 table."""
    return bool(re.match(r"(?is)\s*create\s+virtual\s+table\b.*?\busing\s+[\"'`\[]?fts5\b", sql))


Answer = tuple[str, str] | None  # None: allowed; else what was refused (act, name)


class Rules:
    """The authorizer: answers the questions of SQLite's compiler for one connection; remembers the last no."""

    def __init__(self, grant: Grant, mode: Mode, alive: Callable[[], bool]) -> None:
        self.grant = grant
        self.mode = mode
        self.names = Names()
        self.lifted = True
        self.denial: Denial | None = None
        self.side = ""  # An attached file of the plugin's own rows that may be read just now.
        self.written: set[tuple[str, str]] = (
            set()
        )  # Tables whose rows a statement may change; of UPDATEs the column too.
        self._alive = alive

    def __call__(self, action: int, one: str | None, two: str | None, base: str | None, _inner: str | None) -> int:
        # `_inner` (the view or trigger at work) is never believed: a CTE may bear a granted view's name.
        if self.lifted:
            return sqlite3.SQLITE_OK
        refused = self._ask(action, one or "", two or "", base)
        if refused is None:
            if action in WRITES:
                self.written.add((fold(one or ""), fold(two or "") if action == sqlite3.SQLITE_UPDATE else ""))
            return sqlite3.SQLITE_OK
        detail = f"{ACTIONS.get(action, f'action {action}')} on {'.'.join(part for part in (one, two) if part)}"
        self.denial = Denial(self.grant.plugin, *refused, detail=detail)
        return sqlite3.SQLITE_DENY

    def _ask(self, action: int, one: str, two: str, base: str | None) -> Answer:
        if self.mode == "migrate" and not self._alive():
            return "go on after the migration's transaction has ended", ""
        ask = _ASKS.get(action)
        if ask is None:
            return REFUSED.get(action, "do this"), one
        if action == sqlite3.SQLITE_ALTER_TABLE:
            base = one  # here the database comes first, and DROP COLUMN puts the column where it is elsewhere
        # There is never anything in temp, but SQLAlchemy's inspector looks there as well.
        looking = action == sqlite3.SQLITE_PRAGMA or fold(one) in TEMP_SCHEMA
        if base == self.side and action == sqlite3.SQLITE_READ:
            return None
        if base not in (None, "main") and not (base == "temp" and looking):
            return "use another database than main:", base
        return ask(self, one, two, base)

    @property
    def migrating(self) -> bool:
        """True where DDL is allowed."""
        return self.mode == "migrate"

    def owns(self, name: str) -> bool:
        """True for the plugin's own tables and views, and what FTS5 keeps them in."""
        return self.grant.owns(name, self.names.virtual)

    def _yes(self, _one: str, _two: str, _base: str | None) -> Answer:
        return None

    def _read(self, table: str, column: str, base: str | None) -> Answer:
        key = fold(table)
        if self.owns(key) or self.grant.may_read(key) or key in SCHEMA | TEMP_SCHEMA:
            return None
        if key in FUNCTION_TABLES and key not in self.names.tables:
            return None
        if self.migrating and key in ("sqlite_sequence", "pragma_quick_check"):
            return None
        # A common table expression none of whose columns is used: SQLite asks for its name alone.
        if not column and base is None and key not in self.names.tables and not key.startswith(RESERVED):
            return None
        return "read table", table

    def _write(self, table: str, _column: str, _base: str | None) -> Answer:
        if self.owns(table) or (self.migrating and fold(table) in SCHEMA):
            return None
        return "write to table", table

    def _delete(self, table: str, column: str, base: str | None) -> Answer:
        # DROP TABLE deletes the table's counter; that no other row went is checked before COMMIT.
        if self.migrating and fold(table) == "sqlite_sequence":
            return None
        return self._write(table, column, base)

    def _update(self, table: str, column: str, base: str | None) -> Answer:
        key = fold(table)
        # SQLite asks this when it declares a virtual table; a real UPDATE needs PRAGMA writable_schema.
        if key in SCHEMA or (self.migrating and key in TEMP_SCHEMA | {"sqlite_sequence"}):
            return None
        return self._write(table, column, base)

    def _function(self, _none: str, name: str, _base: str | None) -> Answer:
        return ("call function", name) if fold(name) in FUNCTIONS_DENIED else None

    def _pragma(self, name: str, argument: str, _base: str | None) -> Answer:
        key = fold(name)
        seen = self.owns(argument) or self.grant.may_read(argument)
        owner = self.names.indexes.get(fold(argument), "")
        allowed = (
            (key in TABLE_PRAGMAS and seen)
            or (key in INDEX_PRAGMAS and (self.owns(owner) or self.grant.may_read(owner)))
            or (key in STATE_PRAGMAS and not argument)
            or (key == "quick_check" and self.migrating and self.owns(argument))
        )
        return None if allowed else ("use PRAGMA", f"{name}({argument})" if argument else name)

    def _transaction(self, operation: str, _two: str, _base: str | None) -> Answer:
        return ("control the transaction by", operation) if self.migrating else None

    def _create_table(self, table: str, _two: str, _base: str | None) -> Answer:
        if self.migrating and (self.owns(table) or fold(table) == "sqlite_sequence"):
            return None
        return "create table", table

    def _create_view(self, view: str, _two: str, _base: str | None) -> Answer:
        return None if self.migrating and self.owns(view) else ("create view", view)

    def _create_virtual(self, table: str, module: str, _base: str | None) -> Answer:
        if not self.migrating or not self.grant.owns(table):
            return "create virtual table", table
        if fold(module) != "fts5":
            return "create virtual tables of module", module
        # Somebody else's table that merely looks like a shadow stays theirs; FTS5 fails on it anyhow.
        if not shadows(table) & self.names.tables:
            self.names.virtual |= {fold(table)}
        return None

    def _create_index(self, index: str, table: str, _base: str | None) -> Answer:
        if not self.migrating or not self.owns(table):
            return "create an index on table", table
        if not fold(index).startswith("sqlite_autoindex_") and not self.grant.may_name(index, table):
            return "name an index or trigger", index
        self.names.indexes[fold(index)] = fold(table)
        return None

    def _create_trigger(self, trigger: str, table: str, _base: str | None) -> Answer:
        if not self.migrating or not self.owns(table):
            return "create a trigger on table", table
        return None if self.grant.may_name(trigger, table) else ("name an index or trigger", trigger)

    def _drop(self, name: str, _two: str, _base: str | None) -> Answer:
        return None if self.migrating and self.owns(name) else ("drop table or view", name)

    def _drop_part(self, name: str, table: str, _base: str | None) -> Answer:
        return None if self.migrating and self.owns(table) else (f"drop, on table {table!r},", name)

    def _alter(self, _database: str, table: str, _base: str | None) -> Answer:
        return None if self.migrating and self.owns(table) else ("alter table", table)

    def _reindex(self, index: str, _two: str, _base: str | None) -> Answer:
        owned = self.owns(self.names.indexes.get(fold(index), ""))
        return None if self.migrating and owned else ("rebuild index", index)


# What a question is judged by. Not bound to the connection's rules: each would be in cycles with itself.
_ASKS: dict[int, Callable[[Rules, str, str, str | None], Answer]] = {
    sqlite3.SQLITE_SELECT: Rules._yes,
    sqlite3.SQLITE_RECURSIVE: Rules._yes,
    sqlite3.SQLITE_SAVEPOINT: Rules._yes,
    sqlite3.SQLITE_READ: Rules._read,
    sqlite3.SQLITE_INSERT: Rules._write,
    sqlite3.SQLITE_DELETE: Rules._delete,
    sqlite3.SQLITE_UPDATE: Rules._update,
    sqlite3.SQLITE_FUNCTION: Rules._function,
    sqlite3.SQLITE_PRAGMA: Rules._pragma,
    sqlite3.SQLITE_TRANSACTION: Rules._transaction,
    sqlite3.SQLITE_CREATE_TABLE: Rules._create_table,
    sqlite3.SQLITE_CREATE_VIEW: Rules._create_view,
    sqlite3.SQLITE_CREATE_VTABLE: Rules._create_virtual,
    sqlite3.SQLITE_CREATE_INDEX: Rules._create_index,
    sqlite3.SQLITE_CREATE_TRIGGER: Rules._create_trigger,
    sqlite3.SQLITE_DROP_TABLE: Rules._drop,
    sqlite3.SQLITE_DROP_VIEW: Rules._drop,
    sqlite3.SQLITE_DROP_VTABLE: Rules._drop,
    sqlite3.SQLITE_DROP_INDEX: Rules._drop_part,
    sqlite3.SQLITE_DROP_TRIGGER: Rules._drop_part,
    sqlite3.SQLITE_ALTER_TABLE: Rules._alter,
    sqlite3.SQLITE_REINDEX: Rules._reindex,
}
WRITES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
ACTIONS = {
    sqlite3.SQLITE_READ: "SELECT",
    sqlite3.SQLITE_INSERT: "INSERT",
    sqlite3.SQLITE_UPDATE: "UPDATE",
    sqlite3.SQLITE_DELETE: "DELETE",
    sqlite3.SQLITE_ATTACH: "ATTACH",
    sqlite3.SQLITE_DETACH: "DETACH",
    sqlite3.SQLITE_PRAGMA: "PRAGMA",
    sqlite3.SQLITE_ANALYZE: "ANALYZE",
    sqlite3.SQLITE_REINDEX: "REINDEX",
    sqlite3.SQLITE_FUNCTION: "function",
    sqlite3.SQLITE_TRANSACTION: "transaction",
    sqlite3.SQLITE_ALTER_TABLE: "ALTER TABLE",
    **{
        getattr(sqlite3, f"SQLITE_{verb}_{temp}{kind}"): f"{verb} {temp}{kind}".replace("_", " ")
        for verb in ("CREATE", "DROP")
        for temp in ("", "TEMP_")
        for kind in ("TABLE", "INDEX", "TRIGGER", "VIEW")
    },
    sqlite3.SQLITE_CREATE_VTABLE: "CREATE VIRTUAL TABLE",
    sqlite3.SQLITE_DROP_VTABLE: "DROP TABLE",
}
REFUSED = {
    sqlite3.SQLITE_ATTACH: "attach (or copy to) database file",
    sqlite3.SQLITE_DETACH: "detach database",
    sqlite3.SQLITE_ANALYZE: "analyze table",
    **{code: f"use temporary objects ({text}):" for code, text in ACTIONS.items() if " TEMP " in text},
}
