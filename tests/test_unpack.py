"""Attacks on the unpacker: every hostile archive is refused, nothing is written outside, nothing is left behind."""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotbay.errors import BadInput, InvalidManifest, InvalidPackage, NotFound, Refused
from hotbay.folder import LIMITS, Limits
from hotbay.unpack import archive_manifest, unpack

MANIFEST = b'{"id": "shop", "name": "Shop", "version": "1.0.0"}'
SMALL = Limits(files=20, file=4 << 20, total=6 << 20, archive=1 << 20, manifest=1000)


@dataclass(frozen=True)
class Z:
    """One entry of a zip, every number of which can lie."""

    name: bytes | str
    data: bytes = b"x"
    mode: int = 0o100644
    flags: int = 0
    method: int = 0
    local_name: bytes | None = None
    local_flags: int | None = None
    packed: bytes | None = None
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    offset: int | None = None
    local_size: int | None = None
    disk: int = 0


M = Z("metadata.json", MANIFEST)


def deflated(data: bytes) -> bytes:
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return engine.compress(data) + engine.flush()


def zipped(*entries: Z, before: bytes = b"", after: bytes = b"", gap: bytes = b"", comment: bytes = b"") -> bytes:
    body, directory = before, b""
    for one in entries:
        name = one.name.encode() if isinstance(one.name, str) else one.name
        packed = one.packed if one.packed is not None else deflated(one.data) if one.method == 8 else one.data
        size = len(one.data) if one.size is None else one.size
        crc = zlib.crc32(one.data) if one.crc is None else one.crc
        length = len(packed) if one.packed_size is None else one.packed_size
        flags = one.flags | (0 if name.isascii() else 0x800)
        local = name if one.local_name is None else one.local_name
        local_size = size if one.local_size is None else one.local_size
        offset = len(body) if one.offset is None else one.offset
        local_flags = flags if one.local_flags is None else one.local_flags
        body += struct.pack(
            "<4s5H3L2H", b"PK\3\4", 20, local_flags, one.method, 0, 33, crc, length, local_size, len(local), 0
        )
        body += local + packed
        directory += struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 0x0314, 20, flags, one.method, 0, 33, crc, length, size,
            len(name), 0, 0, one.disk, 0, one.mode << 16, offset,
        )  # fmt: skip
        directory += name
    count = len(entries)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), len(comment))
    return body + gap + directory + end + comment + after


def header(
    name: bytes, size: int = 0, kind: bytes = b"0", *, link: bytes = b"", prefix: bytes = b"", raw: bytes = b""
) -> bytes:
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:108] = b"0006777\0"
    block[124:136] = raw or b"%011o\0" % size
    block[136:148] = b"00000000000\0"
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257:265] = b"ustar\x0000"
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def file(name: bytes | str, data: bytes = b"x", kind: bytes = b"0") -> bytes:
    raw = name.encode() if isinstance(name, str) else name
    return header(raw, len(data), kind) + data + bytes(-len(data) % 512)


TM = file("metadata.json", MANIFEST)
END = bytes(1024)


def tarred(*parts: bytes, end: bytes = END) -> bytes:
    return gzip.compress(b"".join(parts) + end, mtime=0)


def pax(values: bytes, kind: bytes = b"x") -> bytes:
    return file("PaxHeaders/x", values, kind)


def record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length += 1
    return str(length).encode() + body


BROKEN_SUM = bytearray(file("a"))
BROKEN_SUM[148:154] = b"000000"
ZEROS = bytes(5 << 20)
PACKED_ZEROS = deflated(ZEROS)
INNER = zipped(Z("b", b"z"))[:32]

ZIPS: dict[str, bytes] = {
    "absolute": zipped(M, Z("/etc/passwd")),
    "parent": zipped(M, Z("../outside")),
    "parent inside": zipped(M, Z("a/../../outside")),
    "parent at the end": zipped(M, Z("a/..")),
    "dot inside": zipped(M, Z("a/./b")),
    "double slash": zipped(M, Z("a//b")),
    "backslash": zipped(M, Z("..\\outside")),
    "drive": zipped(M, Z("C:/outside")),
    "stream": zipped(M, Z("a:b")),
    "nul in the name": zipped(M, Z(b"a\0b")),
    "line break in the name": zipped(M, Z("a\nb")),
    "escape in the name": zipped(M, Z("a\x1b[2Jb")),
    "bidi in the name": zipped(M, Z("a\u202egnp.py")),
    "not UTF-8": zipped(M, Z(b"a\xff", flags=0x800)),
    "not marked as UTF-8": zipped(M, changed(Z(b"caf\xc3\xa9"), flags=0)).replace(b"\x00\x08\x00\x00", b"\0\0\0\0"),
    "long name": zipped(M, Z("a" * 256)),
    "long path": zipped(M, Z("/".join(["a" * 200] * 6))),
    "deep": zipped(M, Z("/".join("a" * 33))),
    "trailing dot": zipped(M, Z("a./b")),
    "trailing blank": zipped(M, Z("a ")),
    "empty name": zipped(M, Z("")),
    "symlink": zipped(M, Z("link", b"/etc/passwd", mode=stat.S_IFLNK | 0o777)),
    "symlink then a file through it": zipped(M, Z("l", b"/tmp", mode=stat.S_IFLNK | 0o777), Z("l/x")),
    "fifo": zipped(M, Z("pipe", b"", mode=stat.S_IFIFO | 0o644)),
    "device": zipped(M, Z("dev", b"", mode=stat.S_IFCHR | 0o644)),
    "socket": zipped(M, Z("sock", b"", mode=stat.S_IFSOCK | 0o644)),
    "folder mode without a slash": zipped(M, Z("a", b"", mode=stat.S_IFDIR | 0o755)),
    "folder with content": zipped(M, Z("a/", b"data", mode=0)),
    "twice": zipped(M, Z("a"), Z("a")),
    "manifest twice": zipped(M, M),
    "case": zipped(M, Z("readme"), Z("README")),
    "case of folders": zipped(M, Z("backend/a"), Z("Backend/b")),
    "sharp s": zipped(M, Z("stra\u00dfe"), Z("STRASSE")),
    "accents": zipped(M, Z("\u00e9"), Z("e\u0301")),
    "file and folder": zipped(M, Z("a"), Z("a/b")),
    "folder and file": zipped(M, Z("a/b"), Z("a")),
    "overlap": zipped(M, Z("a", INNER), Z("b", b"z", offset=30 + 13 + len(MANIFEST) + 31)),
    "same bytes twice": zipped(M, Z("a", b"abc"), changed(Z("a2", b"abc"), offset=len(MANIFEST) + 43)),
    "into the directory": zipped(M, Z("a", method=8, packed_size=200)),
    "encrypted": zipped(M, Z("a", flags=1)),
    "strongly encrypted": zipped(M, Z("a", flags=0x40)),
    "encrypted locally only": zipped(M, Z("a", local_flags=1)),
    "directory masked": zipped(M, Z("a", flags=0x2000)),
    "patch data": zipped(M, Z("a", flags=0x20)),
    "lzma": zipped(M, Z("a", method=14)),
    "other disk": zipped(M, Z("a", disk=1)),
    "other name in the header": zipped(M, Z("a", local_name=b"b")),
    "longer name in the header": zipped(M, Z("a", local_name=b"../../b")),
    "other size in the header": zipped(M, Z("a", local_size=7)),
    "header elsewhere": zipped(M, Z("a", offset=3)),
    "header beyond the end": zipped(M, Z("a", offset=1 << 30)),
    "stored with two sizes": zipped(M, Z("a", size=1 << 20)),
    "wrong crc": zipped(M, Z("a", crc=1)),
    "says less than it holds": zipped(M, Z("a", b"x" * 900, method=8, size=9, crc=zlib.crc32(b"x" * 9))),
    "says more than it holds": zipped(M, Z("a", b"x" * 9, method=8, size=900)),
    "rest behind the stream": zipped(M, Z("a", b"x", method=8, packed=deflated(b"x") + b"hidden")),
    "stream without an end": zipped(M, Z("a", b"x" * 999, method=8, packed=deflated(b"x" * 999)[:-4])),
    "no deflate at all": zipped(M, Z("a", method=8, packed=b"\xff\xff\xff")),
    "bomb": zipped(M, Z("a", ZEROS, method=8, packed=PACKED_ZEROS)),
    "bomb that says it is small": zipped(M, Z("a", ZEROS, method=8, packed=PACKED_ZEROS, size=10)),
    "bomb within the sizes": zipped(M, Z("a", bytes(3 << 20), method=8)),
    "bomb that is ignored": zipped(M, Z(".a", ZEROS, method=8, packed=PACKED_ZEROS)),
    "many small bombs": zipped(M, *(Z(f"a{n}", bytes(1 << 20), method=8) for n in range(8))),
    "too many files": zipped(M, *(Z(f"f{n}") for n in range(20))),
    "too many folders": zipped(M, Z("/".join(f"d{n}" for n in range(25)))),
    "too large": zipped(M, Z("a", os.urandom(1 << 20))),
    "something in front": zipped(M, Z("a"), before=b"#!/bin/sh\n"),
    "zip in front": zipped(Z("evil")) + zipped(M),
    "hidden entry in front": zipped(M, before=zipped(Z("evil"))[:35]),
    "something behind": zipped(M, after=b"tail"),
    "something between": zipped(M, gap=b"gap"),
    "second end record": zipped(M, comment=zipped(Z("evil"))[-22:]),
    "cut off": zipped(M, Z("a"))[:-30],
    "end record only in part": zipped(M)[:-3],
    "broken directory": zipped(M, Z("a")).replace(b"PK\1\2", b"PK\1\0"),
    "name beyond the directory": zipped(M, Z("abc"))[:-25] + zipped(M, Z("abc"))[-22:],
    "empty zip": zipped(),
    "no manifest": zipped(Z("a")),
    "manifest in a folder": zipped(Z("shop/metadata.json", MANIFEST)),
    "manifest in another case": zipped(Z("Metadata.json", MANIFEST)),
    "manifest is a folder": zipped(Z("metadata.json/", b"", mode=0)),
    "manifest too large": zipped(Z("metadata.json", MANIFEST + b" " * 1000)),
    "manifest broken": zipped(Z("metadata.json", b"{")),
    "manifest of no use": zipped(Z("metadata.json", b'{"id": "Shop"}')),
}
TARS: dict[str, bytes] = {
    "tar absolute": tarred(TM, file("/etc/passwd")),
    "tar parent": tarred(TM, file("../outside")),
    "tar parent by prefix": tarred(TM, header(b"outside", prefix=b"..")),
    "tar parent by pax": tarred(TM, pax(record(b"path", b"../outside")), file("a")),
    "tar parent by long name": tarred(TM, file("././@LongLink", b"../outside\0", b"L"), file("a")),
    "tar symlink": tarred(TM, header(b"l", kind=b"2", link=b"/etc/passwd")),
    "tar symlink to a parent then through it": tarred(TM, header(b"l", kind=b"2", link=b".."), file("l/outside")),
    "tar hardlink": tarred(TM, header(b"l", kind=b"1", link=b"/etc/passwd")),
    "tar hardlink inside": tarred(TM, header(b"l", kind=b"1", link=b"metadata.json")),
    "tar character device": tarred(TM, header(b"d", kind=b"3")),
    "tar block device": tarred(TM, header(b"d", kind=b"4")),
    "tar fifo": tarred(TM, header(b"d", kind=b"6")),
    "tar sparse": tarred(TM, file("d", kind=b"S")),
    "tar pax sparse": tarred(TM, pax(record(b"GNU.sparse.major", b"1")), file("a")),
    "tar unknown kind": tarred(TM, file("d", kind=b"Z")),
    "tar long link name": tarred(TM, file("././@LongLink", b"x\0", b"K"), file("a")),
    "tar not UTF-8": tarred(TM, file(b"a\xff")),
    "tar control": tarred(TM, file(b"a\x07")),
    "tar twice": tarred(TM, file("a"), file("./a")),
    "tar case": tarred(TM, file("a"), file("A")),
    "tar file and folder": tarred(TM, file("a"), file("a/b")),
    "tar folder with content": tarred(TM, file("a", b"data", b"5")),
    "tar wrong checksum": tarred(TM, bytes(BROKEN_SUM)),
    "tar base 256 size": tarred(TM, header(b"a", raw=b"\x80" + bytes(10) + b"\1") + b"x" + bytes(511)),
    "tar file too large": tarred(TM, file("a", ZEROS)),
    "tar says more than it holds": tarred(TM, header(b"a", 1 << 20), end=b""),
    "tar size by pax": tarred(TM, pax(record(b"size", b"99999999")), file("a")),
    "tar pax without an end": tarred(TM, pax(b"99 path=x\n"), file("a")),
    "tar pax without a number": tarred(TM, pax(b"xx path=x\n"), file("a")),
    "tar huge pax": tarred(TM, pax(record(b"comment", os.urandom(35_000).hex().encode())), file("a")),
    "tar pax at the end": tarred(TM, pax(record(b"path", b"b"))),
    "tar pax for ever": tarred(TM, *[pax(record(b"path", b"b"))] * 9, file("a")),
    "tar global path": tarred(TM, pax(record(b"path", b"b"), b"g"), file("a")),
    "tar without an end": tarred(TM, end=b""),
    "tar half an end": tarred(TM, end=bytes(100)),
    "tar something behind": tarred(TM, end=END + file("late")),
    "tar too many": tarred(TM, *(file(f"f{n}") for n in range(20))),
    "tar too many folder entries": tarred(TM, *[header(b"./", kind=b"5")] * 30),
    "tar without manifest": tarred(file("a")),
    "tar manifest in a folder": tarred(file("shop/metadata.json", MANIFEST)),
    "tar manifest is a link": tarred(header(b"metadata.json", kind=b"2", link=b"/etc/passwd")),
    "tar manifest too large": tarred(file("metadata.json", MANIFEST + b" " * 1000)),
    "gzip bomb behind the end": tarred(TM, end=END + bytes(20 << 20)),
    "gzip bomb as padding": tarred(TM, end=END + bytes(3 << 20)),
    "gzip cut off": tarred(TM, file("a"))[:-12],
    "gzip wrong checksum": tarred(TM)[:-8] + b"\0" * 8,
    "gzip second member": tarred(TM) + tarred(TM),
    "gzip something behind": tarred(TM) + b"tail",
    "gzip of nothing": gzip.compress(b""),
    "gzip header only": b"\x1f\x8b\x08",
    "gzip of a zip": gzip.compress(zipped(M)),
}
OTHER: dict[str, bytes] = {
    "empty": b"",
    "text": b"hello",
    "plain tar": TM + END,
    "executable": b"\x7fELF" + bytes(100),
    "seven zip": b"7z\xbc\xaf\x27\x1c",
    "bzip2": b"BZh91AY&SY",
    "PK only": b"PK\3\4",
}
HOSTILE = ZIPS | TARS | OTHER


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that holds nothing but the archive; writes outside `into` show in `tmp_path`."""
    (tmp_path / "deep" / "in").mkdir(parents=True)
    return tmp_path / "deep" / "in"


def everything(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused_and_leave_nothing(name: str, place: Path, tmp_path: Path) -> None:
    archive = place / "package.bin"
    archive.write_bytes(HOSTILE[name])
    before = everything(tmp_path)
    with pytest.raises((InvalidPackage, InvalidManifest)) as caught:
        unpack(archive, place / "into", SMALL)
    assert everything(tmp_path) == before
    assert "\n" not in caught.value.message
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("parent", "no parent paths"),
        ("symlink", "is a link or a device"),
        ("tar hardlink", "is a link"),
        ("case", "differs from 'readme' in case or accents only"),
        ("overlap", "overlaps"),
        ("same bytes twice", "differ"),
        ("encrypted", "is encrypted"),
        ("into the directory", "overlaps"),
        ("bomb within the sizes", "200 times its packed size"),
        ("hidden entry in front", "in front of the first entry"),
        ("tar huge pax", "too long"),
        ("bomb", "larger than"),
        ("bomb that says it is small", "larger than"),
        ("many small bombs", "unpacks to more than"),
        ("gzip bomb behind the end", "unpacks to more than"),
        ("gzip bomb as padding", "200 times its packed size"),
        ("not marked as UTF-8", "not marked as UTF-8"),
        ("other name in the header", "differ"),
        ("encrypted locally only", "differ"),
        ("rest behind the stream", "damaged"),
        ("zip in front", "not where it should be"),
        ("manifest in a folder", "it is in the folder shop/"),
        ("manifest too large", "too large"),
        ("manifest of no use", "version: is missing"),
        ("tar without an end", "without its end mark"),
        ("tar base 256 size", "a number in a tar header"),
        ("gzip second member", "something follows the gzip"),
        ("text", "neither .zip nor .tar.gz"),
    ],
)
def test_the_reason_is_the_right_one(name: str, words: str, place: Path) -> None:
    (place / "a").write_bytes(HOSTILE[name])
    limits = changed(SMALL, ratio=10_000) if "bomb" in name and "200" not in words else SMALL
    with pytest.raises(BadInput) as caught:
        unpack(place / "a", place / "into", limits)
    assert words in str(caught.value)


def good_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", MANIFEST)
        archive.writestr("plugin.json", b"{}")
        archive.writestr("backend/__init__.py", b"")
        archive.writestr("backend/größe.py", b"x = 1\n" * 30_000)
        archive.writestr("backend/__pycache__/routes.cpython-311.pyc", b"evil")
        archive.writestr("backend/old.pyc", b"evil")
        archive.writestr(".git/config", b"x")
        archive.writestr("empty/", b"")
        archive.writestr("run.sh", b"#!")
        archive.getinfo("run.sh").external_attr = 0o104777 << 16
    return buffer.getvalue()


def good_tar(format_: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    long = "backend/" + "/".join(["a" * 90] * 3) + "/ä.py"
    with tarfile.open(fileobj=buffer, mode="w:gz", format=format_) as archive:
        for name, data in [("./metadata.json", MANIFEST), ("./backend/__init__.py", b""), (long, b"x" * 5000)]:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o6777
            archive.addfile(info, io.BytesIO(data))
        info = tarfile.TarInfo("./")
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    return buffer.getvalue()


def test_a_good_zip(place: Path) -> None:
    (place / "a.any").write_bytes(good_zip())
    done = unpack(place / "a.any", place / "x" / "into")
    assert done.manifest.id == "shop"
    assert everything(done.root) == {
        "metadata.json", "plugin.json", "backend", "backend/__init__.py", "backend/größe.py", "empty", "run.sh",
    }  # fmt: skip
    assert (done.root / "backend/größe.py").read_bytes() == b"x = 1\n" * 30_000
    modes = {stat.S_IMODE(path.stat().st_mode) for path in done.root.rglob("*") if path.is_file()}
    assert modes == {0o644}
    assert everything(place / "x") - {f"into/{name}" for name in everything(done.root)} == {"into"}
    assert len(done.sha256) == len(done.digest) == 64


@pytest.mark.parametrize("format_", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_good_tar(place: Path, format_: int) -> None:
    (place / "a").write_bytes(good_tar(format_))
    done = unpack(place / "a", place / "into")
    assert len([path for path in everything(done.root) if path.endswith(".py")]) == 2
    assert next(done.root.rglob("ä.py")).stat().st_size == 5000
    assert archive_manifest(place / "a") == done.manifest


def test_zips_of_the_own_builder_are_good_when_nothing_lies(place: Path) -> None:
    entries = [M, Z("a", b"x" * 999, method=8), Z("b/c"), Z("d", b"", flags=8, local_flags=8, local_size=0)]
    (place / "a").write_bytes(zipped(*entries, comment=b"hello"))
    assert everything(unpack(place / "a", place / "into", SMALL).root) == {"metadata.json", "a", "b", "b/c", "d"}
    (place / "b").write_bytes(tarred(TM, pax(record(b"comment", b"x"), b"g"), pax(record(b"path", b"b")), file("a")))
    assert everything(unpack(place / "b", place / "into2", SMALL).root) == {"metadata.json", "b"}


def test_metadata_json_wins_and_plugin_json_serves_alone(place: Path) -> None:
    (place / "a").write_bytes(zipped(Z("plugin.json", MANIFEST.replace(b"shop", b"other")), M))
    assert archive_manifest(place / "a").id == "shop"
    (place / "a").write_bytes(zipped(Z("plugin.json", MANIFEST.replace(b'"id"', b'"plugin_id"'))))
    assert archive_manifest(place / "a").id == "shop"


def test_the_target_must_be_new_and_the_archive_a_file(place: Path) -> None:
    (place / "a").write_bytes(good_zip())
    (place / "into").mkdir()
    with pytest.raises(Refused, match="exists already"):
        unpack(place / "a", place / "into")
    (place / "link").symlink_to(place / "nowhere")
    with pytest.raises(Refused, match="exists already"):
        unpack(place / "a", place / "link")
    with pytest.raises(NotFound):
        unpack(place / "none", place / "new")
    os.mkfifo(place / "pipe")
    with pytest.raises(InvalidPackage, match="is no file"):
        unpack(place / "pipe", place / "new")
    assert not (place / "new").exists()


def test_archives_in_archives_are_files(place: Path) -> None:
    (place / "a").write_bytes(zipped(M, Z("inner.zip", HOSTILE["parent"])))
    assert (unpack(place / "a", place / "into").root / "inner.zip").read_bytes() == HOSTILE["parent"]


def test_the_default_limits_are_the_published_ones() -> None:
    assert (LIMITS.files, LIMITS.file, LIMITS.total, LIMITS.ratio) == (5000, 32 << 20, 128 << 20, 200)
    assert (LIMITS.manifest, LIMITS.name, LIMITS.path, LIMITS.archive) == (1 << 20, 255, 1024, 64 << 20)


@pytest.mark.parametrize(
    "name", ["manifest too large", "tar manifest too large", "manifest in a folder", "case", "bomb"]
)
def test_reading_only_the_manifest_refuses_too(name: str, place: Path) -> None:
    (place / "a").write_bytes(HOSTILE[name])
    if name == "bomb":  # its names are fine, and its bytes are not read
        assert archive_manifest(place / "a", SMALL).id == "shop"
    else:
        with pytest.raises((InvalidManifest, InvalidPackage)):
            archive_manifest(place / "a", SMALL)


def flipped(data: bytes, places: list[tuple[int, int]]) -> bytes:
    raw = bytearray(data)
    for place, value in places:
        raw[place % len(raw)] = value
    return bytes(raw)


BASES: list[Callable[[], bytes]] = [lambda: zipped(M, Z("a/b", b"y" * 50, method=8)), lambda: tarred(TM, file("a/b"))]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(BASES),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=4),
    st.integers(0, 60),
    st.booleans(),
)
def test_damaged_archives_raise_nothing_unexpected(
    tmp_path_factory: pytest.TempPathFactory,
    base: Callable[[], bytes],
    spots: list[tuple[int, int]],
    cut: int,
    in_tar: bool,
) -> None:
    root = tmp_path_factory.mktemp("fuzz")
    data = base()
    if in_tar and data[:2] == b"\x1f\x8b":
        data = gzip.compress(flipped(gzip.decompress(data), spots))
    else:
        data = flipped(data, spots)
    (root / "a").write_bytes(data[: len(data) - cut] if cut < 20 else data)
    try:
        unpack(root / "a", root / "into", SMALL)
    except BadInput:
        assert everything(root) == {"a"}
    else:
        assert {name.partition("/")[0] for name in everything(root)} == {"a", "into"}
