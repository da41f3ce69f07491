"""What the disk or the database refused, in words: full, read-only, failing, locked by somebody else, damaged."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from hotbay.errors import HotbayError, StorageError

# Kinds of refusal by the system's number: what is wrong, and how to mend it.
_SYSTEM = {
    errno.ENOSPC: ("the disk is full", "free some space (`df -h`); then repeat this"),
    errno.EDQUOT: ("the quota of the disk is used up", "free some space; then repeat this"),
    errno.EFBIG: ("a file would be larger than it may be here", "raise the limit (`ulimit -f`); then repeat this"),
    errno.EROFS: ("the file system is read-only", "mount it writable; then repeat this"),
    errno.EACCES: ("there is no permission", "give the server's user the right to it; then repeat this"),
    errno.EPERM: ("it is not permitted", "give the server's user the right to it; then repeat this"),
    errno.EXDEV: ("it is on another file system", "keep images, plugins and staging on one file system"),
    errno.EIO: ("the disk fails", "look into the system's log; restore from a backup on another disk"),
}
_DAMAGED = "stop the server, keep the file, and restore a backup (or try `sqlite3 FILE .recover`)"
_DATABASE = {
    sqlite3.SQLITE_FULL: _SYSTEM[errno.ENOSPC],
    sqlite3.SQLITE_READONLY: ("it is read-only", "make the file and its folder writable; then repeat this"),
    sqlite3.SQLITE_CANTOPEN: ("it can't be opened", "look at the rights of the file and its folder, and the space"),
    sqlite3.SQLITE_IOERR: ("the disk fails or is full", "look at the space (`df -h`) and into the system's log"),
    sqlite3.SQLITE_BUSY: ("another program keeps it locked", "end that program's transaction; then repeat this"),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", _DAMAGED),
    sqlite3.SQLITE_NOTADB: ("it is no database, or damaged", _DAMAGED),
}


def explain(error: BaseException, database: object = "") -> StorageError | None:
    """What the disk or the database refused, if that is what `error` (or what it was raised from) is about."""
    return next((found for one in _causes(error) if (found := _of_database(one, database) or _of_system(one))), None)


def explain_database(error: BaseException, database: object) -> StorageError | None:
    """The same for the database alone: what else failed in its transaction is somebody else's to explain."""
    return next((found for one in _causes(error) if (found := _of_database(one, database))), None)


@contextmanager
def explained(database: object = "") -> Iterator[None]:
    """Raise StorageError instead of what the disk or the database raises in the block; all else as it is."""
    try:
        yield
    except HotbayError:
        raise
    except Exception as error:
        refused = explain(error, database)
        if refused is None:
            raise
        raise refused from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = getattr(cause, "orig", None) or cause.__cause__


def _of_system(error: BaseException) -> StorageError | None:
    if not isinstance(error, OSError) or error.errno not in _SYSTEM:
        return None
    what, mend = _SYSTEM[error.errno]
    place = error.filename2 or error.filename
    return StorageError(f"{place}: {what}" if place else what, mend=mend, path=str(place) if place else "")


def _of_database(error: BaseException, database: object) -> StorageError | None:
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(error, sqlite3.Error) or code is None or code & 0xFF not in _DATABASE:
        return None
    what, mend = _DATABASE[code & 0xFF]
    return StorageError(f"the database {database} can't be used: {what} ({error})", mend=mend, path=str(database))
