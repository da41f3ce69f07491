"""Which packages this host knows: the configured source, its offers, and the paths that they would answer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.version import Version

from hotbay.errors import HotbayError, InvalidConfig
from hotbay.model import Live
from hotbay.settings import Settings
from hotbay.source import LocalSource, Offer, RemoteSource, Source
from hotbay.table import Claim
from hotbay_sdk.manifest import Manifest, ManifestError, parse

log = logging.getLogger("hotbay.catalog")


class Catalog:
    """The source of one host. Reading a local folder is cached by the files' times."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.shop = ""  # Where the console's marketplace is, below the host's root path.
        self._local = LocalSource(settings.packages)
        self._stamp: tuple[int, ...] = ()
        self._known: dict[str, Manifest] = {}

    def source(self) -> Source:
        """The configured source."""
        return self.remote() if self.settings.plugin_source == "remote" else self._local

    def remote(self) -> Source:
        """The repository at PLUGIN_SERVER_URL; raises InvalidConfig when none is configured."""
        if not self.settings.plugin_server_url:
            raise InvalidConfig(
                "no repository is configured", mend="set PLUGIN_SERVER_URL, or install from the local folder"
            )
        return RemoteSource(self.settings.plugin_server_url)

    def offers(self) -> list[Offer]:
        """All packages of the source, the highest version of each plugin first. Raises SourceError."""
        return sorted(self.source().list(), key=lambda offer: (offer.id, _Descending(offer.version)))

    def claims(self, rows: Mapping[str, Live]) -> tuple[Claim, ...]:
        """The paths of plugins that are installed and inactive, or were offered in the local folder at `refresh`."""
        idle = [manifest for plugin, manifest in self._known.items() if plugin not in rows]
        idle += [row.parsed for row in rows.values() if not row.active]
        return tuple(claim for manifest in idle for claim in _claims(manifest, manifest.id in rows, self.shop))

    def refresh(self) -> bool:
        """Look what the local folder offers; True when that has changed. Takes about 0.5 ms a package that is new.

        A remote repository is not asked: it would be on behalf of every request to a path that nobody answers.
        """
        stamp = _stamp(self.settings.packages)
        if stamp == self._stamp:
            return False
        known, before = _newest(self._local), self._known
        self._stamp, self._known = stamp, known
        return known != before


def _stamp(folder: Path) -> tuple[int, ...]:
    """The times of a folder and the folders in it: they change when a file comes or goes."""
    if not folder.is_dir():
        return ()
    below = (item.stat().st_mtime_ns for item in sorted(folder.iterdir()) if item.is_dir())
    return folder.stat().st_mtime_ns, *below


def _newest(source: Source) -> dict[str, Manifest]:
    found: dict[str, Manifest] = {}
    try:
        offers = source.list()
    except HotbayError as error:
        log.warning("the local source can't be read: %s", error)
        return found
    for offer in sorted(offers, key=lambda item: Version(item.version)):
        try:
            found[offer.id] = parse(dict(offer.manifest))
        except ManifestError as error:
            log.warning("%s: %s", offer.location, error)
    return found


def _claims(manifest: Manifest, installed: bool, shop: str) -> Iterable[Claim]:
    how = f"An administrator can {'activate' if installed else 'install'} it in the marketplace"
    how += f" (`hotbay {'activate' if installed else 'install'} {manifest.id}`)."
    for path in (*manifest.backend.routes, *([f"{manifest.backend.mount}/*"] if manifest.backend.mount else [])):
        yield Claim(path, manifest.id, manifest.name, how)
    for path in manifest.frontend.routes:
        yield Claim(path, manifest.id, manifest.name, how, page=True, shop=f"{shop}/{manifest.id}" if shop else "")


class _Descending:
    """Sorts versions from the highest to the lowest inside an ascending sort."""

    def __init__(self, version: str) -> None:
        self.version = Version(version)

    def __lt__(self, other: _Descending) -> bool:
        return other.version < self.version
