"""Who was being loaded when a process died.

A mark is written before a plugin's code runs for the first time in a process and removed when it has started; a mark
that outlives its process is a strike against the image. So is a load that never ended. Two strikes, and the image is
left out until somebody activates it again; one success, and they are forgotten.

A mark is held with `flock`, which the system lets go when the process dies, however that happens: a process id that was
given to somebody else misleads nobody. A mark says how many strikes there were when the load began, so that workers
which die of the same thing at the same time are one strike, and so is a `kill -9` of them all.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hotbay.errors import ActivationFailed, HotbayError
from hotbay.process import me

log = logging.getLogger("hotbay.suspects")
LIMIT = 2
KILLED, HUNG = "killed the process", "never ended"


@dataclass(frozen=True)
class Strikes:
    """What is held against one image. `operations` are those that wanted to bring it in when it struck."""

    plugin: str
    version: str
    image: str
    count: int = 0
    how: str = ""
    at: str = ""
    operations: tuple[int, ...] = ()

    @property
    def out(self) -> bool:
        """True when it is not loaded any more by itself."""
        return self.count >= LIMIT

    def __str__(self) -> str:
        times = "once" if self.count == 1 else "twice" if self.count == 2 else f"{self.count} times"
        return f"loading {self.plugin} {self.version} {self.how} {times}, at last on {self.at[:19].replace('T', ' ')}"


class Suspects:
    """The marks and strikes of one host. Any process may use it at any time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # ── a load ────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def loading(self, plugin: str, version: str, image: str, operation: int = 0) -> Iterator[None]:
        """Mark the block as the loading of an image. Success clears it; one that hung (`hung` in the error) strikes."""
        known = self.of(image) or Strikes(plugin, version, image)
        about = replace(known, operations=(operation,) if operation else ())
        with self._marked(about):
            try:
                yield
            except HotbayError as error:
                if error.detail.get("hung"):
                    with self._alone():
                        self._strike(about, HUNG)
                raise
            self.clear(image)

    @contextmanager
    def _marked(self, about: Strikes) -> Iterator[None]:
        try:
            mark, fd = self._mark(about)
        except OSError as error:  # A full or read-only disk must not keep a plugin from serving.
            log.warning("%s is loaded without a mark: %s", about.plugin, error)
            yield
            return
        try:
            yield
        finally:
            with suppress(FileNotFoundError):
                mark.unlink()
            os.close(fd)

    def _mark(self, about: Strikes) -> tuple[Path, int]:
        """Under another name until it is locked and written: a mark that nobody holds is taken for a dead one's."""
        self.folder.mkdir(parents=True, exist_ok=True)
        mark = self.folder / f"{me()}-{secrets.token_hex(4)}.mark"
        hidden = mark.with_suffix(".new")
        fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(fd, json.dumps(asdict(about) | {"pid": os.getpid()}).encode())
        hidden.rename(mark)
        return mark, fd

    # ── what is known ─────────────────────────────────────────────────────────────────────────────────────────

    def of(self, image: str) -> Strikes | None:
        """What is held against an image; None when nothing is."""
        return _read(self._file(image))

    def all(self) -> list[Strikes]:
        """What is held against any image."""
        return [found for path in sorted(self.folder.glob("*.strikes")) if (found := _read(path)) is not None]

    def killed_in(self, operation: int) -> Strikes | None:
        """What struck when this operation wanted to bring it in; None when nothing did."""
        self.collect()
        return next((item for item in self.all() if operation in item.operations), None)

    def in_progress(self, operation: int) -> list[int]:
        """The processes that load something for this operation right now."""
        marks = [(path, _document(path)) for path in self.folder.glob("*.mark")]
        return [int(found["pid"]) for path, found in marks if operation in found.get("operations", ()) and _held(path)]

    def clear(self, image: str) -> None:
        """Forget what is held against an image; safe to repeat."""
        try:
            self._file(image).unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("what is held against image %s… can't be forgotten: %s", image[:12], error)

    # ── what died ─────────────────────────────────────────────────────────────────────────────────────────────

    def collect(self) -> list[Strikes]:
        """Turn the marks of processes that are gone into strikes; answers those that are new. Safe to repeat."""
        if next(self.folder.glob("*.mark"), None) is None:
            return []
        with self._alone():
            found = [self._collect(path) for path in sorted(self.folder.glob("*.mark")) if not _held(path)]
            return [item for item in found if item is not None]

    def _collect(self, path: Path) -> Strikes | None:
        about = _strikes(_document(path))
        found = None if about is None else self._strike(about, KILLED)
        with suppress(FileNotFoundError):
            path.unlink()
        return found

    def _strike(self, mark: Strikes, how: str) -> Strikes | None:
        """Count it, unless the load began before the last strike was known: then it is the same misfortune."""
        known = self.of(mark.image) or replace(mark, count=0, operations=())
        new = known.count == mark.count
        operations = tuple(dict.fromkeys((*known.operations, *mark.operations)))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        found = replace(known, count=known.count + new, how=how, at=now, operations=operations)
        temporary = self._file(mark.image).with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(found)), encoding="utf-8")
        temporary.replace(self._file(mark.image))
        return found if new else None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _file(self, image: str) -> Path:
        return self.folder / f"{image}.strikes"


def killer(strikes: Strikes) -> ActivationFailed:
    """Why an operation can't go on: what it would bring in has killed a worker that tried."""
    return ActivationFailed(
        f"{strikes.plugin} {strikes.version} is not taken: {strikes}",
        mend=f"`hotbay logs {strikes.plugin}` and the server's log may say why; correct the plugin",
        step="start",
    )


def _held(path: Path) -> bool:
    """True when the process that wrote the mark lives."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True  # It was removed this moment: that load has ended.
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _document(path: Path) -> dict[str, Any]:
    """What a file says; {} for garbage, which a process that died while writing may leave."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _read(path: Path) -> Strikes | None:
    return _strikes(_document(path))


def _strikes(document: dict[str, Any]) -> Strikes | None:
    names = ("plugin", "version", "image", "how", "at")
    texts = {name: str(document.get(name, "")) for name in names}
    count, operations = document.get("count"), document.get("operations", [])
    if not texts["image"] or not isinstance(count, int) or not isinstance(operations, list):
        return None
    return Strikes(**texts, count=count, operations=tuple(item for item in operations if isinstance(item, int)))
