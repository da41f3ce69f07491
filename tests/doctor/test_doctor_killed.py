"""A mend that is killed leaves the finding as it was, or mended; never a third thing. Of rows: test_doctor_former."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from doctor.patients import found, sql
from engine_host import Kind, elsewhere, opened, run, shop
from hotbay.backups import list_backups
from hotbay.doctor import mend
from hotbay.offline import OfflineHost

KILLED = -9


def mend_and_die(home: Path, finding: str, deadly: str, listed: Path | None) -> None:
    """In a process of its own: mend a finding and die at a point, or list the points."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "torture"))
    from faults import Faults

    with opened(home) as host:
        faults = Faults(home, deadly).install()
        assert not mend(host.applier, [finding]).failed
        faults.pause()
    if listed is not None:
        listed.write_text("\n".join(faults.listed))


def lost_backup(host: OfflineHost) -> str:
    (host.settings.backups / list_backups(host.store)[0].folder / "data.db").unlink()
    return f"backups:lost:{list_backups(host.store)[0].id}"


def unknown_backup(host: OfflineHost) -> str:
    shutil.copytree(host.settings.backups / list_backups(host.store)[0].folder, host.settings.backups / "shop-1.0.0-99")
    return "backups:unknown:shop-1.0.0-99"


def changed_image(host: OfflineHost) -> str:
    image = host.images.path(host.store.get_live("shop").image)
    (image / "backend" / "routes.py").write_text("# a hurried patch\n")
    return f"images:changed:{image.name}"


def unused_image(host: OfflineHost) -> str:
    shutil.copytree(host.images.path(host.store.get_live("shop").image), host.settings.images / ("f" * 64))
    return "images:unused:" + "f" * 64


def lost_operations(host: OfflineHost) -> str:
    sql(host, "DELETE FROM hotbay_operations WHERE id = 1", "DELETE FROM hotbay_steps WHERE operation = 1")
    return "receipts:orphaned:1"


def overdue_change(host: OfflineHost) -> str:
    shop(host.settings.home.parent / "packages", "1.1.0")
    run(host, Kind.UPGRADE, version="1.1.0", confirm_within=600.0)
    sql(host, "UPDATE hotbay_confirmations SET used = 660")
    return "confirmations:overdue:shop"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    (folder / "packages").mkdir()
    shop(folder / "packages", "1.0.0")
    with opened(folder / "home") as host:
        for kind in (Kind.INSTALL, Kind.BACKUP):
            run(host, kind)
        assert found(host) == {}
    return folder


DAMAGES = [lost_backup, unknown_backup, changed_image, unused_image, lost_operations, overdue_change]


@pytest.mark.parametrize("damage", DAMAGES)
def test_old_or_new(sound: Path, tmp_path: Path, damage: Callable[[OfflineHost], str]) -> None:
    shutil.copytree(sound, tmp_path / "root")
    home = tmp_path / "root" / "home"
    with opened(home) as host:
        finding = damage(host)
        assert list(found(host)) == [finding]
    shutil.copytree(home, tmp_path / "root" / "dry")
    elsewhere(mend_and_die, tmp_path / "root" / "dry", finding, "", tmp_path / "points")
    points = (tmp_path / "points").read_text().splitlines()
    for number, point in enumerate(points[:: max(1, len(points) // 3)][1:]):
        trial = tmp_path / "root" / f"trial{number}"
        shutil.copytree(home, trial)
        elsewhere(mend_and_die, trial, finding, point, None, expect=KILLED)
        with opened(trial) as host:
            host.applier.recover_at_start()
            left = found(host)
            assert left.keys() <= {finding}, point
            assert not mend(host.applier, list(left)).failed
            assert found(host) == {}
