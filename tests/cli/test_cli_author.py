"""Verbs for authors: new, check, pack."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from terminal import Terminal

from hotbay.package import read_manifest, sha256_file


def test_a_new_plugin_is_clean_and_its_own_tests_pass(terminal: Terminal) -> None:
    found = terminal.json("new", "guest_book", "--author", "Ada")
    folder = Path(found["folder"])
    assert folder == terminal.folder / "guest_book"
    assert sorted(found["files"]) == sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )
    report = terminal.json("check", "guest_book")
    assert (report["ok"], report["errors"], report["warnings"]) == (True, [], [])
    manifest = read_manifest(folder)
    assert (manifest.name, manifest.author, manifest.version) == ("Guest Book", "Ada", "0.1.0")
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)], cwd=folder,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "3 passed" in tests.stdout, tests.stdout + tests.stderr


def test_a_new_plugin_installs_from_where_new_put_it(terminal: Terminal) -> None:
    told = terminal.run("new", "guest_book").stdout
    next_step = told.splitlines()[-1].removeprefix("next: hotbay ").split()
    terminal.run(*next_step)
    assert terminal.state() == {"guest_book": ("0.1.0", "active")}
    assert terminal.tables() == {"guest_book_notes"}
    assert terminal.json("info", "guest_book")["installed"]["routes"] == [
        "GET /api/v1/guest_book", "POST /api/v1/guest_book",
    ]  # fmt: skip


def test_new_code_is_as_tidy_as_ours(terminal: Terminal) -> None:
    terminal.run("new", "a_rather_long_name_for_a_plugin_of_this_kind", "--name", 'Says "hi" \\ and $more')
    folder = terminal.folder / "a_rather_long_name_for_a_plugin_of_this_kind"
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length", "120", "--select", "E,F,I,UP,B"]
    done = subprocess.run([*ruff, str(folder)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout
    assert json.loads((folder / "metadata.json").read_text())["name"] == 'Says "hi" \\ and $more'


@pytest.mark.parametrize("wrong", ["Guest", "guest-book", "1st", "api", "json", "x" * 65, "../up"])
def test_new_refuses_ids_that_no_host_would_take(terminal: Terminal, wrong: str) -> None:
    assert terminal.json("new", wrong, code=3)["code"] == "invalid-manifest"
    assert not (terminal.folder / wrong).exists()


def test_new_overwrites_nothing(terminal: Terminal) -> None:
    (terminal.folder / "mine").mkdir()
    (terminal.folder / "mine" / "work.py").write_text("x")
    assert "not empty" in terminal.run("new", "shop", "--dir", "mine", code=5).stderr
    assert [path.name for path in (terminal.folder / "mine").iterdir()] == ["work.py"]
    assert terminal.run("new", "shop", "--dir", "other/place").stdout.endswith("hotbay install ./other/place\n")


def test_check_tells_every_problem_and_exits_3(terminal: Terminal) -> None:
    folder = terminal.plugin(version="1.0")
    assert terminal.run("check", str(folder)).stdout == "shop 1.0: 0 errors, 0 warnings\n"
    (folder / "backend" / "routes.py").write_text("def broken(:\n")
    (folder / "README.md").unlink()
    done = terminal.run("check", str(folder), code=3)
    assert "error: backend/routes.py: line 1: no valid Python" in done.stdout
    assert "warning: (package): README is missing" in done.stdout
    assert done.stdout.splitlines()[-1] == "shop 1.0: 1 error, 1 warning"
    report = terminal.json("check", str(folder), code=3)
    assert (report["ok"], len(report["errors"])) == (False, 1)
    terminal.run("check", "nothing.zip", code=4)


def test_check_reads_archives(terminal: Terminal) -> None:
    assert terminal.json("check", str(terminal.offer()))["id"] == "shop"
    (terminal.folder / "bad.zip").write_bytes(b"PK")
    assert terminal.json("check", "bad.zip", code=3)["errors"]


def test_pack_builds_the_same_bytes(terminal: Terminal) -> None:
    folder = terminal.plugin()
    first = terminal.json("pack", str(folder), "-o", "one")
    second = terminal.json("pack", str(folder), "--output", "two")
    assert first["sha256"] == second["sha256"] == sha256_file(Path(second["path"]))
    assert Path(first["path"]) == terminal.folder / "one" / "shop_v1.0.0.zip"
    assert terminal.json("pack", str(folder), "--tar")["path"].endswith("authors/shop_v1.0.0.tar.gz")
    assert first["sha256"] in terminal.run("pack", str(folder), "-o", "one").stdout
    terminal.run("pack", "nothing", code=2)
    terminal.run("pack", str(terminal.modules), code=3)
