"""The body of an upload is cut off where it is too large, and old leftovers go."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from hotbay.console.problems import TooLarge
from hotbay.console.uploads import receive_file
from hotbay.errors import BadInput

HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'


def request(*chunks: bytes, endless: bytes = b"", ends: str = "http.request") -> tuple[Request, list[int]]:
    """A request whose body is the chunks, then `endless` for ever, or its end; and a count of what was read."""
    waiting, count = list(chunks), [0]

    async def receive() -> dict[str, Any]:
        if count[0] > 2000:
            raise AssertionError("nobody cuts it off")
        if waiting:
            return {"type": "http.request", "body": waiting.pop(0), "more_body": True}
        if endless:
            count[0] += 1
            return {"type": "http.request", "body": endless, "more_body": True}
        return {"type": ends, "body": b"", "more_body": False}

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive), count


async def test_a_fit_body_is_kept_byte_for_byte(tmp_path: Path) -> None:
    made, _ = request(HEAD, b"ab\r\n", b"\0cd", b"\r\n--x--\r\n")
    file = await receive_file(made, tmp_path / "up")
    assert file.read_bytes() == b"ab\r\n\0cd"


async def test_an_endless_body_is_cut_off_while_it_comes(tmp_path: Path) -> None:
    made, count = request(HEAD, endless=b"\0" * 10_000)
    with pytest.raises(TooLarge, match="larger than 100,000 bytes"):
        await receive_file(made, tmp_path / "up", 100_000)
    assert count[0] < 20
    assert not list(tmp_path.rglob("*.package"))


async def test_a_file_between_the_two_limits_is_too_large(tmp_path: Path) -> None:
    made, _ = request(HEAD, b"\0" * 101, b"\r\n--x--\r\n")
    with pytest.raises(TooLarge):
        await receive_file(made, tmp_path / "up", 100)


async def test_a_body_that_is_broken_off_is_no_upload(tmp_path: Path) -> None:
    made, _ = request(HEAD, b"half", ends="http.disconnect")
    with pytest.raises(BadInput, match="broken off"):
        await receive_file(made, tmp_path / "up")
    assert not list(tmp_path.rglob("*.package"))


async def test_leftovers_of_killed_workers_go_after_a_day(tmp_path: Path) -> None:
    old, young = tmp_path / "old.package", tmp_path / "young.package"
    for file in (old, young):
        file.write_bytes(b"")
    os.utime(old, (time.time() - 90_000, time.time() - 90_000))
    made, _ = request(HEAD, b"x\r\n--x--\r\n")
    await receive_file(made, tmp_path)
    assert (old.exists(), young.exists()) == (False, True)
