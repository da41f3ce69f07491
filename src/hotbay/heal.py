"""What a host that lost a part of its state can restore from the rest, because a content hash says what it was.

A lost image comes back from the plugin's folder or the local source; an unreadable row from its image and the history;
a lost plugins folder from the images. What is nowhere else is named by the doctor.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hotbay import store
from hotbay.errors import HotbayError
from hotbay.folder import copy_tree
from hotbay.folders import Folders
from hotbay.frontend import has_frontend
from hotbay.frontend.shown import FRONTEND, bundle_of, make
from hotbay.images import Images
from hotbay.liverows import UNREADABLE
from hotbay.model import Contributions, Live, State
from hotbay.package import read_manifest
from hotbay.settings import Settings
from hotbay.source import LocalSource
from hotbay.staging import temporary_tree
from hotbay.store import Store
from hotbay.verify import AllowUnsigned, verify, verify_folder
from hotbay_sdk.manifest import Manifest, dump

log = logging.getLogger("hotbay.heal")


def restore_image(settings: Settings, row: Live) -> Path | None:
    """The image of a live row, restored when it is missing and its content is found; None when it is nowhere.

    Only what has the row's content hash is taken: it was verified and granted when it was installed, so no signature is
    asked for again, also where one is required. Safe to repeat and to do in several processes at once: an image comes
    by one rename.
    """
    images = Images(settings.images)
    if images.has(row.image):
        return images.path(row.image)
    with _found(settings, row) as (tree, origin):
        if tree is None:
            return None
        made = images.adopt(tree, row.image, durable=True)
    log.warning("the image of %s %s was missing; it was restored from %s", row.plugin, row.version, origin)
    return made


def replace_image(settings: Settings, row: Live) -> Path | None:
    """Put what was installed in the place of an image that was changed; None when its content is nowhere.

    Safe to repeat. A process that has loaded it keeps what it has loaded.
    """
    with _found(settings, row) as (tree, origin):
        if tree is None:
            return None
        made = Images(settings.images).replace(tree, row.image)
    log.warning("the image of %s %s was changed; it was replaced from %s", row.plugin, row.version, origin)
    return made


def restorable(settings: Settings, row: Live) -> bool:
    """True when `restore_image` would find the content; looks and keeps nothing."""
    with _found(settings, row) as (tree, _):
        return tree is not None


@contextmanager
def _found(settings: Settings, row: Live) -> Iterator[tuple[Path | None, str]]:
    """A copy of a row's content for the block, and where it is from; None when it is nowhere."""
    with temporary_tree(settings.staging) as folder:
        origin = _from_folder(settings, row, folder) or _from_source(settings, row, folder)
        yield (folder / "tree" if origin else None), origin


def _from_folder(settings: Settings, row: Live, into: Path) -> str:
    """Copy the content from the plugin's folder, whatever it is called; empty when it is another content."""
    for folder in (settings.plugins / row.plugin, settings.plugins / f"_{row.plugin}"):
        with suppress(HotbayError, OSError):
            if folder.is_dir() and not folder.is_symlink():
                found = verify_folder(folder, into / "tree", plugin=row.plugin, policy=AllowUnsigned())
                if found.version.image == row.image:
                    return str(folder)
                shutil.rmtree(into / "tree")
    return ""


def _from_source(settings: Settings, row: Live, into: Path) -> str:
    """Unpack the package from the local source; empty when it has none with this content."""
    for offer in LocalSource(settings.packages).list() if settings.packages.is_dir() else ():
        if (offer.id, offer.version) != (row.plugin, row.version):
            continue
        with suppress(HotbayError, OSError):
            download = LocalSource(Path(offer.location).parent).fetch(offer.id, offer.version, into)
            found = verify(download, into / "tree", policy=AllowUnsigned())
            if found.version.image == row.image:
                return offer.location
            shutil.rmtree(into / "tree")
    return ""


def restore_rows(registry: Store, settings: Settings) -> list[str]:
    """Write live rows anew that are not readable; answers the plugins. What can't be restored is left as it is."""
    broken = [row for row in registry.all_live().values() if row.problem.startswith(UNREADABLE)]
    return [row.plugin for row in broken if _restore_row(registry, settings, row)]


def _restore_row(registry: Store, settings: Settings, row: Live) -> bool:
    try:
        image = restore_image(settings, row)
        manifest = read_manifest(image) if image is not None else None
        known = [item for item in registry.history(row.plugin) if item["image"] == row.image]
        contributions = Contributions.from_json(known[0]["contributions"]) if known else None
    except (HotbayError, OSError, ValueError, KeyError, TypeError) as error:
        log.error("the row of %s can't be restored: %s", row.plugin, error)
        return False
    if manifest is None or contributions is None:
        return False
    # The folder's name is what an administrator wanted, where the row does not say it.
    wanted = Folders(settings.plugins).scan().get(row.plugin)
    state = row.state if wanted is None else State.ACTIVE if wanted.active else State.INACTIVE
    extra = row.extra | _shown(settings, row, manifest)
    whole = replace(row, manifest=dump(manifest), contributions=contributions, state=state, extra=extra, problem="")
    with registry.write() as connection:
        store.repair_live(connection, replace(whole, grants=row.grants or manifest.permissions))
    log.warning("the row of %s %s was not readable; it was written anew", row.plugin, row.version)
    return True


def _shown(settings: Settings, row: Live, manifest: Manifest) -> dict[str, Any]:
    """What a row says of its pages in browsers, compiled anew if it says nothing any more. Without them it serves."""
    image = Images(settings.images).path(row.image)
    if not settings.frontends or bundle_of(row) is not None or not has_frontend(image):
        return {}
    try:
        return {FRONTEND: make(settings, image, manifest).to_json()}
    except HotbayError as error:
        log.error("the pages of %s %s could not be compiled anew: %s", row.plugin, row.version, error)
        return {}


def restore_folders(registry: Store, settings: Settings) -> list[str]:
    """Put the plugins' folders back from their images, if all were lost; answers the plugins.

    One folder that is missing was deleted: that uninstalls its plugin.
    """
    folders, rows = Folders(settings.plugins), registry.all_live()
    if folders.scan() or folders.read_registry():
        return []
    done = []
    for row in rows.values():
        with suppress(HotbayError, OSError):
            copy_tree(Images(settings.images).path(row.image), folders.place(row.plugin, active=row.active))
            done.append(row.plugin)
    return done
