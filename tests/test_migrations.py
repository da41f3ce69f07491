"""Which files of a package are its migrations, and how they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotbay.errors import InvalidPackage
from hotbay.migrations import checksum, read_migrations


def package(root: Path, **files: str) -> Path:
    """A folder with migrations; in the names `__` stands for a dot."""
    (root / "migrations").mkdir(exist_ok=True)
    for name, text in files.items():
        (root / "migrations" / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return root


def test_a_package_without_migrations(tmp_path: Path) -> None:
    assert read_migrations(tmp_path) == []


def test_up_and_down_are_number_one(tmp_path: Path) -> None:
    package(tmp_path, up__sql="CREATE TABLE a (b);", down__sql="DROP TABLE a;")
    (only,) = read_migrations(tmp_path)
    assert (only.number, only.name, only.up, only.down) == (1, "initial", "CREATE TABLE a (b);", "DROP TABLE a;")
    assert (only.up_file, only.down_file) == ("migrations/up.sql", "migrations/down.sql")


def test_numbers_are_numbers_and_come_in_order(tmp_path: Path) -> None:
    package(tmp_path, **{"0010_b.up.sql": "SELECT 1;", "9_a.up.sql": "SELECT 1;", "up.sql": "SELECT 1;"})
    assert [(one.number, one.name, one.down) for one in read_migrations(tmp_path)] == [
        (1, "initial", None),
        (9, "a", None),
        (10, "b", None),
    ]


def test_the_script_for_sqlite_wins_and_that_for_postgres_is_left_alone(tmp_path: Path) -> None:
    names = {"2_a.up.sql": "SELECT 1;", "2_a.sqlite.up.sql": "SELECT 2;", "2_a.postgres.up.sql": "SELECT '"}
    (only,) = read_migrations(package(tmp_path, **names))
    assert only.up == "SELECT 2;"


def test_every_problem_is_listed_at_once(tmp_path: Path) -> None:
    package(tmp_path, **{"up.sql": "SELECT 1;", "0001_a.up.sql": "SELECT 1;", "2_x.down.sql": "", "x.sql": ""})
    package(tmp_path, **{"3_a.up.sql": "SELECT 'open", "4_a.postgres.up.sql": "", "0_a.up.sql": ""})
    (tmp_path / "migrations" / "5_a.up.sql").write_bytes(b"SELECT '\xff';")
    (tmp_path / "migrations" / "6_a.up.sql").write_bytes(b"SELECT '\0';")
    with pytest.raises(InvalidPackage) as caught:
        read_migrations(tmp_path)
    found = {(problem.file, problem.rule) for problem in caught.value.problems}
    assert found == {
        ("migrations/x.sql", "is no migration's name"),
        ("migrations/0_a.up.sql", "is no migration's name"),
        ("migrations/2_x.down.sql", "has no up script for SQLite"),
        ("migrations/4_a.postgres.up.sql", "has no up script for SQLite"),
        ("migrations/3_a.up.sql", "never ends"),
        ("migrations/5_a.up.sql", "is not UTF-8 (byte 8)"),
        ("migrations/6_a.up.sql", "has a NUL character in it"),
        ("migrations", "is there twice"),
    }
    assert all(problem.mend for problem in caught.value.problems)


def test_a_byte_order_mark_and_line_ends_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "up.sql").write_bytes("\ufeffSELECT 1;\r\nSELECT 2;".encode())
    (only,) = read_migrations(tmp_path)
    assert only.up.splitlines() == ["SELECT 1;", "SELECT 2;"]
    assert only.checksum == checksum("SELECT 1;\nSELECT 2;") != checksum("SELECT 1;\n\nSELECT 2;")


def test_a_contract_script_belongs_to_its_number(tmp_path: Path) -> None:
    package(tmp_path, up__sql="CREATE TABLE a (b, c);", contract__sql="SELECT 1;")
    names = {"2_x.up.sql": "SELECT 2;", "2_x.contract.sql": "SELECT 3;", "2_x.sqlite.contract.sql": "SELECT 4;"}
    package(tmp_path, **names, **{"3_y.contract.sql": "SELECT 5;"})
    found = [(one.title, one.up, one.contract, one.contract_file) for one in read_migrations(tmp_path)]
    assert found == [
        ("0001_initial", "CREATE TABLE a (b, c);", "SELECT 1;", "migrations/contract.sql"),
        ("0002_x", "SELECT 2;", "SELECT 4;", "migrations/2_x.sqlite.contract.sql"),
        ("0003_y", "", "SELECT 5;", "migrations/3_y.contract.sql"),
    ]


def test_a_contract_script_under_another_name_is_another_migration(tmp_path: Path) -> None:
    package(tmp_path, **{"2_x.up.sql": "SELECT 2;", "2_y.contract.sql": "SELECT 'open"})
    with pytest.raises(InvalidPackage) as caught:
        read_migrations(tmp_path)
    assert {problem.rule for problem in caught.value.problems} == {"is there twice", "never ends"}
