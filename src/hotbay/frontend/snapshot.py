"""What a browser is told of the registry: active plugins, what they add, and what of it this viewer may see. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hotbay.frontend.bundle import Bundle
from hotbay.frontend.frames import enframe, reach_of
from hotbay.model import Live

GUEST, USER, ADMIN = "guest", "user", "admin"
_NOTHING: dict[str, Any] = {
    **{kind: [] for kind in ("pages", "menu", "components", "widgets", "settings", "commands")},
    "messages": {},
}
Item = dict[str, Any]


@dataclass(frozen=True)
class Viewer:
    """Who looks: `role` is guest, user or admin."""

    role: str = GUEST
    name: str = ""

    def may(self, item: Mapping[str, Any]) -> bool:
        """True when what is guarded like this may be shown."""
        if item.get("requireAdmin"):
            return self.role == ADMIN
        return self.role != GUEST or not item.get("requireAuth")

    def to_json(self) -> dict[str, str]:
        """As browsers get it."""
        return {"role": self.role, "name": self.name}


@dataclass(frozen=True)
class Page:
    """A page of a plugin that is known and not active."""

    path: str
    plugin: str
    name: str
    installed: bool


def snapshot(
    shown: Iterable[tuple[Live, Bundle | None]],
    claims: Iterable[Page],
    viewer: Viewer,
    *,
    epoch: str,
    rev: int,
    root: str,
    framed: Collection[str] = (),
    unconfirmed: Iterable[str] = (),
) -> dict[str, Any]:
    """The registry at one revision for one viewer. `root` stands before every address.

    `framed` are the plugins whose frontends the host does not trust, `unconfirmed` those of which a change waits for
    somebody to confirm it: administrators ask for more only when there are any.
    """
    told = [(row, bundle) for row, bundle in shown if row.active and not row.problem]
    plugins = [_plugin(row, bundle, viewer, root, row.plugin in framed) for row, bundle in told]
    known = {(item.path, item.plugin): item for item in claims}
    return {
        "epoch": epoch,
        "rev": rev,
        "viewer": viewer.to_json(),
        "plugins": plugins,
        "claims": [vars(item) for item in known.values()],
        "unconfirmed": sorted(unconfirmed) if viewer.role == ADMIN else [],
    }


def _plugin(row: Live, bundle: Bundle | None, viewer: Viewer, root: str, framed: bool) -> Item:
    digest = bundle.digest if bundle else ""
    added = _NOTHING | visible(bundle.contributions, viewer) if bundle else _NOTHING
    reach = reach_of(row.contributions, root) if framed else []
    return {
        "id": row.plugin,
        "name": row.manifest.get("name", row.plugin),
        "version": row.version,
        "digest": digest,
        "base": f"{root}/hotbay/assets/{row.plugin}/{digest}/" if bundle else "",
        "styles": list(bundle.styles) if bundle else [],
        "integrity": dict(bundle.files) if bundle else {},
        "trusted": not framed,
        "reach": reach,
        "contributions": enframe(added, reach) if framed else added,
    }


def visible(contributions: Mapping[str, Any], viewer: Viewer) -> Item:
    """What of a plugin's contributions a viewer may see.

    A page that he may not see is still named, without its module: whoever opens it is asked to log in, instead of being
    told that it does not exist. A menu entry is guarded like the page that it leads to.
    """
    pages = contributions["pages"]
    guards = {page["path"]: page for page in pages}
    menu = [entry for entry in contributions["menu"] if viewer.may(entry) and viewer.may(guards.get(entry["href"], {}))]
    return {
        **contributions,
        "pages": [page if viewer.may(page) else page | {"module": "", "title": ""} for page in pages],
        "menu": menu,
        "widgets": [item for item in contributions["widgets"] if viewer.may(item)],
        "settings": list(contributions["settings"]) if viewer.role == ADMIN else [],
        "commands": [
            item
            for item in contributions["commands"]
            if viewer.may(item) and viewer.may(guards.get(item["href"] or "", {}))
        ],
    }
