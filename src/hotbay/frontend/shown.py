"""What a live row says of what its plugin shows in browsers, and the files for it, made of a package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hotbay.frontend.assets import Assets
from hotbay.frontend.build import build
from hotbay.frontend.bundle import Bundle
from hotbay.frontend.toolchain import Toolchain
from hotbay.model import Live
from hotbay.settings import Settings
from hotbay_sdk.manifest import Manifest

# Where a row keeps it: `Live.extra[FRONTEND]`.
FRONTEND = "frontend"


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
