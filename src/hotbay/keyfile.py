"""A secret in a file of its own, made at its first use."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hotbay.process import me


def read_key(file: Path, make: Callable[[], bytes]) -> bytes:
    """The file's content. A file that is missing is made of `make()`, readable by its owner only.

    Of several processes that come at once, one makes it and all read the same; the file is whole or not there.
    """
    if not file.exists():
        with suppress(FileExistsError):
            new_key(file, make())
    return file.read_bytes()


def new_key(file: Path, content: bytes) -> None:
    """Write a new file that only its owner can read, whole or not at all. Raises FileExistsError when it is there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{me()}.{os.urandom(4).hex()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(temporary, file)
    finally:
        temporary.unlink()
