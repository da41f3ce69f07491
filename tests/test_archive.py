"""The readers of archives alone: what is good is read byte by byte, what is skipped costs nothing, limits are exact.

What is hostile is in `test_unpack.py`, where its effects would show.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotbay.archive import SLACK, Meter, entries
from hotbay.errors import InvalidPackage
from hotbay.folder import CHUNK, LIMITS, Limits
from test_unpack import Z, file, header, pax, record, tarred, zipped

Found = list[tuple[str, bool, bytes]]
NOISE = os.urandom(CHUNK + 5)


def read(data: bytes, limits: Limits = LIMITS) -> Found:
    stream = io.BytesIO(data)
    return [(one.name, one.folder, b"".join(one.chunks)) for one in entries(stream, len(data), limits)]


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def tar_of(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name.rstrip("/"))
            info.size, info.type = len(data), tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


FILES = {
    "a.txt": b"one",
    "folder/": b"",
    "folder/ünï.bin": NOISE,
    "empty": b"",
    "x" * 80 + "/" + "y" * 60 + "/deep.py": b"pass",
}
EXPECTED = [(name.rstrip("/"), name.endswith("/"), data) for name, data in FILES.items()]


@pytest.mark.parametrize(
    "data",
    [
        zip_of(FILES),
        zip_of(FILES, zipfile.ZIP_STORED),
        tar_of(FILES),
        tar_of(FILES, tarfile.GNU_FORMAT),
        tar_of(FILES, tarfile.USTAR_FORMAT),
    ],
    ids=["deflated", "stored", "pax", "gnu", "ustar"],
)
def test_what_the_standard_library_writes_is_read(data: bytes) -> None:
    assert read(data) == EXPECTED


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,9}(/[a-z]{1,9}){0,3}", fullmatch=True), st.binary(max_size=2000)))
def test_any_files_come_out_as_they_went_in(files: dict[str, bytes]) -> None:
    expected = [(name, False, data) for name, data in files.items()]
    assert read(zip_of(files)) == expected
    assert read(tar_of(files)) == expected


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_byte_is_noticed_or_changes_nothing_that_is_read(data: st.DataObject) -> None:
    """Neither reader may answer other bytes than were packed, nor fail in another way than by refusing."""
    files = {"a.txt": b"some text " * 20, "b/c.txt": b"other"}
    whole = data.draw(st.sampled_from([zip_of(files), tar_of(files)]))
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(changed))
    except InvalidPackage:
        return
    assert {content for _, _, content in found} <= set(files.values())


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_what_is_not_read_is_passed_over(make: Any) -> None:
    data = make({"first": NOISE * 3, "second": b"2"})
    seen = [entry.name for entry in entries(io.BytesIO(data), len(data), LIMITS)]
    assert seen == ["first", "second"]
    half = []
    for entry in entries(io.BytesIO(data), len(data), LIMITS):
        half.append((entry.name, len(next(entry.chunks))))
    assert half[1] == ("second", 1)
    assert 0 < half[0][1] <= CHUNK


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_sizes_up_to_the_limit_are_good(make: Any) -> None:
    data = make({"a": NOISE, "b": NOISE})
    exact = replace(LIMITS, files=2, file=len(NOISE), total=2 * len(NOISE), archive=len(data))
    assert len(read(data, exact)) == 2
    for name in ("files", "file", "total", "archive"):
        with pytest.raises(InvalidPackage):
            read(data, replace(exact, **{name: getattr(exact, name) - 1}))


def test_the_ratio_counts_beyond_the_slack() -> None:
    meter = Meter(replace(LIMITS, file=1 << 40, total=1 << 40, ratio=100))
    meter.count("a", 0, SLACK, 1)
    assert SLACK < 1_048_700
    meter.count("a", 0, 1_048_700, 10_487)
    with pytest.raises(InvalidPackage, match="100 times its packed size"):
        meter.count("a", 0, 1_048_701, 10_487)


def test_a_dot_in_front_and_a_slash_at_the_end_are_left_out() -> None:
    assert read(zipped(Z("./a", b"1"), Z("./b/", b"", mode=0o040755))) == [("a", False, b"1"), ("b", True, b"")]
    assert read(tarred(header(b"./", kind=b"5"), file("./a", b"1"), header(b"b/"))) == [
        ("a", False, b"1"),
        ("b", True, b""),
    ]


def test_names_by_prefix_pax_and_long_name() -> None:
    assert read(tarred(header(b"tail", prefix=b"head")))[0][0] == "head/tail"
    assert read(tarred(pax(record(b"path", b"by/pax")), file("short")))[0][0] == "by/pax"
    assert read(tarred(file("././@LongLink", b"by/long\0", b"L"), file("short")))[0][0] == "by/long"
    assert read(tarred(pax(record(b"comment", b"words"), b"g"), file("a")))[0][0] == "a"
    sized = tarred(pax(record(b"size", b"3")), header(b"a", 0) + b"abc" + bytes(509))
    assert read(sized) == [("a", False, b"abc")]


def test_padding_after_the_end_of_a_tar_is_usual() -> None:
    assert read(tarred(file("a", b"1"), end=bytes(10240))) == [("a", False, b"1")]


def test_a_gzip_in_small_pieces_is_read_to_its_end() -> None:
    packed = gzip.compress(file("a", bytes(3 * CHUNK)) + bytes(1024), compresslevel=9)
    limits = replace(LIMITS, ratio=100_000)
    assert read(packed, limits) == [("a", False, bytes(3 * CHUNK))]
