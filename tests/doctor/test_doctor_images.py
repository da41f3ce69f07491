"""Code, documents, staged trees and uploads that nothing needs go; images that are needed come back."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from doctor.patients import found, mends_by_choice, mends_itself, one
from engine_host import Kind, run, shop
from hotbay.folder import digest
from hotbay.offline import OfflineHost

DEAD = f"{2**22 + 1}"


@pytest.fixture
def installed(host: OfflineHost, packages: Path) -> OfflineHost:
    shop(packages, "1.0.0")
    run(host, Kind.INSTALL, version="1.0.0")
    assert found(host) == {}
    return host


def image_of(host: OfflineHost) -> Path:
    return host.images.path(host.store.get_live("shop").image)


def test_a_missing_image_comes_back(installed: OfflineHost) -> None:
    image = image_of(installed)
    shutil.rmtree(image)
    mends_itself(installed, f"images:missing:{image.name}")
    assert digest(image) == image.name


def test_a_changed_image_is_replaced_when_it_is_named(installed: OfflineHost) -> None:
    image = image_of(installed)
    (image / "backend" / "routes.py").write_text("# a hurried patch\n")
    mends_by_choice(installed, f"images:changed:{image.name}")
    assert digest(image) == image.name


def test_one_whose_content_is_nowhere_is_only_named(installed: OfflineHost) -> None:
    image = image_of(installed)
    shutil.rmtree(installed.settings.packages)
    shutil.rmtree(installed.settings.plugins / "shop")
    (image / "backend" / "routes.py").write_text("# a hurried patch\n")
    item = found(installed)[f"images:changed:{image.name}"]
    assert (item.fixable, item.choice) == (False, False)


LEFT = {
    "images:unused:" + "f" * 64: "images/" + "f" * 64 + "/x.py",
    "images:half:.gone-" + "e" * 64: "images/.gone-" + "e" * 64 + "/x.py",
    f"staging:left:{DEAD}-abc": f"staging/{DEAD}-abc/x.py",
    "documents:unused:" + "f" * 64 + ".json": "cache/openapi/" + "f" * 64 + ".json",
    "uploads:left:abc.package": "uploads/abc.package",
    "plugins-folder:left:.hotbay-new-7-shop": "plugins/.hotbay-new-7-shop/x.py",
}


@pytest.mark.parametrize("name", LEFT)
def test_what_nothing_needs_goes(installed: OfflineHost, name: str) -> None:
    path = installed.settings.home / LEFT[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    os.utime(path, (time.time() - 7200,) * 2)
    assert one(installed).id == name
    mends_itself(installed, name)
    assert not path.exists()


def test_what_is_needed_or_young_is_not_left_over(installed: OfflineHost) -> None:
    uploads = installed.settings.home / "uploads"
    uploads.mkdir()
    (uploads / "young.package").write_text("")
    (installed.settings.staging / f"{os.getpid()}-at-work").mkdir()
    assert found(installed) == {}
