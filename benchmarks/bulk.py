"""Install many small plugins at once, into a home whose server does not run: the state that as many installs leave.

Every plugin is a real package in the local source, verified, unpacked and byte-compiled to its image, copied to its
folder, and recorded in live rows, history and `addon_registry.json`. Only the journal is left out, and that each is
loaded once: the first is installed by the engine and served by a host, and what was found out about it then (what it
contributes, its OpenAPI document) is written down for the others under their own names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hotbay import store
from hotbay.model import Contributions, Live, Version
from hotbay.offline import OfflineHost
from hotbay.source import UploadSource
from hotbay.verify import AllowUnsigned, VerifiedPackage, verify
from hotbay_sdk.manifest import dump
from operate import Engine
from packages import build_hello

FIRST = "bulk_0000"


def install_first(env: Mapping[str, str]) -> None:
    """Install `bulk_0000` by the engine. Let a server serve it once before `install_rest`."""
    build_hello(Path(env["HOTBAY_LOCAL_PACKAGES"]), FIRST)
    Engine(env).run("install", FIRST)


def install_rest(env: Mapping[str, str], count: int) -> None:
    """Install `bulk_0001`, `bulk_0002`, … up to `count` in all. Each answers `GET /api/v1/{plugin}/pid`."""
    names = [f"bulk_{number:04d}" for number in range(1, count)]
    for name in names:
        build_hello(Path(env["HOTBAY_LOCAL_PACKAGES"]), name)
    host = Engine(env).host
    model = host.store.get_live(FIRST)
    rows = [_bring(host, name, model) for name in names]
    with host.store.write() as connection:
        for row in rows:
            store.put_live(connection, row)
    live, (epoch, rev) = host.store.all_live(), host.store.rev()
    host.applier.folders.write_registry(live.values(), epoch, rev)
    host.close()
    if len(live) != count or not all(row.active for row in live.values()):
        raise RuntimeError(f"{len(live)} of {count} plugins are installed")


def _bring(host: OfflineHost, name: str, model: Live) -> Live:
    """Image and folder of one plugin; its row."""
    archive = host.settings.packages / f"{name}_v1.0.0.zip"
    with TemporaryDirectory(dir=host.settings.home) as temporary:
        download = UploadSource(archive).fetch(name, "latest", Path(temporary))
        package = verify(download, Path(temporary) / "tree", policy=AllowUnsigned())
        image = host.images.adopt(package.root, package.version.image)
    host.applier.folders.shelve(image, 0, name)
    host.applier.folders.publish(0, name, active=True)
    row = _row(package, model)
    document = host.settings.documents / f"{model.image}.json"
    text = document.read_text(encoding="utf-8").replace(model.plugin, name)
    (host.settings.documents / f"{row.image}.json").write_text(text, encoding="utf-8")
    return row


def _row(package: VerifiedPackage, model: Live) -> Live:
    version: Version = package.version
    text = json.dumps(model.contributions.to_json()).replace(model.plugin, version.plugin)
    contributions: dict[str, Any] = json.loads(text)
    return replace(
        model,
        plugin=version.plugin,
        version=version.version,
        sha256=version.sha256,
        image=version.image,
        source=version.source,
        manifest=dump(package.manifest),
        contributions=Contributions.from_json(contributions),
    )
