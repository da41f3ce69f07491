"""What changes tables and folders before the switch is taken back; what is exported can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_host import TWO, do, opened, prepared, query, run, seen, shop
from hotbay.model import Kind
from hotbay.offline import OfflineHost
from hotbay.steps import STEPS


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OfflineHost]:
    """A host with shop 1.0.0 installed and 1.1.0 in its source."""
    shop(tmp_path / "packages", "1.0.0")
    shop(tmp_path / "packages", "1.1.0", migrations=TWO)
    with opened(tmp_path / "home", ack_seconds=0.5, keep_versions=1) as made:
        run(made, Kind.INSTALL, version="1.0.0")
        yield made


def test_an_export_is_undone(host: OfflineHost) -> None:
    before = seen(host)
    with prepared(host, Kind.UNINSTALL) as bench:
        record = do(bench, "export")
        assert (record["rows"], Path(record["folder"], "data.db").is_file()) == (1, True)
        for _ in range(2):
            STEPS["export"].undo(bench, {})
    assert seen(host) == before


def test_an_export_keeps_the_links_in_the_plugins_own_folder(host: OfflineHost) -> None:
    own = host.settings.data / "shop"
    own.mkdir(parents=True)
    (own / "link").symlink_to("elsewhere")
    with prepared(host, Kind.UNINSTALL) as bench:
        folder = Path(do(bench, "export")["folder"])
    assert (folder / "files" / "link").readlink() == Path("elsewhere")


def test_expand_runs_what_is_new_and_leaves_what_another_operation_ran(host: OfflineHost) -> None:
    with prepared(host, Kind.UPGRADE) as bench:
        do(bench, "stage")
        assert do(bench, "expand") == {"migrations": [2]}
        assert do(bench, "expand") == {"migrations": []}
        STEPS["expand"].undo(bench, {})
        assert [row["number"] for row in host.store.applied("shop")] == [1]
        assert query(host, "SELECT name FROM shop_items") == [("first",)]
