"""What a plugin shows in browsers, as a verb: compiled beside what serves before the switch, and settled after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hotbay.bench import Bench, Record
from hotbay.errors import HotbayError, OperationFailed
from hotbay.frontend.assets import Assets
from hotbay.frontend.shown import FRONTEND, bundle_of, make
from hotbay.images import Images
from hotbay.model import Live
from hotbay.settings import Settings

__all__ = ["FRONTEND", "Compile", "bundle_of", "damaged", "in_use", "make", "mend", "settle"]


class Compile:
    """The frontend, compiled and checked, beside the others. The row says what it adds."""

    verb = "compile"

    def do(self, bench: Bench, params: Record) -> Record:
        """Compile it into the assets. Raises InvalidPackage with file, line and mend."""
        row = bench.row
        if row is None:
            raise OperationFailed("there is nothing to compile")
        assets = Assets(bench.settings.assets)
        bundle = make(bench.settings, bench.images.path(params["image"]), bench.manifest)
        bench.row = replace(row, extra=row.extra | {FRONTEND: bundle.to_json()})
        bench.sync_later(assets.path(bench.plugin, bundle.digest))
        return {"digest": bundle.digest, "files": len(bundle.files)}

    def undo(self, bench: Bench, record: Record) -> None:
        """Delete what nothing uses: what this made, whether it got so far as to say so or not."""
        bench.stop_syncing()
        assets = Assets(bench.settings.assets)
        for plugin, digest in list(assets.stray(in_use(bench.store.all_live().values()))):
            if plugin == bench.plugin:
                assets.remove(plugin, digest)


def in_use(rows: Iterable[Live]) -> frozenset[tuple[str, str]]:
    """Plugins and digests that live rows name."""
    found = ((row.plugin, bundle_of(row)) for row in rows)
    return frozenset((plugin, bundle.digest) for plugin, bundle in found if bundle is not None)


def settle(settings: Settings, row: Live | None, plugin: str) -> None:
    """After a switch: what serves now is there to stay, what was left waits for its end. Safe to repeat."""
    assets = Assets(settings.assets)
    if row is None:
        assets.forget(plugin)
    else:
        bundle = bundle_of(row)
        assets.settle(plugin, bundle.digest if bundle else "", settings.asset_seconds)


def damaged(settings: Settings, row: Live) -> str:
    """What is wrong with the files of what a plugin shows; empty when nothing is."""
    bundle = bundle_of(row)
    return Assets(settings.assets).damage(row.plugin, bundle) if bundle is not None else ""


def mend(settings: Settings, row: Live) -> bool:
    """Compile damaged files anew from the image; True when they are what they were again."""
    assets, bundle = Assets(settings.assets), bundle_of(row)
    if bundle is None or not assets.damage(row.plugin, bundle):
        return False
    assets.remove(row.plugin, bundle.digest)
    try:
        made = make(settings, Images(settings.images).path(row.image), row.parsed)
    except HotbayError:
        return False
    return made.digest == bundle.digest
