"""An uploaded package: streamed to a file, never larger than a package may be; and its signature beside it."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from hotbay.console.problems import TooLarge
from hotbay.errors import BadInput
from hotbay.package import LIMITS
from hotbay.signature import LARGEST, SUFFIX, sidecar

# Room for the boundaries and headers of the parts around the file.
_AROUND = 64 * 1024
_DAY = 24 * 3600


async def receive_file(request: Request, folder: Path, most: int = LIMITS.archive) -> Path:
    """The one package of a multipart body, as a new file in `folder` that the caller discards; at most `most` bytes.

    A file in the field `signature` is put beside it, not checked.
    Raises BadInput when the body is something else, TooLarge when it is larger; then no file is left.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise BadInput("no file was sent", mend="send the package as multipart/form-data, in the field `file`")
    form = await _parse(request, most)
    try:
        return await asyncio.to_thread(_keep, *_files(form), folder, most)
    finally:
        await form.close()


async def _parse(request: Request, most: int) -> FormData:
    parser = MultiPartParser(request.headers, _capped(request, most + _AROUND), max_files=2, max_fields=10)
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise BadInput(f"the upload is no fit multipart body: {error.message}", mend="send it again") from None


async def _capped(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise _too_large(most - _AROUND)
            yield chunk
    except ClientDisconnect:
        raise MultiPartException("it was broken off") from None


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"the upload is larger than {most:,} bytes", mend="make the package smaller")


def _files(form: FormData) -> tuple[BinaryIO, bytes]:
    """The package, and its signature; empty when there is none."""
    files = [(name, value.file) for name, value in form.multi_items() if isinstance(value, UploadFile)]
    packages = [file for name, file in files if name != "signature"]
    if len(packages) != 1:
        raise BadInput("exactly one file is wanted", mend="send the package in the field `file`")
    signature = b"".join(file.read(LARGEST + 1) or b"\n" for name, file in files if name == "signature")
    return packages[0], signature


def discard(file: Path) -> None:
    """Delete an upload and its signature. Safe to repeat."""
    file.unlink(missing_ok=True)
    sidecar(file).unlink(missing_ok=True)


def _keep(source: BinaryIO, signature: bytes, folder: Path, most: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    _forget_old(folder)
    source.seek(0, 2)
    if source.tell() > most:
        raise _too_large(most)
    source.seek(0)
    target = folder / f"{secrets.token_hex(8)}.package"
    if signature:
        sidecar(target).write_bytes(signature)
    with target.open("xb") as stream:
        shutil.copyfileobj(source, stream)
    return target


def _forget_old(folder: Path) -> None:
    """Uploads of workers that were killed."""
    for path in (*folder.glob("*.package"), *folder.glob(f"*.package{SUFFIX}")):
        if path.stat().st_mtime < time.time() - _DAY:
            path.unlink(missing_ok=True)
