"""A cell: empty environment, limits, and only the files that are needed."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hotbay.errors import InvalidPackage, StateError
from hotbay.frontend import cell, sandbox


def program(folder: Path, body: str) -> Path:
    """A program that is a script of this Python."""
    file = folder / "program"
    file.write_text(f"#!{sys.executable} -S\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


@pytest.fixture(autouse=True)
def _unconfined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python needs its library: of the cell only environment and limits remain."""
    monkeypatch.setattr(sandbox, "_bubblewrap", lambda program: "")
    real = sandbox._in_cell
    monkeypatch.setattr(sandbox, "_in_cell", lambda about, folder, text: real(about | {"read": []}, folder, text))


def test_nothing_of_the_hosts_environment_gets_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    said = sandbox.run(program(tmp_path, "import os; print(sorted(os.environ), os.getcwd())"), [], tmp_path)
    assert said.code == 0
    assert said.out.strip() in (f"[] {tmp_path}", f"['LC_CTYPE'] {tmp_path}")


def test_arguments_code_and_both_streams(tmp_path: Path) -> None:
    body = "import sys; print(sys.argv[1:]); print('no', file=sys.stderr); sys.exit(3)"
    said = sandbox.run(program(tmp_path, body), ["a b", "--c"], tmp_path)
    assert (said.code, said.out, said.err) == (3, "['a b', '--c']\n", "no\n")


def test_what_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_CPU_SECONDS", 1)
    with pytest.raises(InvalidPackage, match="processor time"):
        sandbox.run(program(tmp_path, "while True: pass"), [], tmp_path)
    monkeypatch.setattr(sandbox, "_WALL_SECONDS", 1)
    with pytest.raises(InvalidPackage, match="processor time"):
        sandbox.run(program(tmp_path, "import time; time.sleep(99)"), [], tmp_path)


def test_files_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_FILE_BYTES", 100_000)
    body = "open('big', 'wb').write(b'x' * 10**6)"
    assert sandbox.run(program(tmp_path, body), [], tmp_path).code != 0
    assert (tmp_path / "big").stat().st_size <= 100_000


def test_landlock_leaves_only_what_is_named(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "file").write_text("x")
    paths = [str(path) for path in (inside / "file", outside / "file", Path("/etc/passwd"))]
    done = subprocess.run(
        [sys.executable, "-c", _TRY, cell.__file__, str(inside), *paths], capture_output=True, text=True
    )
    if done.stdout.startswith("[False"):
        pytest.skip("this kernel has no Landlock")
    assert done.stdout == "[True, True, False, False]\n", done.stderr


_TRY = """
import runpy, sys
cell = runpy.run_path(sys.argv[1])
found = [cell["confine"]([], [sys.argv[2]])]
for path in sys.argv[3:]:
    try:
        found.append(bool(open(path).read()))
    except OSError:
        found.append(False)
print(found)
"""


def test_without_quickjs_it_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StateError, match="QuickJS is missing"):
        sandbox.evaluate("1", tmp_path)


def test_values_and_errors_of_scripts(tmp_path: Path) -> None:
    assert sandbox.evaluate("JSON.stringify({ a: [1, 'ä'] })", tmp_path) == '{"a":[1,"ä"]}'
    with pytest.raises(InvalidPackage, match="is not defined"):
        sandbox.evaluate("nothing", tmp_path)
