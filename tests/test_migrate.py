"""Migrations run whole or not at all: scripts, addon classes, Hotbay's own rows, undoing, kill -9."""

from __future__ import annotations

import gc
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from hotbay.errors import Conflict, MigrationFailed
from hotbay.guard import GuardDenied
from hotbay.migrate import Applied, Migrator, Transaction, owned_tables
from hotbay.migrations import Migration, checksum
from sqlite_host import GRANT, contents, make_host

FIRST = "CREATE TABLE chat_a (id INTEGER PRIMARY KEY, t TEXT);\nINSERT INTO chat_a (t) VALUES ('x');"


def migration(up: str, down: str | None = None, number: int = 1) -> Migration:
    file = f"migrations/{number:04}_x.up.sql"
    return Migration(number, "x", up, down, checksum(up), file, file.replace(".up.", ".down.") if down else "")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    return make_host(tmp_path / "host.db")


@pytest.fixture
def migrator(host: Path) -> Migrator:
    return Migrator(host, GRANT)


def rows(host: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(host)) as connection:
        return connection.execute(sql).fetchall()


def test_scripts_and_hotbays_rows_commit_together(host: Path, migrator: Migrator) -> None:
    with migrator.transaction() as transaction:
        transaction.apply([migration(FIRST)])
        transaction.trusted(lambda db: db.execute(sa.text("UPDATE hotbay_live SET secret = 'new'")))
    assert rows(host, "SELECT t, secret FROM chat_a, hotbay_live") == [("x", "new")]


def test_a_transaction_does_not_wait_for_the_collector(migrator: Migrator) -> None:
    gc.collect()
    gc.disable()
    try:
        with migrator.transaction() as transaction:
            transaction.trusted(lambda db: db.execute(sa.text("UPDATE hotbay_live SET secret = 'new'")))
            transaction.run(lambda db: db.execute(sa.text("SELECT 1")))
        known = weakref.ref(transaction)
        del transaction
        assert known() is None
    finally:
        gc.enable()


def test_two_at_once_each_write_into_their_own_transaction(host: Path, tmp_path: Path) -> None:
    """Hotbay's own SQL goes through one engine: nobody gets the connection of another."""
    other = make_host(tmp_path / "other.db")
    with Migrator(host, GRANT).transaction() as mine, Migrator(other, GRANT).transaction() as theirs:
        mine.trusted(lambda db: db.execute(sa.text("UPDATE hotbay_live SET secret = 'mine'")))
        theirs.trusted(lambda db: db.execute(sa.text("UPDATE hotbay_live SET secret = 'theirs'")))
        mine.trusted(lambda db: db.execute(sa.text("UPDATE hotbay_live SET secret = secret || '!'")))
    assert rows(host, "SELECT secret FROM hotbay_live") == [("mine!",)]
    assert rows(other, "SELECT secret FROM hotbay_live") == [("theirs",)]


def test_an_exception_leaves_the_database_as_it_was(host: Path, migrator: Migrator) -> None:
    before = contents(host)
    with pytest.raises(Conflict), migrator.transaction() as transaction:
        transaction.apply([migration(FIRST)])
        transaction.trusted(lambda db: db.execute(sa.text("DELETE FROM hotbay_live")))
        transaction.drop_owned()
        raise Conflict("something else")
    assert contents(host) == before


def test_an_error_names_file_line_statement_and_reason(migrator: Migrator) -> None:
    script = "-- first\nCREATE TABLE chat_a (id);\n\n-- second\nINSERT INTO chat_a\nVALUES (1, 2);\n"
    with pytest.raises(MigrationFailed) as caught, migrator.transaction() as transaction:
        transaction.apply([migration(script, number=3)])
    (problem,) = caught.value.problems
    assert problem.file == "migrations/0003_x.up.sql"
    assert problem.field == "statement 2, line 5"
    assert problem.rule == "table chat_a has 1 columns but 2 values were supplied"
    assert problem.value.endswith("INSERT INTO chat_a VALUES (1, 2);")


def test_hotbay_may_create_its_own_tables_within(host: Path, migrator: Migrator) -> None:
    make = "CREATE TABLE hotbay_ledger (id INTEGER PRIMARY KEY AUTOINCREMENT, plugin TEXT)"
    with migrator.transaction() as transaction:
        transaction.trusted(lambda db: db.exec_driver_sql(make))
        transaction.trusted(lambda db: db.exec_driver_sql("INSERT INTO hotbay_ledger (plugin) VALUES ('chat')"))
        with pytest.raises(GuardDenied):
            transaction.execute("DELETE FROM hotbay_ledger")
    assert rows(host, "SELECT * FROM hotbay_ledger") == [(1, "chat")]


def test_the_guard_is_back_after_trusted_work_even_for_the_same_text(migrator: Migrator) -> None:
    sql = "SELECT * FROM users"
    with migrator.transaction() as transaction:
        assert len(transaction.trusted(lambda db: db.exec_driver_sql(sql).all())) == 2
        with pytest.raises(GuardDenied):
            transaction.execute(sql)
        with pytest.raises(GuardDenied):
            transaction.run(lambda session: session.execute(sa.text(sql)))


def test_a_rebuilt_parent_keeps_its_children(host: Path, migrator: Migrator) -> None:
    with migrator.transaction() as transaction:
        transaction.apply(
            [
                migration(
                    "CREATE TABLE chat_child (m INTEGER REFERENCES chat_msgs (id) ON DELETE CASCADE);"
                    "INSERT INTO chat_child VALUES (1);"
                ),
                migration(
                    "DROP VIEW chat_view; CREATE TABLE chat_new (id INTEGER PRIMARY KEY, text TEXT);"
                    "INSERT INTO chat_new SELECT id, text FROM chat_msgs; DROP TABLE chat_msgs;"
                    "ALTER TABLE chat_new RENAME TO chat_msgs;",
                    number=2,
                ),
            ]
        )
    assert rows(host, "SELECT * FROM chat_child") == [(1,)]


def test_a_foreign_key_to_a_granted_table_that_cascades_is_fine(host: Path, migrator: Migrator) -> None:
    script = (
        "CREATE TABLE chat_c (p INTEGER REFERENCES products (id) ON DELETE CASCADE); INSERT INTO chat_c VALUES (1);"
    )
    with migrator.transaction() as transaction:
        transaction.apply([migration(script)])
    with closing(sqlite3.connect(host, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("DELETE FROM products")
    assert rows(host, "SELECT * FROM chat_c") == []


def test_orphans_from_before_do_not_stop_a_migration(host: Path, migrator: Migrator) -> None:
    script = (
        "CREATE TABLE chat_c (p INTEGER REFERENCES products (id) ON DELETE CASCADE); INSERT INTO chat_c VALUES (1);"
    )
    with migrator.transaction() as transaction:
        transaction.apply([migration(script)])
    with closing(sqlite3.connect(host, isolation_level=None)) as connection:
        connection.execute("DELETE FROM products")  # a host with foreign keys off, as is SQLite's default
    with migrator.transaction() as transaction:
        transaction.apply([migration("ALTER TABLE chat_c ADD COLUMN x;", number=2)])


def test_triggers_views_and_fts_on_own_tables_are_fine(host: Path, migrator: Migrator) -> None:
    script = """
    CREATE TRIGGER chat_msgs_ai AFTER INSERT ON chat_msgs BEGIN
      INSERT INTO kb (title, body) VALUES ('m', new.text); UPDATE sessions SET name = ';' WHERE id = new.id;
    END;
    CREATE VIEW chat_products AS SELECT m.id, p.name FROM chat_msgs m JOIN products p ON p.id = m.id;
    CREATE VIRTUAL TABLE chat_fts USING fts5 (text, content='chat_msgs', content_rowid='id');
    INSERT INTO chat_fts (chat_fts) VALUES ('rebuild');
    CREATE VIRTUAL TABLE chat_bare USING fts5 (text, content='');
    INSERT INTO chat_msgs (text) VALUES ('found');
    CREATE INDEX ix_sessions_name ON sessions (name);
    """
    with migrator.transaction() as transaction:
        transaction.apply([migration(script)])
    assert rows(host, "SELECT body FROM kb WHERE kb MATCH 'found'") == [("found",)]


# ── undoing ──


def test_down_scripts_run_backwards(host: Path, migrator: Migrator) -> None:
    before = contents(host)
    both = [
        migration("CREATE TABLE chat_a (id);", "DROP TABLE chat_a;"),
        migration("ALTER TABLE chat_a ADD COLUMN b;", "ALTER TABLE chat_a DROP COLUMN b;", 2),
    ]
    with migrator.transaction() as transaction:
        transaction.apply(both)
    with migrator.transaction() as transaction:
        transaction.revert(both)
    assert contents(host) == before


def test_a_missing_down_is_made_up_for_by_what_apply_said(host: Path, migrator: Migrator) -> None:
    before = contents(host)
    added = migration("CREATE TABLE chat_a (id); ALTER TABLE sessions ADD COLUMN b DEFAULT 1;")
    with migrator.transaction() as transaction:
        (applied,) = transaction.apply([added])
    assert applied == Applied(added, ('ALTER TABLE "sessions" DROP COLUMN "b"', 'DROP TABLE IF EXISTS "chat_a"'))
    with pytest.raises(MigrationFailed, match="no down script"), migrator.transaction() as transaction:
        transaction.revert([added])
    with migrator.transaction() as transaction:
        transaction.revert([added], undo={1: applied.undo})
    assert contents(host) == before


def test_what_only_its_author_can_undo_is_refused(migrator: Migrator) -> None:
    with pytest.raises(MigrationFailed) as caught, migrator.transaction() as transaction:
        (applied,) = transaction.apply([migration("DROP TABLE sessions;")])
        assert applied.undo is None
        transaction.revert([applied.migration])
    assert "0001_x.down.sql" in caught.value.mend


def test_drop_owned_leaves_nothing_of_the_plugin_and_all_of_the_host(host: Path, migrator: Migrator) -> None:
    before = contents(host, host_only=True)
    assert owned_tables(host, GRANT) == ["chat_msgs", "kb", "sessions"]
    with migrator.transaction() as transaction:
        transaction.drop_owned()
    assert owned_tables(host, GRANT) == []
    assert contents(host) == before


# ── addon classes ──


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "chat_notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(index=True)


class Addon:
    """As in the seeds: makes its tables and first rows through the session that it is given."""

    def create_tables(self, db: Session) -> None:
        Base.metadata.create_all(bind=db.get_bind())

    def install(self, db: Session) -> None:
        db.add(Note(text="kept"))
        db.commit()
        db.add(Note(text="taken back"))
        db.flush()
        db.rollback()
        db.add(Note(text="pending"))


def test_an_addon_class_works_in_the_same_transaction(host: Path, migrator: Migrator) -> None:
    addon = Addon()
    with migrator.transaction() as transaction:
        transaction.run(addon.create_tables)
        transaction.run(addon.install)
        with closing(sqlite3.connect(host)) as other:
            assert not other.execute("SELECT 1 FROM sqlite_master WHERE name = 'chat_notes'").fetchall()
    assert rows(host, "SELECT text FROM chat_notes ORDER BY id") == [("kept",), ("pending",)]


def test_all_of_an_addon_is_rolled_back_though_it_committed(host: Path, migrator: Migrator) -> None:
    before = contents(host)
    addon = Addon()
    raised = pytest.raises(MigrationFailed, match="the plugin's code raised ZeroDivisionError")
    with raised, migrator.transaction() as transaction:
        transaction.run(addon.create_tables)
        transaction.run(addon.install)
        transaction.run(lambda db: 1 / 0)
    assert contents(host) == before


def end_the_connection(db: Session) -> None:
    db.execute(sa.text("INSERT INTO sessions (name) VALUES ('x')"))
    db.connection().commit()


def roll_back_the_connection(db: Session) -> None:
    db.connection().rollback()


def close_everything(db: Session) -> None:
    connection = db.connection()
    db.close()
    connection.close()


def commit_by_text(db: Session) -> None:
    db.execute(sa.text("COMMIT"))


def swallow_a_rollback(db: Session) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        db.execute(sa.text("INSERT OR ROLLBACK INTO chat_msgs (text) VALUES (NULL)"))
    raw = db.get_bind().connection.dbapi_connection
    for sql in ("DELETE FROM chat_msgs", "BEGIN", "SAVEPOINT x"):
        with pytest.raises(sqlite3.DatabaseError):
            raw.execute(sql)


@pytest.mark.parametrize(
    "work", [end_the_connection, roll_back_the_connection, close_everything, commit_by_text, swallow_a_rollback]
)
def test_no_code_of_a_plugin_ends_the_transaction(
    host: Path, migrator: Migrator, work: Callable[[Session], None]
) -> None:
    before = contents(host)
    with pytest.raises((MigrationFailed, GuardDenied, Conflict)), migrator.transaction() as transaction:
        transaction.apply([migration(FIRST)])
        transaction.run(work)
        with closing(sqlite3.connect(host)) as other:
            assert not other.execute("SELECT 1 FROM sqlite_master WHERE name = 'chat_a'").fetchall()
        raise Conflict("the plugin got away with it, and nothing must be kept")
    assert contents(host) == before


def test_a_session_of_the_plugin_is_guarded(host: Path, migrator: Migrator) -> None:
    with pytest.raises(GuardDenied, match="may not read table 'users'"), migrator.transaction() as transaction:
        transaction.run(lambda db: db.execute(sa.text("SELECT * FROM users")))


# ── concurrency and crashes ──


def test_readers_go_on_and_a_second_writer_is_told(host: Path, migrator: Migrator) -> None:
    with migrator.transaction() as transaction:
        transaction.apply([migration(FIRST)])
        assert rows(host, "SELECT count(*) FROM users") == [(2,)]
        with pytest.raises(MigrationFailed, match="busy"), Migrator(host, GRANT, busy_timeout_s=0.05).transaction():
            pass


def test_a_transaction_may_move_between_threads(host: Path, migrator: Migrator) -> None:
    with migrator.transaction() as transaction:
        thread = threading.Thread(target=transaction.apply, args=([migration(FIRST)],))
        thread.start()
        thread.join()
    assert rows(host, "SELECT t FROM chat_a") == [("x",)]


def test_check_may_be_asked_before_the_end(migrator: Migrator) -> None:
    with pytest.raises(MigrationFailed), migrator.transaction() as transaction:
        transaction.check()
        transaction.apply([migration("ALTER TABLE sessions RENAME TO settings;")])
        with pytest.raises(MigrationFailed) as caught:
            transaction.check()
        assert {problem.field for problem in caught.value.problems} == {"table settings"}


def test_a_database_that_can_not_be_opened(tmp_path: Path) -> None:
    with pytest.raises(MigrationFailed, match="can't open"), Migrator(tmp_path / "no" / "x.db", GRANT).transaction():
        pass


KILLED = """
    import sys
    from pathlib import Path
    import sqlalchemy as sa
    from sqlite_host import GRANT
    from hotbay.migrate import Migrator
    from hotbay.migrations import Migration

    with Migrator(Path(sys.argv[1]), GRANT).transaction() as transaction:
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
        script = f"CREATE TABLE chat_a (t); INSERT INTO chat_a {numbers} SELECT hex(randomblob(200)) FROM n;"
        transaction.apply([Migration(1, "x", script, "", "")])
        transaction.trusted(lambda db: db.execute(sa.text("DELETE FROM hotbay_live")))
        print("ready", flush=True)
        sys.stdin.read()
"""


def kill_when_ready(script: str, *arguments: str) -> None:
    """Run a Python script until it says it is ready, and SIGKILL it."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_kill_9_in_the_middle_leaves_the_old_state(host: Path, migrator: Migrator) -> None:
    before = contents(host)
    kill_when_ready(KILLED, str(host))
    assert contents(host) == before
    with migrator.transaction() as transaction:
        transaction.apply([migration(FIRST)])
    assert rows(host, "PRAGMA integrity_check") == [("ok",)]


def test_the_checks_see_what_a_transaction_was_given(migrator: Migrator) -> None:
    with migrator.transaction() as transaction:
        assert isinstance(transaction, Transaction)
        assert transaction.snapshot() == transaction.catalogue()


def commit_below_sqlalchemy(db: Session) -> None:
    db.execute(sa.text("INSERT INTO sessions (name) VALUES ('x')"))
    db.connection().connection.commit()


def test_a_commit_of_the_driver_keeps_the_work_for_the_end(host: Path, migrator: Migrator) -> None:
    with migrator.transaction() as transaction:
        transaction.run(commit_below_sqlalchemy)
        assert rows(host, "SELECT name FROM sessions") == []
    assert rows(host, "SELECT name FROM sessions") == [("x",)]


def test_a_failed_fts_table_does_not_make_a_hosts_table_its_shadow(migrator: Migrator) -> None:
    with migrator.transaction() as transaction:
        with pytest.raises((GuardDenied, sqlite3.Error)):
            transaction.execute("CREATE VIRTUAL TABLE notes USING fts5 (a)")
        with pytest.raises(GuardDenied):
            transaction.execute("DELETE FROM notes_data")
