"""A host's SQLite file for the tests of the rooms that own plugins' tables: users, Hotbay's rows, another plugin."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from hotbay.grant import Grant

SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT UNIQUE, password_hash TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id) ON DELETE CASCADE, total INTEGER);
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT);
CREATE INDEX idx_orders_total ON orders (total);
CREATE VIEW v_users AS SELECT id, email FROM users;
CREATE TRIGGER users_upper AFTER INSERT ON users BEGIN UPDATE orders SET total = total; END;
CREATE TABLE hotbay_live (plugin TEXT PRIMARY KEY, secret TEXT);
CREATE TABLE inventory_stock (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER);
CREATE VIRTUAL TABLE users_fts USING fts5 (email);
CREATE TABLE notes_data (id INTEGER PRIMARY KEY, block BLOB);
INSERT INTO users (email, password_hash) VALUES ('a@x', 'h1'), ('b@x', 'h2');
INSERT INTO orders VALUES (1, 1, 10), (2, 2, 20);
INSERT INTO products VALUES (1, 'disk');
INSERT INTO hotbay_live VALUES ('chat', 's3cret');
INSERT INTO inventory_stock (n) VALUES (5);
INSERT INTO users_fts VALUES ('a@x');
INSERT INTO notes_data VALUES (1, x'01');
CREATE TABLE chat_msgs (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, n INTEGER UNIQUE);
CREATE TABLE sessions (id INTEGER PRIMARY KEY, name TEXT);
CREATE VIRTUAL TABLE kb USING fts5 (title, body);
CREATE VIEW chat_view AS SELECT id, text FROM chat_msgs;
INSERT INTO chat_msgs (text, n) VALUES ('hello', 1), ('world', 2);
INSERT INTO kb VALUES ('Refund', 'money back');
"""
GRANT = Grant(
    "chat",
    tables=frozenset({"sessions", "kb", "notes"}),
    reads=frozenset({"products", "hotbay_live", "sqlite_sequence"}),
    others=frozenset({"inventory", "chat_pro"}),
)


def make_host(path: Path) -> Path:
    """The host's database at `path`, WAL."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(SCHEMA)
    return path


def contents(path: Path, *, host_only: bool = False) -> dict[str, Any]:
    """The whole catalogue, every row of every table, and every counter: two equal ones are equal databases."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
        rows = [row for row in rows if not (host_only and mine(row[2]))]
        found: dict[str, Any] = {"catalogue": rows}
        for name in [row[1] for row in rows if row[0] == "table"]:
            content = connection.execute('SELECT * FROM "' + name.replace('"', '""') + '"').fetchall()
            found[name] = [row for row in content if not (name == "sqlite_sequence" and host_only and mine(row[0]))]
        return found


def mine(name: str) -> bool:
    """True when the table belongs to the plugin of the tests (written apart from the code under test)."""
    return name.startswith(("chat_", "kb")) or name == "sessions"
