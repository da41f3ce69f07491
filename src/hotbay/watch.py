"""Follows the plugins folder: `mv _x x` activates, `mv x _x` deactivates, a new folder installs, changed content is an
upgrade, a deleted folder uninstalls. One worker at a time watches; everything goes through plan → journal → apply.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.version import Version

from hotbay import store
from hotbay.apply import Applier
from hotbay.commits import Changes
from hotbay.duty import Post
from hotbay.errors import HotbayError, LeaseHeld, StateError, Superseded
from hotbay.folder import digest
from hotbay.folders import Found
from hotbay.model import Kind, Live
from hotbay.package import read_manifest
from hotbay.request import Request
from hotbay.settings import Settings

log = logging.getLogger("hotbay.watch")
_DEEP_SECONDS = 1.0


@dataclass(frozen=True)
class Seen:
    """A folder's content as it was at a look: its stamp and its digest."""

    stamp: tuple[int, int]
    digest: str


class Registrar:
    """Compares folders with rows, and closes the gap. Runs in a thread; remembers stamps to hash only what changed."""

    def __init__(self, applier: Applier) -> None:
        self.applier = applier
        self._seen: dict[str, Seen] = {}
        self._settling: dict[str, tuple[int, int]] = {}
        self._changes = Changes(applier.store.path)
        self._settled: dict[str, Any] | None = None

    def look(self) -> list[str]:
        """One pass; answers what was done (for tests and the log). A folder that is still being written waits."""
        folders = self.applier.folders.scan()
        stamps = {name: (item.path, item.stamp()) for name, item in folders.items()}
        # Most looks find what the last one found. Reading the rows costs a hundred times as much as seeing that.
        if not self._changes.any() and stamps == self._settled:
            return []
        self._settled = None
        wishes = self._wishes(folders)
        if not wishes and not self._settling:
            self._settled = stamps
        return [done for request in wishes if (done := self._carry_out(request))]

    def close(self) -> None:
        """Close the connection that sees changes; safe to repeat."""
        self._changes.close()

    def _wishes(self, folders: Mapping[str, Found]) -> list[Request]:
        rows = self.applier.store.all_live()
        if rows and not folders and not self.applier.folders.read_registry():
            log.error("%s is empty: it was lost, not emptied; nothing is uninstalled", self.applier.folders.root)
            return []
        refused = self.applier.store.all_refusals()
        self._forget(plugin for plugin in refused if plugin not in folders and plugin not in rows)
        wishes = (self._wish(item, rows.get(item.plugin), refused.get(item.plugin)) for item in folders.values())
        wanted = [request for request in wishes if request is not None]
        return wanted + [Request(Kind.UNINSTALL, plugin, force=True) for plugin in rows if plugin not in folders]

    def _wish(self, found: Found, row: Live | None, refusal: dict[str, Any] | None) -> Request | None:
        try:
            content = self._content(found, known=row is not None)
        except (HotbayError, OSError) as error:
            if refusal is None or refusal["problem"] != str(error):
                self._refuse(found.plugin, "unreadable", str(error))
            return None
        # The same content was refused before: it is not tried again until it changes or is renamed.
        if not content or (refusal is not None and refusal["digest"] == f"{content}:{found.active}"):
            return None
        if found.active and (row is None or row.image != content or not row.active) and self._killed(found, content):
            return None
        if row is None:
            return Request(Kind.INSTALL, found.plugin, folder=found, inactive=not found.active)
        if row.image != content:
            return self._changed(found, row)
        if row.active != found.active:
            kind = Kind.ACTIVATE if found.active else Kind.DEACTIVATE
            return Request(kind, found.plugin, folder=found, force=True)
        return None

    def _killed(self, found: Found, content: str) -> bool:
        """True for what killed or hung its worker twice: a restart is no reason to try it again."""
        strikes = self.applier.suspects.of(content)
        if strikes is None or not strikes.out:
            return False
        self._refuse(found.plugin, f"{content}:{found.active}", f"it is left out: {strikes}")
        return True

    def _changed(self, found: Found, row: Live) -> Request | None:
        """New content: forwards, or to an older version, which is a change like any other here."""
        try:
            version = read_manifest(found.path).version
        except HotbayError as error:
            self._refuse(found.plugin, self._seen[found.plugin].digest, str(error))
            return None
        older = Version(version) < Version(row.version)
        return Request(Kind.UPGRADE, found.plugin, folder=found, inactive=not found.active, force=older)

    def _content(self, found: Found, *, known: bool) -> str:
        """The digest of the folder's content, or nothing while it is being written (two equal looks are needed)."""
        stamp = found.stamp()
        seen = self._seen.get(found.plugin)
        if seen is not None and seen.stamp == stamp:
            return seen.digest
        if seen is not None or found.plugin in self._settling:
            if self._settling.get(found.plugin) != stamp:
                self._settling[found.plugin] = stamp
                return ""
        elif not known:
            self._settling[found.plugin] = stamp
            return ""
        self._settling.pop(found.plugin, None)
        self._seen[found.plugin] = Seen(stamp, digest(found.path))
        return self._seen[found.plugin].digest

    def _carry_out(self, request: Request) -> str:
        try:
            # Another actor may have changed rows and folders while we waited for the lease: the wish must still stand.
            self.applier.run(request, unless=lambda: request not in self._wishes(self.applier.folders.scan()))
        except (LeaseHeld, Superseded):
            return ""
        except StateError as error:
            log.error("the folder of %s has to wait: %s", request.plugin, error)  # Not its content's fault.
            return ""
        except HotbayError as error:
            log.error("the folder of %s was not brought in: %s", request.plugin, error)
            seen = self._seen.get(request.plugin)
            active = request.folder is not None and request.folder.active
            self._refuse(request.plugin, f"{seen.digest}:{active}" if seen else "", str(error))
            return f"refused {request.kind} {request.plugin}"
        return f"{request.kind} {request.plugin}"

    def forgive(self) -> None:
        """Give every refused folder another try: what it lacked (a package, a table) may be there since the restart."""
        self._forget(self.applier.store.all_refusals())

    def _forget(self, refused: Iterable[str]) -> None:
        """Take refusals back: whoever shows them hears of it."""
        if plugins := list(refused):
            with self.applier.store.write() as connection:
                for plugin in plugins:
                    store.clear_refusal(connection, plugin)

    def _refuse(self, plugin: str, content: str, problem: str) -> None:
        with self.applier.store.write() as connection:
            store.put_refusal(connection, plugin, content, problem)


class Watch:
    """One worker's part in watching: it competes for the post, and looks while it has it."""

    def __init__(self, settings: Settings, applier: Applier) -> None:
        self.settings = settings
        self.registrar = Registrar(applier)
        self.post = Post(settings.run / "watch", "looking at the plugins folder", self._turn, settings.watch_seconds)
        self._forgiven = False
        self._stamp, self._deep = -1, 0.0

    def start(self) -> None:
        """Compete from now on."""
        if self.settings.watch:
            self.post.start()

    async def stop(self) -> None:
        """Stop looking; an operation in progress is finished first."""
        await self.post.stop()
        self.registrar.close()

    async def _turn(self) -> None:
        """Look when a name in the folder changed, and once a second whether contents did."""
        if not self._forgiven:
            await asyncio.to_thread(self.registrar.forgive)
            self._forgiven = True
        self._deep -= self.settings.watch_seconds
        now = self.settings.plugins.stat().st_mtime_ns if self.settings.plugins.is_dir() else 0
        if now != self._stamp or self._deep <= 0:
            self._stamp, self._deep = now, _DEEP_SECONDS
            for item in await asyncio.to_thread(self.registrar.look):
                log.info("plugins folder: %s", item)
