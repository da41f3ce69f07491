"""A package as a folder: what counts, the content hash, copies, limits."""

from __future__ import annotations

import os
import stat
import threading
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from hotbay import folder as subject
from hotbay.errors import InvalidPackage, NotFound, Refused
from hotbay.folder import (
    LIMITS,
    copy_tree,
    digest,
    exchange,
    fresh,
    fsync_dir,
    fsync_tree,
    leftovers,
    make_folder,
    sha256_file,
    tree,
    unfit,
    whole,
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A package with everything that counts and everything that does not."""
    root = tmp_path / "shop"
    for name in (
        "metadata.json", "backend/__init__.py", "backend/größe.py", "backend/__pycache__/x.pyc", "backend/y.pyc",
        ".git/config", "backend/.DS_Store", ".env", "a/.hidden/x", "__MACOSX/x", "a.txt",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


COUNTED = ["a.txt", "backend/__init__.py", "backend/größe.py", "metadata.json"]


def test_the_tree_is_sorted_and_leaves_out_what_is_no_part(shop: Path) -> None:
    assert [path for path, _ in tree(shop)] == COUNTED
    assert all(file == shop / path for path, file in tree(shop))


def test_the_digest_depends_on_names_and_bytes_only(shop: Path) -> None:
    first = digest(shop)
    os.utime(shop / "a.txt", (1, 1))
    (shop / "a.txt").chmod(0o600)
    (shop / ".env").write_text("other")
    (shop / "backend/__pycache__/x.pyc").write_text("other")
    (shop / "empty").mkdir()
    assert digest(shop) == first
    (shop / "a.txt").write_text("other")
    second = digest(shop)
    (shop / "a.txt").rename(shop / "b.txt")
    assert len({first, second, digest(shop)}) == 3


def test_moving_bytes_between_name_and_content_changes_the_digest(tmp_path: Path) -> None:
    for name, content in (("one", {"ab": "c"}), ("two", {"a": "bc"}), ("three", {"a": "", "b": "c"})):
        (tmp_path / name).mkdir()
        for path, text in content.items():
            (tmp_path / name / path).write_text(text)
    assert len({digest(tmp_path / name) for name in ("one", "two", "three")}) == 3


@pytest.mark.parametrize("name", ["link", "backend/link"])
def test_links_are_refused(shop: Path, name: str) -> None:
    (shop / name).symlink_to(shop / "a.txt")
    with pytest.raises(InvalidPackage, match="link: is a link"):
        digest(shop)
    with pytest.raises(InvalidPackage):
        copy_tree(shop, shop.parent / "copy")
    assert sorted(path.name for path in shop.parent.iterdir()) == ["shop"]


def test_links_among_what_is_left_out_do_not_matter(shop: Path) -> None:
    (shop / ".venv").symlink_to("/")
    assert [path for path, _ in tree(shop)] == COUNTED


def test_special_files_and_unfit_names_are_refused(shop: Path) -> None:
    os.mkfifo(shop / "pipe")
    with pytest.raises(InvalidPackage, match="neither file nor folder"):
        tree(shop)
    (shop / "pipe").unlink()
    for name in ("a\nb", "a\\b", "README", "readme", b"\xff".decode(errors="surrogateescape")):
        (shop / name).write_text("")
        if name == "README":
            continue
        with pytest.raises(InvalidPackage) as caught:
            tree(shop)
        str(caught.value).encode()
        (shop / name).unlink()


def test_every_control_character_and_mark_of_direction_is_refused_and_no_other() -> None:
    wrong = {chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cc", "Cs", "Zl", "Zp")}
    wrong |= {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
    refused = {chr(code) for code in range(0x110000) if "control" in unfit(f"a{chr(code)}b")}
    assert refused == wrong


def test_limits_hold_for_folders(shop: Path) -> None:
    for limits in (replace(LIMITS, files=3), replace(LIMITS, file=3), replace(LIMITS, total=20)):
        with pytest.raises(InvalidPackage, match="more than"):
            tree(shop, limits)


def test_a_copy_is_exactly_the_tree(shop: Path) -> None:
    (shop / "a.txt").chmod(0o777)
    assert copy_tree(shop, shop.parent / "new" / "copy") == digest(shop)
    copy = shop.parent / "new" / "copy"
    assert sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()) == COUNTED
    assert stat.S_IMODE((copy / "a.txt").stat().st_mode) == 0o644
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]
    with pytest.raises(Refused, match="exists already"):
        copy_tree(shop, copy)


def test_fresh_leaves_nothing_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError), fresh(tmp_path / "into") as temporary:
        (temporary / "file").write_text("x")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_found(tmp_path: Path) -> None:
    with pytest.raises(KeyError), fresh(tmp_path / "a[b]") as temporary:
        (tmp_path / ".ab.0123456789abcdef.part").mkdir()
        assert leftovers(tmp_path / "a[b]") == [temporary]
        raise KeyError


def test_folders_are_made_with_names_that_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(subject, "fsync_dir", flushed.append)
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert sorted(flushed) == [tmp_path, tmp_path / "a"]
    make_folder(tmp_path / "a" / "b")
    assert len(flushed) == 2


def test_links_in_a_folder_are_not_followed_to_be_flushed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "there").symlink_to("file")
    (tmp_path / "nowhere").symlink_to("missing")
    (tmp_path / "up").symlink_to("..")
    fsync_tree(tmp_path)


@pytest.mark.parametrize("slow", [-1.0, 60.0])
def test_every_file_and_folder_is_flushed_whatever_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: float
) -> None:
    for number in range(12):
        (tmp_path / f"f{number % 3}").mkdir(exist_ok=True)
        (tmp_path / f"f{number % 3}" / f"{number}").touch()
    flushed: list[tuple[str, bool]] = []
    real = os.fsync

    def fsync(number: int) -> None:
        flushed.append(
            (Path(f"/proc/self/fd/{number}").resolve().name, threading.current_thread().name == "MainThread")
        )
        real(number)

    monkeypatch.setattr(subject.os, "fsync", fsync)
    monkeypatch.setattr(subject, "_SLOW_SECONDS", slow)
    fsync_tree(tmp_path)
    names = [name for name, _ in flushed]
    assert sorted(names[:12]) == sorted(map(str, range(12))), "contents come before names"
    assert sorted(names[12:]) == sorted(["f0", "f1", "f2", tmp_path.name])
    assert all(main for _, main in flushed) == (slow > 0), "several at a time where each takes long"


def test_everything_is_synced_before_the_rename(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    real_fsync, real_rename = os.fsync, Path.rename

    def fsync(number: int) -> None:
        done.append(Path(f"/proc/self/fd/{number}").resolve().name)
        real_fsync(number)

    def rename(self: Path, target: Path) -> Path:
        done.append("RENAME")
        return real_rename(self, target)

    monkeypatch.setattr(subject.os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    copy_tree(shop, shop.parent / "copy")
    before, after = done[: done.index("RENAME")], done[done.index("RENAME") + 1 :]
    assert {"a.txt", "größe.py", "backend"} <= set(before)
    assert after == [shop.parent.name]


def test_missing_things_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no folder"):
        tree(tmp_path / "none")
    with pytest.raises(NotFound, match="no file"):
        sha256_file(tmp_path / "none")
    fsync_dir(tmp_path)


def test_sha256_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_two_folders_exchange_their_names(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not exchange(tmp_path / "one", tmp_path / "other"):
        pytest.skip("this file system can't")
    assert (tmp_path / "one" / "other").exists() and (tmp_path / "other" / "one").exists()
    assert not exchange(tmp_path / "one", tmp_path / "missing")
    assert (tmp_path / "one" / "other").exists()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("before")
    with pytest.raises(ValueError, match="on purpose"), whole(target) as temporary:
        temporary.write_text("half")
        assert target.read_text() == "before"
        raise ValueError("on purpose")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with whole(target) as temporary:
        temporary.write_text("after")
        assert target.read_text() == "before"
    assert (target.read_text(), len(list(tmp_path.iterdir()))) == ("after", 1)
