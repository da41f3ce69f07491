"""The guard: what a plugin may say to the host's database, and seventy-eight and more things it may not."""

from __future__ import annotations

import gc
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from cursors import holding
from hotbay.errors import Forbidden, InvalidConfig, MigrationFailed
from hotbay.guard import GuardDenied, GuardedConnection, database_path, guarded_connection_factory, plugin_engine
from hotbay.migrate import Migrator
from hotbay.migrations import Migration, checksum
from sqlite_host import GRANT, contents, make_host

# At run time: each is one statement (or a list) on a fresh autocommit connection; the last one must be refused.
RUN_ATTACKS: dict[str, str | list[str]] = {
    "select": "SELECT * FROM users",
    "select no column": "SELECT 1 FROM users",
    "count": "SELECT count(*) FROM users",
    "count in schema": "SELECT count(*) FROM main.users",
    "case": "SELECT * FROM UsErS",
    "quoted": 'SELECT * FROM "users"',
    "brackets": "SELECT * FROM [users]",
    "host view": "SELECT * FROM v_users",
    "subquery": "SELECT (SELECT password_hash FROM users LIMIT 1)",
    "exists": "SELECT EXISTS (SELECT 1 FROM users WHERE id = 1)",
    "in": "SELECT 1 WHERE 'a@x' IN (SELECT email FROM users)",
    "in table": "SELECT 1 WHERE (1, 'a', 'b') IN users",
    "join": "SELECT m.text, u.email FROM chat_msgs m JOIN users u ON u.id = m.id",
    "natural join": "SELECT id FROM chat_msgs NATURAL JOIN users",
    "cte": "WITH q AS (SELECT * FROM users) SELECT * FROM q",
    "cte with a granted name": "WITH products AS (SELECT * FROM users) SELECT * FROM products",
    "cte with an own name": "WITH chat_view AS (SELECT * FROM users) SELECT * FROM chat_view",
    "recursive cte": "WITH RECURSIVE q(x) AS (SELECT password_hash FROM users UNION SELECT x FROM q) SELECT x FROM q",
    "union": "SELECT text FROM chat_msgs UNION SELECT password_hash FROM users",
    "group": "SELECT group_concat(password_hash) FROM users",
    "window": "SELECT max(password_hash) OVER () FROM users",
    "order by": "SELECT id FROM chat_msgs ORDER BY (SELECT email FROM users LIMIT 1)",
    "limit": "SELECT id FROM chat_msgs LIMIT (SELECT id FROM users LIMIT 1)",
    "explain": "EXPLAIN SELECT * FROM users",
    "explain plan": "EXPLAIN QUERY PLAN DELETE FROM users",
    "hotbay read": "SELECT * FROM hotbay_live",
    "other plugin": "SELECT * FROM inventory_stock",
    "longer id": "SELECT * FROM chat_pro_things",
    "host fts": "SELECT * FROM users_fts WHERE users_fts MATCH 'a'",
    "host fts shadow": "SELECT * FROM users_fts_content",
    "false shadow": "SELECT * FROM notes_data",
    "insert": "INSERT INTO users (email) VALUES ('m@x')",
    "insert select": "INSERT INTO chat_msgs (text) SELECT password_hash FROM users",
    "insert values subquery": "INSERT INTO chat_msgs (text) VALUES ((SELECT email FROM users LIMIT 1))",
    "insert or rollback": "INSERT OR ROLLBACK INTO users (id, email) VALUES (9, 'z')",
    "replace": "REPLACE INTO users (id, email) VALUES (1, 'm@x')",
    "upsert": "INSERT INTO users (id, email) VALUES (1, 'm') ON CONFLICT (id) DO UPDATE SET email = 'm'",
    "upsert leak": "INSERT INTO chat_msgs (text, n) VALUES ('a', 1) ON CONFLICT (n) DO UPDATE SET text ="
    " (SELECT password_hash FROM users)",
    "update": "UPDATE users SET password_hash = 'x'",
    "update from": "UPDATE chat_msgs SET text = password_hash FROM users WHERE users.id = chat_msgs.id",
    "update granted": "UPDATE products SET name = 'x'",
    "delete": "DELETE FROM users",
    "delete granted": "DELETE FROM products",
    "delete where": "DELETE FROM chat_msgs WHERE text IN (SELECT password_hash FROM users)",
    "returning": "INSERT INTO chat_msgs (text) VALUES ('a') RETURNING (SELECT password_hash FROM users LIMIT 1)",
    "hotbay write": "UPDATE hotbay_live SET secret = ''",
    "view write": "INSERT INTO v_users VALUES (3, 'c')",
    "fts write": "INSERT INTO users_fts (users_fts) VALUES ('rebuild')",
    "attach": "ATTACH ':memory:' AS aux2",
    "attach self": "ATTACH 'host.db' AS me",
    "detach": "DETACH main",
    "vacuum": "VACUUM",
    "vacuum into": "VACUUM INTO 'stolen.db'",
    "create table": "CREATE TABLE chat_new (id)",
    "create temp table": "CREATE TEMP TABLE users (id)",
    "create temp view": "CREATE TEMP VIEW chat_v AS SELECT 1",
    "create temp trigger": "CREATE TEMP TRIGGER t AFTER INSERT ON users BEGIN DELETE FROM orders; END",
    "create trigger": "CREATE TRIGGER chat_t AFTER INSERT ON users BEGIN DELETE FROM orders; END",
    "create index": "CREATE INDEX chat_i ON chat_msgs (text)",
    "create virtual": "CREATE VIRTUAL TABLE chat_s USING dbstat",
    "drop own": "DROP TABLE chat_msgs",
    "drop host": "DROP TABLE users",
    "drop index": "DROP INDEX idx_orders_total",
    "alter": "ALTER TABLE chat_msgs RENAME TO chat_x",
    "reindex": "REINDEX",
    "analyze": "ANALYZE",
    "foreign keys": "PRAGMA foreign_keys = OFF",
    "writable schema": ["PRAGMA writable_schema = ON"],
    "schema write": "UPDATE sqlite_master SET sql = 'x' WHERE name = 'users'",
    "schema delete": "DELETE FROM sqlite_master WHERE name = 'users'",
    "schema insert": "INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 0, 'x')",
    "journal mode": "PRAGMA journal_mode = DELETE",
    "synchronous": "PRAGMA synchronous = OFF",
    "user version": "PRAGMA user_version = 7",
    "application id": "PRAGMA application_id = 7",
    "schema version": "PRAGMA schema_version = 7",
    "query only": "PRAGMA query_only = ON",
    "busy timeout": "PRAGMA busy_timeout = 0",
    "locking mode": "PRAGMA locking_mode = EXCLUSIVE",
    "temp store": "PRAGMA temp_store_directory = '/tmp'",
    "checkpoint": "PRAGMA wal_checkpoint(TRUNCATE)",
    "optimize": "PRAGMA optimize",
    "recursive triggers": "PRAGMA recursive_triggers = OFF",
    "trusted schema": "PRAGMA trusted_schema = ON",
    "database list": "PRAGMA database_list",
    "table list": "PRAGMA table_list",
    "foreign table info": "PRAGMA table_info(users)",
    "foreign table xinfo": "SELECT * FROM pragma_table_xinfo('users')",
    "foreign table info, function": "SELECT * FROM pragma_table_info('users')",
    "foreign index": "PRAGMA index_info(idx_orders_total)",
    "pragma function": "SELECT * FROM pragma_database_list",
    "quick check": "PRAGMA quick_check(users)",
    "dbstat": "SELECT * FROM dbstat",
    "statements": "SELECT * FROM sqlite_stmt",
    "counters": "SELECT * FROM sqlite_sequence",
    "counters written": "UPDATE sqlite_sequence SET seq = 0 WHERE name = 'users'",
    "load extension": "SELECT load_extension('x.so')",
    "tokenizer": "SELECT fts3_tokenizer('simple')",
    "readfile": "SELECT readfile('/etc/passwd')",
    "writefile": "SELECT writefile('stolen', 'x')",
    "commit, then": ["BEGIN", "COMMIT", "DELETE FROM users"],
    "savepoint, then": ["SAVEPOINT a", "RELEASE a", "DELETE FROM users"],
    "after an error": ["INSERT OR ROLLBACK INTO chat_msgs (id, text) VALUES (99, 'x')", "DELETE FROM users"],
    "fts by command": "INSERT INTO kb (title) SELECT password_hash FROM users",
    "two in one": "SELECT 1; DELETE FROM users",
    "json of host": "SELECT value FROM users, json_each(json_array(users.email))",
    "scalar over json": "SELECT (SELECT json_group_array(email) FROM users)",
}

# In a migration: each is a whole script; nothing of it may stay.
MIGRATE_ATTACKS: dict[str, str] = {
    "ctas": "CREATE TABLE chat_x AS SELECT * FROM users;",
    "create foreign": "CREATE TABLE settings (id);",
    "create hotbay": "CREATE TABLE hotbay_x (id);",
    "create of another plugin": "CREATE TABLE inventory_x (id);",
    "create of a longer id": "CREATE TABLE chat_pro_x (id);",
    "squat on index name": "CREATE INDEX ix_users_email ON sessions (name);",
    "index on host": "CREATE INDEX chat_i ON users (email);",
    "unique on host": "CREATE UNIQUE INDEX chat_i ON orders (total);",
    "drop host": "DROP TABLE users;",
    "drop if exists": "DROP TABLE IF EXISTS orders;",
    "drop index": "DROP INDEX idx_orders_total;",
    "drop view": "DROP VIEW v_users;",
    "drop trigger": "DROP TRIGGER users_upper;",
    "drop fts": "DROP TABLE users_fts;",
    "alter add": "ALTER TABLE users ADD COLUMN admin INTEGER DEFAULT 1;",
    "alter rename": "ALTER TABLE users RENAME TO chat_users;",
    "alter column": "ALTER TABLE users RENAME COLUMN email TO mail;",
    "alter drop": "ALTER TABLE orders DROP COLUMN total;",
    "rename to foreign": "CREATE TABLE chat_x (id); ALTER TABLE chat_x RENAME TO settings;",
    "rename to hotbay": "ALTER TABLE sessions RENAME TO hotbay_x;",
    "rename to other plugin": "ALTER TABLE sessions RENAME TO inventory_x;",
    "view on host": "CREATE VIEW chat_v AS SELECT * FROM users;",
    "view on hotbay": "CREATE VIEW chat_v AS SELECT * FROM hotbay_live;",
    "view on view": "CREATE VIEW chat_v AS SELECT * FROM v_users; CREATE VIEW chat_w AS SELECT * FROM chat_v;",
    "trigger on host": "CREATE TRIGGER chat_t AFTER INSERT ON users BEGIN DELETE FROM chat_msgs; END;",
    "trigger body": "CREATE TRIGGER chat_t AFTER INSERT ON chat_msgs BEGIN DELETE FROM users; END;",
    "trigger body leaks": "CREATE TRIGGER chat_t AFTER DELETE ON chat_msgs BEGIN INSERT INTO sessions (name)"
    " SELECT password_hash FROM users; END;",
    "trigger on one column": "CREATE TRIGGER chat_t AFTER UPDATE OF text ON chat_msgs BEGIN DELETE FROM users; END;",
    "trigger when": "CREATE TRIGGER chat_t AFTER UPDATE ON chat_msgs WHEN (SELECT count(*) FROM users) > 1"
    " BEGIN DELETE FROM sessions; END;",
    "instead of": "CREATE TRIGGER chat_t INSTEAD OF INSERT ON chat_view BEGIN DELETE FROM users; END;",
    "instead of delete": "CREATE TRIGGER chat_t INSTEAD OF DELETE ON chat_view BEGIN UPDATE users SET email = ''; END;",
    "trigger fires": "CREATE TRIGGER chat_t AFTER INSERT ON sessions BEGIN UPDATE users SET email = 'x'; END;"
    " INSERT INTO sessions (name) VALUES ('a');",
    "temp trigger": "CREATE TEMP TRIGGER chat_t AFTER INSERT ON users BEGIN DELETE FROM chat_msgs; END;",
    "temp table": "CREATE TEMP TABLE chat_t (id);",
    "trigger calls": "CREATE TRIGGER chat_t AFTER INSERT ON sessions BEGIN SELECT load_extension('x'); END;",
    "fts content": "CREATE VIRTUAL TABLE chat_f USING fts5 (email, content='users', content_rowid='id');",
    "fts content quoted": 'CREATE VIRTUAL TABLE chat_f USING fts5 (email, content = "users");',
    "fts content bare": "CREATE VIRTUAL TABLE chat_f USING fts5 (email, content=users);",
    "fts content abbreviated": "CREATE VIRTUAL TABLE chat_f USING fts5 (email, c='users');",
    "fts content commented": "CREATE VIRTUAL TABLE chat_f USING fts5 (email, /* x */ content='users');",
    "fts rebuild": "CREATE VIRTUAL TABLE chat_f USING fts5 (email, content='users');"
    " INSERT INTO chat_f (chat_f) VALUES ('rebuild');",
    "fts over a host's table": "CREATE VIRTUAL TABLE notes USING fts5 (a);",
    "false shadow write": "INSERT INTO notes_data VALUES (2, x'02');",
    "fts vocabulary": "CREATE VIRTUAL TABLE chat_f USING fts5vocab ('users_fts', 'row');",
    "dbstat": "CREATE VIRTUAL TABLE chat_f USING dbstat;",
    "counter": "UPDATE sqlite_sequence SET seq = 900 WHERE name = 'users';",
    "counter deleted": "DELETE FROM sqlite_sequence WHERE name = 'inventory_stock';",
    "counters all": "DELETE FROM sqlite_sequence;",
    "counter inserted": "INSERT INTO sqlite_sequence VALUES ('users', 900);",
    "schema": "UPDATE sqlite_master SET sql = replace(sql, 'email', 'mail');",
    "schema delete": "DELETE FROM sqlite_master WHERE name = 'users';",
    "writable schema": "PRAGMA writable_schema = 1;",
    "foreign keys on": "PRAGMA foreign_keys = ON;",
    "commit": "INSERT INTO chat_msgs (text) VALUES ('kept?'); COMMIT;",
    "end": "INSERT INTO chat_msgs (text) VALUES ('kept?'); END;",
    "commit begin": "COMMIT; BEGIN;",
    "rollback": "ROLLBACK;",
    "begin": "BEGIN IMMEDIATE;",
    "or rollback": "INSERT INTO sessions (name) VALUES ('x'); INSERT OR ROLLBACK INTO chat_msgs (text) VALUES (NULL);",
    "raise rollback": "CREATE TRIGGER chat_t BEFORE INSERT ON sessions BEGIN SELECT RAISE(ROLLBACK, 'x'); END;"
    " INSERT INTO sessions (name) VALUES ('x');",
    "release": "RELEASE nothing;",
    "fk not granted": "CREATE TABLE chat_c (id INTEGER PRIMARY KEY, u INTEGER REFERENCES users (id));",
    "fk that blocks the host": "CREATE TABLE chat_c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES products (id));",
    "fk mismatch": "CREATE TABLE chat_c (p TEXT REFERENCES products (name) ON DELETE CASCADE);",
    "fk orphans": "CREATE TABLE chat_c (p INTEGER REFERENCES products (id) ON DELETE CASCADE);"
    " INSERT INTO chat_c VALUES (77);",
    "generated": "CREATE TABLE chat_c (id, g AS (load_extension('x')));",
    "check": "CREATE TABLE chat_c (id CHECK (readfile('/etc/passwd') IS NULL));",
    "host write": "UPDATE users SET email = 'x' WHERE id = 1;",
    "host read": "INSERT INTO chat_msgs (text) SELECT password_hash FROM users;",
    "attach": "ATTACH 'x.db' AS x;",
    "vacuum": "VACUUM;",
    "analyze": "ANALYZE;",
    "analyze own": "ANALYZE chat_msgs;",
    "reindex host": "REINDEX idx_orders_total;",
    "reindex all": "REINDEX;",
}

LEGITIMATE = [
    "SELECT m.text, p.name FROM chat_msgs m LEFT JOIN products p ON p.id = m.id",
    "SELECT count(*) FROM products",
    "WITH q AS (SELECT * FROM chat_msgs) SELECT count(*) FROM q",
    "WITH RECURSIVE q(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM q WHERE x < 5) SELECT sum(x) FROM q",
    "INSERT INTO chat_msgs (text) VALUES ('a') RETURNING id, text",
    "INSERT INTO chat_msgs (text, n) VALUES ('b', 1) ON CONFLICT (n) DO UPDATE SET text = excluded.text",
    "REPLACE INTO sessions (id, name) VALUES (1, upper('x') || random())",
    "UPDATE chat_msgs SET text = p.name FROM products p WHERE p.id = chat_msgs.id",
    "DELETE FROM chat_msgs WHERE n = 2",
    "SELECT * FROM chat_view",
    "SELECT title, bm25(kb), snippet(kb, 1, '[', ']', '…', 5) FROM kb WHERE kb MATCH 'money' ORDER BY rank",
    "INSERT INTO kb VALUES ('Hours', 'nine to five')",
    "INSERT INTO kb (kb) VALUES ('optimize')",
    "SELECT value FROM json_each('[1, 2]')",
    "SELECT json_extract('{\"a\": 1}', '$.a'), datetime('now'), row_number() OVER () FROM chat_msgs",
    "PRAGMA table_info(chat_msgs)",
    "PRAGMA index_list(chat_msgs)",
    "PRAGMA index_info(sqlite_autoindex_chat_msgs_1)",
    "SELECT name FROM pragma_table_xinfo('products')",
    "EXPLAIN QUERY PLAN SELECT * FROM chat_msgs",
    "SAVEPOINT a",
    "ROLLBACK TO a",
    "RELEASE a",
]


def test_the_battery_is_large_enough() -> None:
    assert len(RUN_ATTACKS) + len(MIGRATE_ATTACKS) >= 78


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = make_host(tmp_path / "host.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE chat_pro_things (secret TEXT)")
    return path


@pytest.fixture
def engine(host: Path) -> Iterator[sa.Engine]:
    made = plugin_engine(host, GRANT)
    yield made
    made.dispose()


@pytest.mark.parametrize("name", RUN_ATTACKS)
def test_run_attack_is_refused_and_changes_nothing(host: Path, name: str) -> None:
    before, files = contents(host, host_only=True), sorted(path.name for path in host.parent.iterdir())
    attack = RUN_ATTACKS[name]
    *lead, last = [attack] if isinstance(attack, str) else attack
    with closing(sqlite3.connect(host, factory=guarded_connection_factory(GRANT))) as connection:
        for sql in lead:
            try_it(connection, sql)
        with pytest.raises((sqlite3.Error, sqlite3.Warning)):
            connection.execute(last).fetchall()
    assert contents(host, host_only=True) == before
    assert {path.name for path in host.parent.iterdir()} - set(files) <= {"host.db-wal", "host.db-shm"}


def try_it(connection: sqlite3.Connection, sql: str) -> None:
    try:
        connection.execute(sql)
    except sqlite3.Error:
        pass


@pytest.mark.parametrize("name", MIGRATE_ATTACKS)
def test_migration_attack_is_refused_and_changes_nothing(host: Path, name: str) -> None:
    before = contents(host)
    script = MIGRATE_ATTACKS[name]
    with pytest.raises(MigrationFailed), Migrator(host, GRANT).transaction() as transaction:
        transaction.apply([Migration(2, "attack", script, None, checksum(script))])
    assert contents(host) == before


@pytest.mark.parametrize("mode", ["run", "migrate"])
def test_what_a_plugin_needs_works(host: Path, mode: str) -> None:
    if mode == "run":
        with closing(sqlite3.connect(host, factory=guarded_connection_factory(GRANT))) as connection:
            for sql in LEGITIMATE:
                connection.execute(sql).fetchall()
    else:
        with Migrator(host, GRANT).transaction() as transaction:
            for sql in LEGITIMATE:
                transaction.execute(sql).fetchall()


def test_refusals_say_who_what_and_how_to_mend(engine: sa.Engine) -> None:
    with pytest.raises(GuardDenied) as caught, engine.begin() as connection:
        connection.execute(sa.text("SELECT password_hash FROM users"))
    assert isinstance(caught.value, Forbidden)
    assert "plugin 'chat' may not read table 'users' (SELECT on users.password_hash)" in str(caught.value)
    assert "database.reads" in caught.value.mend


def test_an_ordinary_error_after_a_refusal_is_not_called_a_refusal(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        with pytest.raises(GuardDenied):
            connection.exec_driver_sql("DELETE FROM users")
        with pytest.raises(sa.exc.IntegrityError):
            connection.exec_driver_sql("INSERT INTO chat_msgs (text) VALUES (NULL)")


def test_sqlalchemy_works_on_own_tables(host: Path, engine: sa.Engine) -> None:
    inspector = sa.inspect(engine)
    assert [column["name"] for column in inspector.get_columns("chat_msgs")] == ["id", "text", "n"]
    assert inspector.has_table("chat_msgs")
    assert not inspector.has_table("chat_nothing")
    assert inspector.get_unique_constraints("chat_msgs")[0]["column_names"] == ["n"]
    metadata = sa.MetaData()
    metadata.reflect(engine, only=["chat_msgs", "sessions"])
    with Session(engine) as session, session.begin():
        session.execute(metadata.tables["sessions"].insert(), [{"name": "a"}, {"name": "b"}])
        with session.begin_nested() as inner:
            session.execute(metadata.tables["sessions"].delete())
            inner.rollback()
    assert contents(host)["sessions"] == [(1, "a"), (2, "b")]


def test_the_orm_works(engine: sa.Engine) -> None:
    class Base(DeclarativeBase):
        pass

    class Message(Base):
        __tablename__ = "chat_msgs"
        id: Mapped[int] = mapped_column(primary_key=True)
        text: Mapped[str]

    with Session(engine) as session:
        session.add(Message(text="by the ORM"))
        session.commit()
        assert session.scalar(sa.select(sa.func.count()).select_from(Message)) == 3
        assert session.scalars(sa.select(Message).order_by(Message.id.desc())).first().text == "by the ORM"


def test_writers_begin_at_once_and_readers_do_not(host: Path, engine: sa.Engine) -> None:
    with engine.begin():
        other = sqlite3.connect(host, timeout=0)
        with closing(other), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        with engine.connect().execution_options(hotbay_readonly=True) as reader:
            assert reader.exec_driver_sql("SELECT count(*) FROM chat_msgs").scalar() == 2


def test_foreign_keys_are_on_and_the_journal_is_a_wal(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        with raw.lifted():
            values = [raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("foreign_keys", "journal_mode")]
    assert values == [1, "wal"]


def test_a_foreign_key_to_a_granted_table_is_checked(host: Path, engine: sa.Engine) -> None:
    with closing(sqlite3.connect(host)) as connection:
        connection.execute("CREATE TABLE chat_c (p INTEGER REFERENCES products (id) ON DELETE CASCADE)")
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO chat_c VALUES (1)")
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO chat_c VALUES (77)")


def test_a_host_table_made_later_is_seen_by_the_next_transaction(host: Path, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM chat_msgs")
    with closing(sqlite3.connect(host)) as connection:
        connection.execute("CREATE TABLE payroll (id)")
    with pytest.raises(GuardDenied), engine.begin() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM payroll")


@pytest.mark.parametrize("way", ["set_authorizer", "enable_load_extension", "backup", "serialize", "blobopen"])
def test_the_connection_has_no_way_around(host: Path, way: str) -> None:
    connection = sqlite3.connect(host, factory=guarded_connection_factory(GRANT))
    with closing(connection), pytest.raises(GuardDenied):
        getattr(connection, way)(None)


@pytest.mark.parametrize("url", ["postgresql://localhost/x", "sqlite://", "sqlite:///:memory:", "://"])
def test_only_files_of_sqlite_will_do(url: str) -> None:
    with pytest.raises(InvalidConfig):
        database_path(url)


def test_urls_and_paths() -> None:
    assert database_path("sqlite:///a/b.db") == database_path("a/b.db") == Path("a/b.db")
    assert database_path("sqlite+aiosqlite:////a/b.db") == Path("/a/b.db")


def test_a_connection_is_garbage_when_it_is_closed(host: Path) -> None:
    connection = sqlite3.connect(host, factory=guarded_connection_factory(GRANT))
    connection.close()
    gone = weakref.ref(connection)
    del connection
    gc.collect()
    assert gone() is None


def test_a_held_cursor_does_not_keep_a_connection_from_being_made(tmp_path: Path) -> None:
    """A search through the heap holds what it meets; SQLAlchemy registers functions on each new connection."""
    kind, held = holding(GuardedConnection)
    engine = sa.create_engine(f"sqlite:///{tmp_path}/host.db", connect_args={"factory": partial(kind, grant=GRANT)})
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT floor(1.5)").scalar() == 1
    assert len(held) > 3
    engine.dispose()
