"""Images: whole or not there, compiled for ever, and the same whoever adopts them first."""

from __future__ import annotations

import importlib.util
import multiprocessing
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hotbay.errors import InvalidPackage, NotFound
from hotbay.images import Images, compile_tree
from rows import plugin_folder


@pytest.fixture
def images(tmp_path: Path) -> Images:
    """An empty folder of images."""
    return Images(tmp_path / "images")


def test_a_tree_becomes_an_image(images: Images, tmp_path: Path) -> None:
    tree = plugin_folder(tmp_path / "tree")
    assert not images.has("abc")
    target = images.adopt(tree, "abc")
    assert target == images.path("abc") == tmp_path / "images" / "abc"
    assert not tree.exists()
    assert images.all() == ["abc"]
    assert (target / "backend" / "__init__.py").read_text() == "VERSION = '1.0.0'\n"


def test_python_trusts_the_compiled_code_and_tracebacks_name_the_image(images: Images, tmp_path: Path) -> None:
    tree = plugin_folder(tmp_path / "tree")
    (tree / "backend" / "broken.py").write_text("\n1 / 0\n")
    target = images.adopt(tree, "abc")
    source = target / "backend" / "__init__.py"
    compiled = Path(importlib.util.cache_from_source(str(source))).read_bytes()
    assert int.from_bytes(compiled[4:8], "little") == 0b01  # by hash, and never checked against the source (PEP 552)
    command = [sys.executable, "-B", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import backend.broken"]
    done = subprocess.run([*command, str(target)], capture_output=True, text=True, check=False)
    assert f'File "{target}/backend/broken.py", line 2' in done.stderr


def test_the_second_adoption_takes_what_is_there(images: Images, tmp_path: Path) -> None:
    images.adopt(plugin_folder(tmp_path / "one"), "abc")
    (images.path("abc") / "mark").touch()
    second = plugin_folder(tmp_path / "two")
    images.adopt(second, "abc")
    assert (images.path("abc") / "mark").exists()
    assert not second.exists()


def adopt(root: Path, number: int) -> None:
    Images(root / "images").adopt(root / f"tree{number}", "abc")


def test_many_processes_adopt_the_same(images: Images, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    for number in range(3):
        plugin_folder(tmp_path / f"tree{number}")
    children = [context.Process(target=adopt, args=(tmp_path, number)) for number in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert images.all() == ["abc"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images"]


def test_every_file_that_does_not_compile_is_named_and_nothing_is_kept(images: Images, tmp_path: Path) -> None:
    tree = plugin_folder(tmp_path / "tree")
    (tree / "backend" / "bad.py").write_text("x = 1\nif x\n")
    (tree / "worse.py").write_text("def f(:\n")
    (tree / "null.py").write_bytes(b"a = '\0'\n")
    (tree / "latin.py").write_bytes("x = 'é'\n".encode("latin-1"))
    with pytest.raises(InvalidPackage) as caught:
        images.adopt(tree, "abc")
    files = {problem.file: problem.field for problem in caught.value.problems}
    assert set(files) == {"backend/bad.py", "worse.py", "null.py", "latin.py"}
    assert files["backend/bad.py"] == "line 2"
    assert not images.has("abc")
    assert images.all() == []


def test_a_missing_image_is_named(images: Images) -> None:
    with pytest.raises(NotFound, match="image 0123456789ab… is missing"):
        images.path("0123456789abcdef")


def test_removal_is_whole_and_repeatable(images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images.adopt(plugin_folder(tmp_path / "tree"), "abc")
    images.remove("none")

    def killed(path: Path, **_: object) -> None:
        if path.exists():
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", killed)
        images.remove("abc")
    # What was cut off is no image any more, and is swept.
    assert (images.has("abc"), images.all()) == (False, [])
    assert list(images.folder.iterdir())
    images.sweep()
    assert list(images.folder.iterdir()) == []
    images.adopt(plugin_folder(tmp_path / "tree"), "abc")
    images.remove("abc")
    assert list(images.folder.iterdir()) == []


def test_an_image_that_comes_back_after_a_cut_off_removal_can_go_again(images: Images, tmp_path: Path) -> None:
    images.adopt(plugin_folder(tmp_path / "tree"), "abc")
    plugin_folder(images.folder / ".gone-abc")
    images.remove("abc")
    assert list(images.folder.iterdir()) == []


def test_a_tree_without_python(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    compile_tree(tmp_path / "tree")
    assert list((tmp_path / "tree").iterdir()) == []
