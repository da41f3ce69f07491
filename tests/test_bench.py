"""What the steps share: wishes, images in use, rights, and folders that become durable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_host import TWO, opened, prepared, run, shop
from hotbay import bench as benches
from hotbay import store
from hotbay.bench import ask, grant_for, image_of, images_in_use, withdraw
from hotbay.model import Kind
from hotbay.offline import OfflineHost
from hotbay_sdk.manifest import parse
from rows import live, manifest


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OfflineHost]:
    """A host with shop 1.0.0 installed and 1.1.0 in its source."""
    shop(tmp_path / "packages", "1.0.0")
    shop(tmp_path / "packages", "1.1.0", migrations=TWO)
    with opened(tmp_path / "home", ack_seconds=0.5, keep_versions=1) as made:
        run(made, Kind.INSTALL, version="1.0.0")
        yield made


def test_wishes_are_told_and_withdrawn(host: OfflineHost) -> None:
    with prepared(host, Kind.UPGRADE) as bench:
        ask(bench, {"verb": "start"})
        assert host.store.all_candidates() == {"shop": {"verb": "start"}}
        before = bench.beacon.value
        withdraw(bench)
        assert host.store.all_candidates() == {}
        assert bench.beacon.value > before


def test_images_in_use_are_those_of_rows_and_of_their_history(host: OfflineHost) -> None:
    run(host, Kind.UPGRADE)
    rows = [row["image"] for row in host.store.history("shop")]
    assert images_in_use(host.store) == set(rows) == set(host.images.all())
    with host.store.write() as connection:
        store.put_live(connection, live("other"))
        store.forget_versions(connection, "other", ["image-other-1.0.0"])
    assert images_in_use(host.store) == {*rows, "image-other-1.0.0"}


def test_what_a_plugin_may_touch() -> None:
    wanted = parse(live(database={"tables": ["carts"], "reads": ["users"]}).manifest)
    grant = grant_for(wanted, ["shop", "shop_extra"])
    assert grant.owns("carts")
    assert grant.owns("shop_items")
    assert not grant.owns("shop_extra_items")
    assert grant.may_read("users")
    assert not grant_for(manifest(), []).may_read("users")


def test_new_folders_are_durable_before_the_switch(host: OfflineHost, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(benches, "fsync_tree", synced.append)
    with prepared(host, Kind.UPGRADE) as bench:
        folder = host.images.path(live_image(host))
        bench.sync_later(folder)
        bench.wait_synced()
        assert synced == [folder]
        bench.wait_synced()  # nothing is left to wait for


def test_what_the_disk_says_fails_the_switch_but_not_the_undoing(
    host: OfflineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(benches, "fsync_tree", full)
    with prepared(host, Kind.UPGRADE) as bench:
        bench.sync_later(host.settings.images)
        with pytest.raises(OSError, match="no space"):
            bench.wait_synced()
        bench.sync_later(host.settings.images)
        bench.stop_syncing()
        assert bench.syncing == []


def test_the_image_is_that_of_the_row_to_be(host: OfflineHost) -> None:
    with prepared(host, Kind.UPGRADE) as bench:
        assert (image_of(bench, Path("x")).version.version, bench.manifest.version) == ("1.1.0", "1.1.0")
    with prepared(host, Kind.UNINSTALL) as bench:
        assert (image_of(bench, Path("x")).version.version, bench.manifest.version) == ("1.0.0", "1.0.0")


def live_image(host: OfflineHost) -> str:
    return host.store.get_live("shop").image
