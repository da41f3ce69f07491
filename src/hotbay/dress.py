"""What a plugin shows in browsers, as a verb: compiled beside what serves before the switch, and settled after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hotbay.bench import Bench, Record
from hotbay.errors import HotbayError, OperationFailed
from hotbay.frontend import Bundle, Toolchain, build
from hotbay.frontend.assets import Assets
from hotbay.images import Images
from hotbay.model import Live
from hotbay.settings import Settings
from hotbay_sdk.manifest import Manifest, parse

FRONTEND = "frontend"


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


def make(settings: Settings, package: Path, manifest: Manifest) -> Bundle:
    """Compile a package's frontend into the assets; safe to repeat. Raises as `build` does."""
    settings.staging.mkdir(parents=True, exist_ok=True)
    # Staged, as whatever a killed process may leave: it is swept with the rest.
    with build(package, manifest, Toolchain.installed(), settings.staging) as (bundle, files):
        Assets(settings.assets).adopt(files, manifest.id, bundle.digest)
    return bundle


def bundle_of(row: Live) -> Bundle | None:
    """What a plugin shows; None when it shows nothing, or when the row does not say it any more."""
    found: Any = row.extra.get(FRONTEND)
    try:
        return Bundle.from_json(found) if found else None
    except (KeyError, TypeError, ValueError):
        return None


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
        made = make(settings, Images(settings.images).path(row.image), parse(row.manifest))
    except HotbayError:
        return False
    return made.digest == bundle.digest
