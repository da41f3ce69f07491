"""Rows and manifests for the tests of the registry's rooms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hotbay.model import Contributions, Live, Route, State
from hotbay_sdk.manifest import Manifest, dump, parse


def manifest(plugin: str = "shop", version: str = "1.0.0", **fields: Any) -> Manifest:
    """A manifest that says the least."""
    return parse({"id": plugin, "name": plugin.title(), "version": version, **fields})


def live(
    plugin: str = "shop",
    version: str = "1.0.0",
    *,
    state: State = State.ACTIVE,
    revision: int = 1,
    image: str = "",
    routes: tuple[str, ...] = (),
    mounts: tuple[str, ...] = (),
    problem: str = "",
    **fields: Any,
) -> Live:
    """A live row; `fields` are the manifest's, `routes` and `mounts` what the loaded code was seen to answer."""
    return Live(
        plugin=plugin,
        version=version,
        sha256="5" * 64,
        image=image or f"image-{plugin}-{version}",
        state=state,
        revision=revision,
        manifest=dump(manifest(plugin, version, **fields)),
        contributions=Contributions(routes=tuple(Route(path) for path in routes), mounts=mounts),
        source="local",
        grants=("mail.send",),
        installed_at="2026-01-01",
        updated_at="2026-01-02",
        problem=problem,
    )


def plugin_folder(root: Path, plugin: str = "shop", version: str = "1.0.0", **fields: Any) -> Path:
    """A folder with a manifest and one Python file."""
    import json

    (root / "backend").mkdir(parents=True)
    (root / "backend" / "__init__.py").write_text(f"VERSION = {version!r}\n")
    (root / "metadata.json").write_text(json.dumps({"id": plugin, "name": plugin, "version": version, **fields}))
    return root
