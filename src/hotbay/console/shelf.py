"""What an administrator sees of plugins: offers joined with live rows, workers and folders. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from hotbay.confirmations import Confirmation, all_confirmations
from hotbay.errors import HotbayError, NotFound, Problem
from hotbay.folders import Folders
from hotbay.leaks import Leak, all_leaks
from hotbay.model import Live, Trust
from hotbay.presence import Status
from hotbay.publishers import word_on, word_on_live
from hotbay.source import LocalSource, Offer
from hotbay.verify import TrustedPublishers

if TYPE_CHECKING:
    from hotbay.asgi import Hotbay

_SHOWN = ("name", "description", "category", "price", "author", "icon", "features", "homepage", "license")


NOBODY = TrustedPublishers(())


@dataclass(frozen=True)
class Addon:
    """One plugin as the marketplace shows it: what is offered (the highest first), and the live row if there is one.

    `policy` knows whom the host trusts.
    """

    id: str
    offers: tuple[Offer, ...]
    live: Live | None
    policy: TrustedPublishers = NOBODY

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Of the newest offer, else of what is installed."""
        if self.offers:
            return self.offers[0].manifest
        return self.live.manifest if self.live is not None else {}

    @property
    def latest(self) -> str:
        """The version that `install` would choose: the highest, a pre-release only when there is nothing else."""
        final = [offer.version for offer in self.offers if not Version(offer.version).is_prerelease]
        known = final or [offer.version for offer in self.offers]
        return known[0] if known else (self.live.version if self.live else "")

    @cached_property
    def words(self) -> tuple[tuple[Trust, Problem | None], ...]:
        """Of each offer who made it, or what is wrong with its signature: each is verified once."""
        return tuple(word_on(offer, self.policy) for offer in self.offers)

    @property
    def trust(self) -> Trust:
        """Who made what is installed; if nothing is, what `install` would choose."""
        if self.live is not None:
            return word_on_live(self.live, self.policy)
        return next(
            word[0] for offer, word in zip(self.offers, self.words, strict=True) if offer.version == self.latest
        )

    @property
    def runtime(self) -> str:
        """What runs its code: `inprocess` or `isolated`."""
        return runtime_of(self.manifest)

    @property
    def paid(self) -> bool:
        """True when it has a price."""
        return bool(self.manifest.get("price"))

    def to_json(self) -> dict[str, Any]:
        """One line of the marketplace."""
        shown = {name: self.manifest.get(name) for name in _SHOWN}
        live = self.live
        return {
            "id": self.id,
            **shown,
            "name": shown["name"] or self.id,
            "runtime": self.runtime,
            "versions": [offer.version for offer in self.offers],
            "latest": self.latest,
            "offered": bool(self.offers),
            "installed": live is not None,
            "enabled": live is not None and live.active,
            "installed_version": live.version if live else None,
            "update_available": live is not None and _newer(self.latest, live.version),
            "problem": live.problem if live else "",
            "trust": self.trust.to_json(),
        }

    def packages(self) -> list[dict[str, Any]]:
        """What is offered, each with who made it."""
        return [
            {"version": one.version, "sha256": one.sha256, "size": one.size, "trust": word[0].to_json()}
            for one, word in zip(self.offers, self.words, strict=True)
        ]

    def fits(
        self, search: str, category: str, installed: bool | None, *, paid: bool | None = None, runtime: str = ""
    ) -> bool:
        """True when the plugin is among what is looked for."""
        if installed not in (None, self.live is not None) or paid not in (None, self.paid):
            return False
        if runtime not in ("", self.runtime):
            return False
        if category and str(self.manifest.get("category") or "").casefold() != category.casefold():
            return False
        words = (self.id, *(self.manifest.get(name) for name in ("name", "description", "category", "author")))
        text = " ".join(str(word) for word in words if word).casefold()
        return all(part in text for part in search.casefold().split())


def _newer(one: str, other: str) -> bool:
    try:
        return Version(one) > Version(other)
    except InvalidVersion:
        return False


def addons(hotbay: Hotbay) -> tuple[list[Addon], list[dict[str, Any]]]:
    """Every plugin that is offered or installed, and what is wrong with the source: then the installed ones remain."""
    problems: list[dict[str, Any]] = []
    offers: list[Offer] = []
    try:
        source = hotbay.catalog.source()
        offers = hotbay.catalog.offers()
        if isinstance(source, LocalSource):
            problems += [problem.to_json() for problem in source.problems()]
    except HotbayError as error:
        problems.append(error.to_json())
    found = joined(offers, hotbay.store.all_live(), hotbay.publishers.policy())
    problems += [problem.to_json() for one in found for _, problem in one.words if problem is not None]
    return found, problems


def runtime_of(manifest: Mapping[str, Any]) -> str:
    """What runs the code of a package: `inprocess` or `isolated`."""
    return str((manifest.get("backend") or {}).get("runtime") or "inprocess")


def joined(offers: Sequence[Offer], live: Mapping[str, Live], policy: TrustedPublishers = NOBODY) -> list[Addon]:
    """Offers (the highest version of each plugin first) and live rows, plugin by plugin."""
    return [_addon(plugin, offers, live, policy) for plugin in sorted({*live, *(offer.id for offer in offers)})]


def addon(hotbay: Hotbay, plugin: str) -> Addon:
    """One plugin; raises NotFound, or SourceError when only the source could know it."""
    live = hotbay.store.all_live()
    try:
        offers = hotbay.catalog.offers()
    except HotbayError:
        if plugin not in live:
            raise
        offers = []
    found = _addon(plugin, offers, live, hotbay.publishers.policy())
    if found.live is None and not found.offers:
        raise NotFound(f"there is no plugin {plugin!r} here", mend="look at the list of addons")
    return found


def _addon(plugin: str, offers: Sequence[Offer], live: Mapping[str, Live], policy: TrustedPublishers) -> Addon:
    return Addon(plugin, tuple(offer for offer in offers if offer.id == plugin), live.get(plugin), policy)


# ── what is installed ───────────────────────────────────────────────────────────────────────────────────────────


def live_json(
    row: Live,
    leak: Leak | None = None,
    confirmation: Confirmation | None = None,
    policy: TrustedPublishers = NOBODY,
) -> dict[str, Any]:
    """A live row, without what only workers need; `leak` is what is known of its unloading."""
    return {
        "id": row.plugin,
        "addon_id": row.plugin,
        "name": row.manifest.get("name", row.plugin),
        "version": row.version,
        "enabled": row.active,
        "state": row.state.value,
        "sha256": row.sha256,
        "image": row.image,
        "revision": row.revision,
        "source": row.source,
        "grants": list(row.grants),
        "installed_at": row.installed_at,
        "updated_at": row.updated_at,
        "problem": row.problem,
        "trust": word_on_live(row, policy).to_json(),
        "leak": leak,
        "confirmation": confirmation.to_json() if confirmation is not None else None,
        "has_settings": row.contributions.settings_schema is not None,
        "in_progress": row.candidate is not None,
        "manifest": row.manifest,
    }


def installed(hotbay: Hotbay) -> dict[str, Any]:
    """The live rows with what each worker and the plugins folder say; and folders that could not be brought in."""
    epoch, rev = hotbay.store.rev()
    live, refusals = hotbay.store.all_live(), hotbay.store.all_refusals()
    leaks, confirmations = all_leaks(hotbay.store), all_confirmations(hotbay.store)
    statuses, policy = hotbay.follower.workers.statuses(), hotbay.publishers.policy()
    folders = Folders(hotbay.settings.plugins)
    found = folders.scan()
    rows = [
        live_json(row, leaks.get(plugin), confirmations.get(plugin), policy)
        | {
            "workers": [worker_json(status, plugin) for status in statuses],
            "folder": {"name": found[plugin].path.name, "active": found[plugin].active} if plugin in found else None,
            "refusal": _refusal(refusals.get(plugin)),
        }
        for plugin, row in live.items()
    ]
    waiting = [
        {"id": plugin, "folder": item.path.name, "active": item.active, "refusal": _refusal(refusals.get(plugin))}
        for plugin, item in found.items()
        if plugin not in live
    ]
    return {
        "epoch": epoch,
        "rev": rev,
        "safe_mode": hotbay.settings.safe_mode,
        "addons": rows,
        "waiting": waiting,
        "strangers": folders.strangers(),
    }


def _refusal(row: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if row is None else {"problem": row["problem"], "at": row["at"]}


def worker_json(status: Status, plugin: str) -> dict[str, Any]:
    """What one worker says of one plugin."""
    said = dict(status.of(plugin))
    prepared = said.pop("prepared", None)
    if prepared:
        said["prepared"] = {key: value for key, value in prepared.items() if key != "contributions"}
    return {"worker": status.worker, "pid": status.pid, "beacon": status.beacon, **said}
