"""Compiled frontends that are damaged come back; what no plugin shows and no tab may want goes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from console.fronts import front
from doctor.patients import found, mends_itself, one
from engine_host import Kind, build, run
from hotbay import dress
from hotbay.doctor import mend
from hotbay.frontend.assets import Assets
from hotbay.offline import OfflineHost


@pytest.fixture
def shown(host: OfflineHost, packages: Path) -> OfflineHost:
    made = front("one")
    build(packages, "shop", "1.0.0", files=made["files"], frontend=made["frontend"])
    run(host, Kind.INSTALL, version="1.0.0")
    assert found(host) == {}
    return host


def folder(host: OfflineHost) -> Path:
    bundle = dress.bundle_of(host.store.get_live("shop"))
    assert bundle is not None
    return Assets(host.settings.assets).path("shop", bundle.digest)


def test_a_changed_file_is_compiled_anew(shown: OfflineHost) -> None:
    file = next(path for path in sorted(folder(shown).iterdir()) if path.suffix == ".js")
    before = file.read_bytes()
    file.write_bytes(before + b"//")
    assert "was changed" in one(shown).message
    mends_itself(shown, "assets:damaged:shop")
    assert file.read_bytes() == before


def test_one_that_can_not_be_made_again_is_said(shown: OfflineHost) -> None:
    shutil.rmtree(folder(shown))
    shutil.rmtree(shown.images.path(shown.store.get_live("shop").image) / "frontend")
    assert "assets:damaged:shop" in mend(shown.applier, ["assets:damaged:shop"]).failed


def test_what_nobody_shows_goes_and_what_open_tabs_may_want_stays(shown: OfflineHost) -> None:
    for name in ("0" * 16, "1" * 16, ".gone-" + "2" * 16):
        shutil.copytree(folder(shown), folder(shown).with_name(name))
    folder(shown).with_name("1" * 16 + ".left").touch()
    names = {f"assets:unused:shop/{'0' * 16}", f"assets:half:shop/.gone-{'2' * 16}"}
    assert set(found(shown)) == names
    for name in sorted(names):
        mends_itself(shown, name) if name in found(shown) else None
    assert Assets(shown.settings.assets).of("shop") == sorted({"1" * 16, folder(shown).name})
