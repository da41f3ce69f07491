"""The files and tables of an installed plugin."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.desks import Desk, opened
from hotbay import belongings
from hotbay.errors import NotFound


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path) as made:
        script = (
            "CREATE TABLE notes_rows (id INTEGER PRIMARY KEY, text TEXT);"
            "CREATE INDEX notes_rows_text ON notes_rows (text);"
            "CREATE VIRTUAL TABLE notes_words USING fts5(text);"
        )
        made.pack(files={"migrations/up.sql": script, "migrations/down.sql": ""}, database={"reads": ["customers"]})
        made.install()
        yield made


def test_files_of_the_code_and_of_its_own_folder(desk: Desk) -> None:
    own = desk.hotbay.settings.data / "notes"
    (own / "deep").mkdir(parents=True, exist_ok=True)
    (own / "deep" / "one.bin").write_bytes(b"x" * 300)
    (own / "elsewhere").symlink_to("/etc")
    found = desk.get("/files/notes")
    code = {one["name"]: one["bytes"] for one in found["code"]["files"]}
    assert code["README.md"] == len("# notes 1.0.0\n") and "backend/routes.py" in code
    assert not any("__pycache__" in name for name in code)
    data = {one["name"]: one["bytes"] for one in found["data"]["files"]}
    assert data["deep/one.bin"] == 300 and set(data) == {"deep/one.bin", "elsewhere"}
    assert found["data"]["bytes"] == sum(data.values()) and found["data"]["count"] == 2


def test_very_many_files_are_counted_and_not_all_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(belongings, "SHOWN", 2)
    for name in "cab":
        (tmp_path / name).write_text(name)
    found = belongings.folder(tmp_path)
    assert (found.files, found.count, found.bytes) == ((("a", 1), ("b", 1)), 3, 3)
    assert belongings.folder(tmp_path / "nowhere").count == 0


def test_tables_with_their_rows_and_bytes(desk: Desk) -> None:
    with sqlite3.connect(desk.hotbay.settings.database_path) as connection:
        connection.executemany("INSERT INTO notes_rows (text) VALUES (?)", [("x" * 3000,)] * 40)
        connection.execute("INSERT INTO notes_words VALUES ('some words')")
    connection.close()
    found = desk.get("/tables/notes")
    assert [(one["name"], one["rows"]) for one in found["tables"]] == [("notes_rows", 40), ("notes_words", 1)]
    rows, words = found["tables"]
    assert rows["columns"] == ["id", "text"]
    assert rows["bytes"] > 2 * 40 * 3000, "the index is as large as the table"
    assert words["bytes"] >= 4096, "FTS5 keeps it in tables of its own"
    assert (found["reads"], found["rows"], found["bytes"]) == (["customers"], 41, rows["bytes"] + words["bytes"])


def test_nothing_of_what_is_not_installed(desk: Desk) -> None:
    for path in ("/files/other", "/tables/other", "/activity/other"):
        assert desk.get(path, 404)["code"] == "not-found"
    with pytest.raises(NotFound):
        belongings.tables(desk.hotbay.settings, desk.hotbay.store, "other")


def test_how_it_fared(desk: Desk) -> None:
    desk.client.get("/api/v1/notes/version")
    desk.client.get("/api/v1/notes/version")
    found = desk.get("/activity/notes")
    assert (found["addon_id"], found["total"]["requests"], len(found["spans"])) == ("notes", 2, 48)
