"""Back to an older version or to a backup: only to what is there, and with nobody's rows lost unasked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_host import TWO, build, opened, query, run, shop
from hotbay.errors import LosesRows, NotFound, Refused, Unresolvable
from hotbay.model import Kind, Rows
from hotbay.offline import OfflineHost
from hotbay.request import Draft, Request


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    return tmp_path / "packages"


@pytest.fixture
def host(tmp_path: Path, packages: Path) -> Iterator[OfflineHost]:
    """A host with shop 1.0.0 and 1.1.0 in its source."""
    shop(packages, "1.0.0")
    shop(packages, "1.1.0", migrations=TWO)
    with opened(tmp_path / "home", keep_versions=3) as made:
        yield made


def draft(host: OfflineHost, kind: Kind, **values: object) -> Draft:
    with host.applier.drafter.draft(Request(kind, "shop", **values)) as made:  # type: ignore[arg-type]
        return made


def steps(made: Draft) -> dict[str, dict[str, object]]:
    return {step.verb: step.params for step in made.plan.steps}


def upgraded(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    run(host, Kind.UPGRADE)


def written(host: OfflineHost) -> None:
    """A row of now, which no backup has."""
    with host.store.write() as connection:
        connection.exec_driver_sql("INSERT INTO shop_items (name) VALUES ('since')")


def test_a_rollback_needs_the_image(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    first = host.store.get_live("shop")
    run(host, Kind.UPGRADE)
    made = draft(host, Kind.ROLLBACK)
    assert made.row is not None
    assert (made.row.image, made.row.contributions) == (first.image, first.contributions)
    assert list(steps(made)) == ["stage", "shelve", "hold", "backup", "restore", "start", "switch", "publish"]
    host.images.remove(first.image)
    with pytest.raises(NotFound, match="no version before"):
        draft(host, Kind.ROLLBACK)


def test_a_rollback_that_breaks_another_is_refused(host: OfflineHost, packages: Path) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    run(host, Kind.UPGRADE)
    build(packages, "needy", requires=["shop>=1.1"])
    run(host, Kind.INSTALL, "needy")
    with pytest.raises(Unresolvable, match=r"needy needs shop>=1\.1"):
        draft(host, Kind.ROLLBACK)


def test_rows_of_now_are_not_lost_unasked_and_the_plan_counts_them(host: OfflineHost) -> None:
    upgraded(host)
    written(host)
    with pytest.raises(LosesRows):
        draft(host, Kind.ROLLBACK)
    assert host.applier.plan(Request(Kind.ROLLBACK, "shop")).lost == {"shop_items": {"added": 1}}
    assert steps(draft(host, Kind.ROLLBACK, accept_loss=True))["restore"]["accept_loss"] is True
    assert "restore" in steps(draft(host, Kind.ROLLBACK, rows=Rows.MERGE))
    assert query(host, "SELECT count(*) FROM shop_items") == [(2,)]


def test_values_in_columns_that_the_older_version_has_not_are_told(host: OfflineHost, packages: Path) -> None:
    more = {"0003_stars.up": "ALTER TABLE shop_items ADD COLUMN stars INTEGER"}
    run(host, Kind.INSTALL, version="1.1.0")
    shop(packages, "1.2.0", migrations={**TWO, **more})
    run(host, Kind.UPGRADE)
    assert host.applier.plan(Request(Kind.ROLLBACK, "shop")).warnings == ()
    with host.store.write() as connection:
        connection.exec_driver_sql("UPDATE shop_items SET stars = 5")
    plan = host.applier.plan(Request(Kind.ROLLBACK, "shop"))
    assert plan.warnings == ("values of shop_items.stars in 1 rows are lost: the backup of 1.1.0 has no such column",)
    assert plan.lost == {}
    assert draft(host, Kind.ROLLBACK).plan.warnings == plan.warnings
    assert draft(host, Kind.ROLLBACK, rows=Rows.KEEP).plan.warnings == ()


def test_the_code_alone_needs_no_backup_and_the_rows_do(host: OfflineHost) -> None:
    upgraded(host)
    with host.store.write() as connection:
        connection.exec_driver_sql("DELETE FROM hotbay_backups")
    assert "restore" not in steps(draft(host, Kind.ROLLBACK, rows=Rows.KEEP))
    with pytest.raises(Refused, match=r"no backup of the rows of shop 1\.0\.0"):
        draft(host, Kind.ROLLBACK)


def test_exactly_the_image_that_was_asked_for(host: OfflineHost, packages: Path) -> None:
    upgraded(host)
    shop(packages, "1.2.0", migrations=TWO)
    first = next(item["image"] for item in host.store.history("shop") if item["version"] == "1.0.0")
    run(host, Kind.UPGRADE)
    made = draft(host, Kind.ROLLBACK)
    assert made.row is not None and made.row.version == "1.1.0"
    made = draft(host, Kind.ROLLBACK, image=first)
    assert made.row is not None and made.row.image == first
    with pytest.raises(NotFound):
        draft(host, Kind.ROLLBACK, image="f" * 64)
    with pytest.raises(NotFound, match="no version 7"):
        draft(host, Kind.ROLLBACK, version="7")


def test_a_backup_of_newer_tables_is_not_for_older_code(host: OfflineHost) -> None:
    upgraded(host)
    number = run(host, Kind.BACKUP).notes["backup"]
    assert steps(draft(host, Kind.RESTORE))["restore"]["backup"] == number
    run(host, Kind.ROLLBACK, accept_loss=True)
    with pytest.raises(Refused, match=r"whose tables 1\.0\.0 does not know"):
        draft(host, Kind.RESTORE, backup=str(number))


def test_an_older_backup_is_brought_forward_to_the_tables_of_now(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    run(host, Kind.BACKUP)
    run(host, Kind.UPGRADE)
    made = draft(host, Kind.RESTORE, backup="1", accept_loss=True)
    assert "run migrations 0002_notes" in str(made.plan)
