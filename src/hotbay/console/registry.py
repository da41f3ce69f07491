"""The registry as every visitor's browser may know it, the news of it, and what browsers report: no login is needed."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hotbay.confirmations import pending
from hotbay.console.auth import refuse_cross_site
from hotbay.console.events import Snapshot, stream
from hotbay.console.problems import TooLarge
from hotbay.console.viewers import Viewers
from hotbay.dress import bundle_of
from hotbay.errors import BadInput, NotFound
from hotbay.frontend.snapshot import Page, Viewer, snapshot
from hotbay.logs import PREFIX
from hotbay.publishers import word_on_live
from hotbay_sdk import rules

if TYPE_CHECKING:
    from hotbay.asgi import Hotbay
    from hotbay.frontend.bundle import Bundle
    from hotbay.model import Live

_BODY = 32_768
_SHARED_SECONDS = 0.05
_WINDOW_SECONDS, _A_PLUGIN, _IN_ALL = 60.0, 30, 120
_ODD = re.compile(r"[^\x20-\x7e\xa0-\ufffd\n\t]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class BrowserError(BaseModel):
    """What went wrong in a browser, and whose it was."""

    model_config = ConfigDict(extra="ignore")
    plugin: Annotated[str, StringConstraints(pattern=f"^{rules.ID}$", max_length=64)]
    digest: Annotated[str, StringConstraints(max_length=64)] = ""
    kind: Literal["page", "widget", "settings", "command", "component"] = "component"
    name: Annotated[str, StringConstraints(max_length=300)] = ""
    message: Annotated[str, StringConstraints(max_length=2000)] = ""
    stack: Annotated[str, StringConstraints(max_length=8000)] = ""
    url: Annotated[str, StringConstraints(max_length=2000)] = ""


class TooMany(BadInput):
    """Browsers report more than anybody would read."""

    status, code = 429, "too-many"


@dataclass(frozen=True)
class View:
    """The registry for one viewer, at whatever revision it is."""

    registry: PublicRegistry
    viewer: Viewer
    root: str
    operations: bool = False
    shared: bool = False

    def snapshot(self) -> Snapshot:
        """Read it. The rows may be newer than the revision, never older."""
        return self.registry.read(self.viewer, self.root, shared=self.shared)


@dataclass(frozen=True)
class Reading:
    """What snapshots are made of, whoever looks. `at` is when it was read, of the clock that only grows."""

    epoch: str
    rev: int
    shown: list[tuple[Live, Bundle | None]]
    pages: list[Page]
    unconfirmed: list[str]
    framed: frozenset[str]
    at: float


class PublicRegistry:
    """An ASGI application below `{api_prefix}/hotbay`: `registry`, `registry/events`, `browser-errors`."""

    def __init__(self, hotbay: Hotbay, viewers: Viewers) -> None:
        self.hotbay = hotbay
        self._viewers = viewers
        root = f"{hotbay.settings.api_prefix}/hotbay"
        self._paths = {f"{root}/registry": self._now, f"{root}/registry/events": self._news}
        self._errors = f"{root}/browser-errors"
        self._told: deque[tuple[float, str]] = deque()
        self._reading = threading.Lock()
        self._last: Reading | None = None

    def answers(self, method: str, path: str) -> bool:
        """True for what everybody may ask."""
        return method == ("POST" if path == self._errors else "GET") and (path in self._paths or path == self._errors)

    async def answer(self, scope: Any, receive: Any, path: str) -> Response:
        """The answer to what `answers` was true for. Raises HotbayError, and what the host's checks raise."""
        if path == self._errors:
            return await self._report(Request(scope, receive))
        viewer = await self._viewers.who(scope, receive)
        return await self._paths[path](Request(scope), View(self, viewer, scope.get("root_path", "")))

    # ── the registry ──────────────────────────────────────────────────────────────────────────────────────────

    def read(self, viewer: Viewer, root: str, *, shared: bool = False) -> Snapshot:
        """The registry now, for a viewer. Reads the database.

        `shared`: once for all who hear of the same change. What does not count as one (the pages of plugins that are
        not installed) may be as old as that reading.
        """
        found = self._shared() if shared else self._read(*self.hotbay.store.rev())
        body = snapshot(
            found.shown,
            found.pages,
            viewer,
            epoch=found.epoch,
            rev=found.rev,
            root=root,
            framed=found.framed,
            unconfirmed=found.unconfirmed,
        )
        return Snapshot(found.epoch, found.rev, json.dumps(body, separators=(",", ":")))

    def _shared(self) -> Reading:
        """Threads that read at once take the interpreter from each other: one reads, the others wait for it."""
        with self._reading:
            number, last = self.hotbay.store.rev(), self._last
            if last is None or (last.epoch, last.rev) != number or time.monotonic() - last.at > _SHARED_SECONDS:
                self._last = last = self._read(*number)
            return last

    def _read(self, epoch: str, rev: int) -> Reading:
        """The rows, which may be newer than the revision that was read before."""
        at = time.monotonic()
        rows = {} if self.hotbay.settings.safe_mode else self.hotbay.store.all_live()
        frontends = self.hotbay.settings.frontends
        shown = [(row, bundle_of(row) if frontends else None) for row in rows.values()]
        pages = [
            Page(claim.pattern, claim.plugin, claim.name, claim.plugin in rows)
            for claim in self.hotbay.claims(rows)
            if claim.page
        ]
        unconfirmed = [item.plugin for item in pending(self.hotbay.store)]
        return Reading(epoch, rev, shown, pages, unconfirmed, self._framed(rows), at)

    def _framed(self, rows: Mapping[str, Live]) -> frozenset[str]:
        """The plugins whose frontends the host does not trust, by its settings and who made them."""
        settings = self.hotbay.settings
        if settings.frontend_frames == "none":  # Each browser asks for this: nothing is read for what nobody set.
            return frozenset()
        framed, policy = settings.framed, self.hotbay.publishers.policy()
        return frozenset(
            plugin for plugin, row in rows.items() if framed(plugin, verified=word_on_live(row, policy).verified)
        )

    async def _now(self, request: Request, view: View) -> Response:
        found = await asyncio.to_thread(view.snapshot)
        return Response(found.text, media_type="application/json", headers={"Cache-Control": "no-store"})

    async def _news(self, request: Request, view: View) -> Response:
        view = replace(view, shared=True)
        return stream(self.hotbay.feed.subscribe(request.headers.get("last-event-id", ""), view))

    # ── what browsers report ──────────────────────────────────────────────────────────────────────────────────

    async def _report(self, request: Request) -> Response:
        """Into the plugin's log. Raises BadInput, NotFound, TooMany."""
        refuse_cross_site(request)
        try:
            told = BrowserError.model_validate_json(await _body(request))
        except ValidationError:
            raise BadInput("this is no report of an error", mend="send plugin, digest, kind, name, message") from None
        if self.hotbay.store.find_live(told.plugin) is None:
            raise NotFound(f"plugin {told.plugin!r} is not installed")
        self._refuse_flood(told.plugin)
        lines = [f"in a browser: {told.kind} {told.name} ({told.digest}): {told.message}", f"at {told.url}", told.stack]
        text = "\n  | ".join(_plain("\n".join(lines)).strip().splitlines())
        logging.getLogger(f"{PREFIX}.{told.plugin}").error("%s", text)
        return JSONResponse({"noted": True}, 202)

    def _refuse_flood(self, plugin: str) -> None:
        now = time.monotonic()
        while self._told and now - self._told[0][0] > _WINDOW_SECONDS:
            self._told.popleft()
        mine = sum(name == plugin for _, name in self._told)
        if mine >= _A_PLUGIN or len(self._told) >= _IN_ALL:
            raise TooMany("browsers report too many errors just now", mend="the first ones are in the plugin's log")
        self._told.append((now, plugin))


async def _body(request: Request) -> bytes:
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _BODY:
            raise TooLarge(f"a report has at most {_BODY:,} bytes")
    return data


def _plain(text: str) -> str:
    """Without control characters: a log is read in terminals."""
    return _ODD.sub("�", text)
