"""A small HTTP/1.1 client on asyncio streams, for load and for probes: it hides nothing of what the server does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any


class Broken(Exception):
    """The connection ended in the middle of an answer, or was reset."""


class ClosedIdle(Exception):
    """The server had ended the kept connection before the first byte of an answer (RFC 9112, 9.3.1: ask again)."""


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def closes(self) -> bool:
        """True when the server says that it will close the connection."""
        return self.headers.get("connection", "").lower() == "close"


class Connection:
    """One kept connection to one server. Use it for one request at a time."""

    def __init__(self, host: str, port: int, limit: float = 30.0) -> None:
        self.host, self.port, self.limit = host, port, limit
        self.opened = 0
        self.worker = 0  # The process at the other end, when somebody found out.
        self.left_by: tuple[int, float] | None = None  # Who ended it without an answer to the last request, and when.
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._used = False

    async def open(self) -> None:
        """Connect, unless connected. A connection that the server has ended meanwhile is opened anew."""
        if self._reader is not None and self._reader.at_eof():
            self.close()
        if self._writer is not None and self._writer.is_closing():
            self.close()
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self.host, self.port)
            self._used = False
            self.opened += 1
            self.worker = 0

    def close(self) -> None:
        """Forget the connection."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None) -> Answer:
        """One request and its whole answer.

        Raises ClosedIdle or Broken for a connection that ended, TimeoutError after `limit` seconds.
        """
        try:
            async with asyncio.timeout(self.limit):
                answer = await self.head(method, path, headers, body)
                answer.body = b"".join([piece async for piece in self.pieces(answer)])
        except BaseException:
            self.close()
            raise
        if answer.closes:
            self.close()
        return answer

    async def upload(self, path: str, pieces: list[bytes], pause: float) -> Answer:
        """POST a body piece by piece, with pauses. Raises as `ask` does."""
        headers = {"content-length": str(sum(map(len, pieces)))}
        try:
            async with asyncio.timeout(self.limit):
                await self.open()
                assert self._writer is not None
                self._writer.write(_request(self.host, self.port, "POST", path, headers, None))
                for piece in pieces:
                    if self._writer.is_closing():
                        raise Broken("ended in the middle of an upload")
                    self._writer.write(piece)
                    await self._writer.drain()
                    await asyncio.sleep(pause)
                answer = await self._answer_head()
                answer.body = b"".join([piece async for piece in self.pieces(answer)])
        except BaseException:
            self.close()
            raise
        self.close()
        return answer

    async def _answer_head(self) -> Answer:
        assert self._reader is not None
        try:
            return _head(await self._reader.readuntil(b"\r\n\r\n"))
        except asyncio.IncompleteReadError as error:
            raise Broken(f"ended after {len(error.partial)} bytes of the head") from None

    async def head(self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None) -> Answer:
        """Send a request and read the head of its answer. Read `pieces` to the end before the next request."""
        await self.open()
        assert self._reader is not None
        assert self._writer is not None
        worker = self.worker
        reused, self._used = self._used, True
        try:
            self._writer.write(_request(self.host, self.port, method, path, headers or {}, body))
            raw = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if reused and not error.partial:
                self.left_by = worker, time.monotonic()
                raise ClosedIdle from None
            raise Broken(f"ended after {len(error.partial)} bytes of the head") from None
        except OSError as error:
            raise Broken(f"{type(error).__name__}: {error}") from None
        return _head(raw)

    async def pieces(self, answer: Answer) -> AsyncIterator[bytes]:
        """The body as it comes. Raises Broken when it ends too early."""
        assert self._reader is not None
        try:
            if answer.headers.get("transfer-encoding") == "chunked":
                while size := int(await self._reader.readuntil(b"\r\n"), 16):
                    yield (await self._reader.readexactly(size + 2))[:-2]
                await self._reader.readexactly(2)
            elif length := int(answer.headers.get("content-length", "0")):
                yield await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Broken(f"ended in the middle of the body: {error}") from None


def _request(host: str, port: int, method: str, path: str, headers: dict[str, str], body: Any) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    lines = [
        f"{method} {path} HTTP/1.1",
        f"host: {host}:{port}",
        *(f"{name}: {text}" for name, text in headers.items()),
    ]
    if body is not None:
        lines += ["content-type: application/json", f"content-length: {len(data)}"]
    return "\r\n".join([*lines, "", ""]).encode() + data


def _head(raw: bytes) -> Answer:
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Answer(int(first.split(" ", 2)[1]), {name.lower(): text.strip() for name, _, text in pairs})
