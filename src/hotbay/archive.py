"""Read .zip and .tar.gz, entry by entry, believing nothing that they say of themselves.

Own readers of a few hundred bytes of format instead of `zipfile` and `tarfile`, because these two are made to read as
much as possible: they end quietly at a broken header, read headers of any size, and follow names in three places.
Everything unusual is refused here; what remains is (name, folder or file, chunks of bytes within the limits).
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from hotbay.errors import InvalidPackage
from hotbay.folder import CHUNK, Limits, refusal

SLACK = 1024 * 1024
_PACK_AGAIN = "build the archive with `hotbay pack`"
_EOCD = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED = 0x2041
_PATCHED = 0x0020
_DESCRIPTOR = 0x0008
_UTF8 = 0x0800
_BLOCK = 512


@dataclass(frozen=True)
class Entry:
    """One file or folder of an archive. `name` is as written, without a leading "./" or the last "/"."""

    name: str
    folder: bool
    chunks: Iterator[bytes]


class Meter:
    """Counts what really comes out; raises InvalidPackage as soon as it is too much."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.total = 0

    def count(self, name: str, fresh: int, file: int, packed: int) -> None:
        """`fresh` more bytes, `file` of this file until now, made of `packed` bytes of the archive."""
        self.total += fresh
        if file > self.limits.file:
            raise refusal(name, f"larger than {self.limits.file:,} bytes")
        if self.total > self.limits.total:
            raise refusal(name, f"the package unpacks to more than {self.limits.total:,} bytes")
        if file > SLACK and file > packed * self.limits.ratio:
            raise refusal(name, f"unpacks to more than {self.limits.ratio} times its packed size")


def entries(file: BinaryIO, size: int, limits: Limits) -> Iterator[Entry]:
    """The entries of the archive `file` of `size` bytes, in its order; the kind is told by its first bytes.

    An entry's chunks are to be read before the next entry is asked for, or not at all.
    Raises InvalidPackage for whatever is damaged, unusual or too large.
    """
    if size > limits.archive:
        raise InvalidPackage(f"the archive is larger than {limits.archive:,} bytes (it has {size:,})")
    start = file.read(4)
    file.seek(0)
    if start[:2] == b"\x1f\x8b":
        return _tar_entries(file, limits)
    if start in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip_entries(file, size, limits)
    raise InvalidPackage("the file is no archive: neither .zip nor .tar.gz", mend=_PACK_AGAIN)


def _damaged(what: str) -> InvalidPackage:
    return InvalidPackage(f"the archive is damaged or not plain: {what}", mend=_PACK_AGAIN)


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise refusal(ascii(raw), "names must be UTF-8", _PACK_AGAIN) from None


def _plain(name: str) -> str:
    return name.removeprefix("./").removesuffix("/")


# ---- zip


@dataclass(frozen=True)
class _Record:
    name: str
    raw: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int


def _zip_entries(file: BinaryIO, size: int, limits: Limits) -> Iterator[Entry]:
    start, length = _directory(file, size)
    records = list(_records(file, start, length, limits))
    ordered = sorted(records, key=lambda record: record.offset)
    spans = [(record.offset, _data_start(file, record), record) for record in ordered]
    end = 0
    for offset, data, record in spans:
        if offset < end or data + record.packed > start:
            raise refusal(record.name, "overlaps another entry of the archive")
        end = data + record.packed
    if spans and spans[0][0] != 0:
        raise _damaged("something is in front of the first entry")
    data_of = {id(record): data for _, data, record in spans}
    meter = Meter(limits)
    for record in records:
        folder = record.name.endswith("/")
        yield Entry(_plain(record.name), folder, _inflate(file, record, data_of[id(record)], meter))


def _directory(file: BinaryIO, size: int) -> tuple[int, int]:
    """Offset and length of the central directory, which must end where the end record begins."""
    file.seek(max(0, size - _EOCD.size - 0xFFFF))
    tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _EOCD.size:
        raise _damaged("the end record is missing (a truncated file?)")
    _, disk, first, here, count, length, start, comment = _EOCD.unpack_from(tail, place)
    position = size - len(tail) + place
    if place + _EOCD.size + comment != len(tail):
        raise _damaged("something follows the end record")
    if disk or first or here != count or start + length != position:
        raise _damaged("the directory is not where it should be (several disks, ZIP64, or something in front)")
    return start, length


def _records(file: BinaryIO, start: int, length: int, limits: Limits) -> Iterator[_Record]:
    file.seek(start)
    directory = file.read(length)
    place = count = 0
    while place < length:
        count += 1
        if count > limits.files:
            raise InvalidPackage(f"the archive has more than {limits.files:,} entries")
        if length - place < _CENTRAL.size or directory[place : place + 4] != b"PK\x01\x02":
            raise _damaged("a broken entry in the directory")
        values = _CENTRAL.unpack_from(directory, place)
        name_end = place + _CENTRAL.size + values[10]
        raw = directory[place + _CENTRAL.size : name_end]
        place = name_end + values[11] + values[12]
        if place > length:
            raise _damaged("a broken entry in the directory")
        record = _Record(_decode(raw), raw, values[3], values[4], values[7], values[8], values[9], values[16])
        _check_record(record, mode=values[15] >> 16, disk=values[13])
        yield record


def _check_record(record: _Record, *, mode: int, disk: int) -> None:
    name, kind = record.name, stat.S_IFMT(mode)
    if record.flags & _ENCRYPTED:
        raise refusal(name, "is encrypted")
    if record.flags & _PATCHED or record.method not in (0, 8) or disk:
        raise refusal(name, "packed in another way than stored or deflated", _PACK_AGAIN)
    if not record.flags & _UTF8 and not record.raw.isascii():
        raise refusal(name, "the name is not marked as UTF-8", _PACK_AGAIN)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise refusal(name, "is a link or a device")
    if name.endswith("/") and (record.size or kind == stat.S_IFREG):
        raise refusal(name, "is a file and a folder")
    if kind == stat.S_IFDIR and not name.endswith("/"):
        raise refusal(name, "is a file and a folder")
    if record.method == 0 and record.packed != record.size:
        raise refusal(name, "two sizes for a stored file")


def _data_start(file: BinaryIO, record: _Record) -> int:
    """Where the bytes of an entry begin; its local header must say what the directory says."""
    file.seek(record.offset)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
        raise refusal(record.name, "has no header where the directory points")
    _, _, flags, method, _, _, crc, packed, size, name_length, extra = _LOCAL.unpack(head)
    same = file.read(name_length) == record.raw and method == record.method
    same = same and not (flags ^ record.flags) & (_ENCRYPTED | _PATCHED | _DESCRIPTOR | _UTF8)
    if not flags & _DESCRIPTOR:
        same = same and (crc, packed, size) == (record.crc, record.packed, record.size)
    if not same:
        raise refusal(record.name, "the header and the directory of the archive differ")
    return record.offset + _LOCAL.size + int(name_length) + int(extra)


def _inflate(file: BinaryIO, record: _Record, start: int, meter: Meter) -> Iterator[bytes]:
    """The bytes of one entry, checked against size and CRC when the last was read."""
    done = crc = read = 0
    engine = zlib.decompressobj(-15) if record.method else None
    waiting = b""
    while True:
        if not waiting and read < record.packed:
            file.seek(start + read)
            waiting = file.read(min(CHUNK, record.packed - read))
            if not waiting:
                raise refusal(record.name, "ends too early")
            read += len(waiting)
        try:
            chunk = engine.decompress(waiting, CHUNK) if engine else waiting
        except zlib.error:
            raise refusal(record.name, "is damaged") from None
        waiting = engine.unconsumed_tail if engine else b""
        if not chunk and not waiting and read >= record.packed:
            break
        done, crc = done + len(chunk), zlib.crc32(chunk, crc)
        meter.count(record.name, len(chunk), done, read)
        yield chunk
        if engine and engine.eof:
            break
    whole = engine is None or (engine.eof and not engine.unused_data and read == record.packed)
    if not whole or done != record.size or crc != record.crc:
        raise refusal(record.name, "is damaged: size or checksum is wrong")


# ---- tar.gz


class _Gunzip:
    """The bytes inside a gzip file of one member, counted."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file = file
        self._engine = zlib.decompressobj(31)
        self._ready = b""
        self._read = self._out = 0
        self._limits = limits
        # Headers and padding of a tar come on top of what the files hold.
        self._most = limits.total + SLACK + 4 * _BLOCK * limits.files

    def read(self, length: int) -> bytes:
        """Exactly `length` bytes, fewer only at the end."""
        parts: list[bytes] = []
        while length and (self._ready or self._fill()):
            part, self._ready = self._ready[:length], self._ready[length:]
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def _fill(self) -> bool:
        while not self._ready and not self._engine.eof:
            packed = self._engine.unconsumed_tail or self._file.read(CHUNK)
            self._read = self._file.tell()
            try:
                self._ready = self._engine.decompress(packed, CHUNK)
            except zlib.error:
                raise _damaged("the gzip stream is broken") from None
            # Without input zlib may still hold output back; only when there is none is the end too early.
            if not packed and not self._ready and not self._engine.eof:
                raise _damaged("the gzip stream ends too early")
            self._out += len(self._ready)
            self._check()
        if self._engine.eof and not self._ready and (self._engine.unused_data or self._file.read(1)):
            raise _damaged("something follows the gzip stream")
        return bool(self._ready)

    def _check(self) -> None:
        if self._out > self._most:
            raise InvalidPackage(f"the package unpacks to more than {self._limits.total:,} bytes")
        if self._out > SLACK and self._out > self._read * self._limits.ratio:
            raise InvalidPackage(f"the package unpacks to more than {self._limits.ratio} times its packed size")


@dataclass(frozen=True)
class _Header:
    name: bytes
    kind: bytes
    size: int


def _tar_entries(file: BinaryIO, limits: Limits) -> Iterator[Entry]:
    stream, meter = _Gunzip(file, limits), Meter(limits)
    count = 0
    while header := _next_header(stream, limits):
        count += 1
        if count > limits.files:
            raise InvalidPackage(f"the archive has more than {limits.files:,} entries")
        name = _decode(header.name)
        if header.kind not in (b"0", b"\0", b"5"):
            raise refusal(name, "is a link, a device or of an unknown kind")
        folder = header.kind == b"5" or name.endswith("/")
        if folder and header.size:
            raise refusal(name, "is a file and a folder")
        chunks = _tar_chunks(stream, name, header.size, meter)
        if name not in (".", "./"):
            yield Entry(_plain(name), folder, chunks)
        for _ in chunks:
            pass
    while rest := stream.read(CHUNK):
        if rest.strip(b"\0"):
            raise _damaged("something follows the end of the tar")


def _tar_chunks(stream: _Gunzip, name: str, size: int, meter: Meter) -> Iterator[bytes]:
    left = size
    while left:
        chunk = stream.read(min(CHUNK, left))
        if not chunk:
            raise refusal(name, "ends too early")
        left -= len(chunk)
        meter.count(name, len(chunk), size - left, size)
        yield chunk
    stream.read(-size % _BLOCK)


def _next_header(stream: _Gunzip, limits: Limits) -> _Header | None:
    """The next entry's header with the long name that extension headers before it gave; None at the end."""
    long_name: bytes | None = None
    size: int | None = None
    extended = False
    for _ in range(8):
        header = _header(stream.read(_BLOCK))
        if header is None and extended:
            raise _damaged("an extension header without an entry")
        if header is None:
            return None
        if header.kind not in (b"x", b"g", b"L"):
            return _Header(
                header.name if long_name is None else long_name,
                header.kind,
                header.size if size is None else size,
            )
        data = _extension(stream, header, limits)
        if header.kind == b"L":
            long_name, extended = data.rstrip(b"\0"), True
        elif header.kind == b"x":
            values, extended = _pax(data), True
            long_name = values.get(b"path", long_name)
            size = _number(values[b"size"], 10) if b"size" in values else size
        elif _pax(data).keys() & {b"path", b"size"}:
            raise _damaged("a global header that names entries")
    raise _damaged("too many extension headers")


def _extension(stream: _Gunzip, header: _Header, limits: Limits) -> bytes:
    if header.size > CHUNK:
        raise _damaged("an extension header that is too long")
    data = stream.read(header.size)
    if len(data) < header.size:
        raise _damaged("it ends too early")
    stream.read(-header.size % _BLOCK)
    return data


def _header(block: bytes) -> _Header | None:
    if len(block) < _BLOCK:
        raise _damaged("the tar ends without its end mark (a truncated file?)")
    if not block.strip(b"\0"):
        return None
    checksum = sum(block[:148]) + sum(block[156:]) + 8 * 32
    if _number(block[148:156], 8) != checksum:
        raise _damaged("the checksum of a tar header is wrong")
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    return _Header(prefix + b"/" + name if prefix else name, block[156:157], _number(block[124:136], 8))


def _number(field: bytes, base: int) -> int:
    digits = field.strip(b" \0")
    allowed = b"01234567" if base == 8 else b"0123456789"
    if len(digits) > 12 or digits.strip(allowed):
        raise _damaged("a number in a tar header is none")
    return int(digits or b"0", base)


def _pax(data: bytes) -> dict[bytes, bytes]:
    """The records of a pax header: `length key=value` and a line break, `length` counting all of it."""
    values: dict[bytes, bytes] = {}
    while data:
        length = _number(data.partition(b" ")[0], 10)
        record, data = data[:length], data[length:]
        key, equals, value = record.partition(b" ")[2].partition(b"=")
        if not equals or not value.endswith(b"\n") or len(record) != length:
            raise _damaged("a broken pax header")
        if key.startswith(b"GNU.sparse") or (key == b"hdrcharset" and b"UTF-8" not in value):
            raise _damaged(f"a pax header of an unknown kind: {key[:40]!a}")
        values[key] = value[:-1]
    return values
