"""The backups' rows and folders: listed, chosen, retired and swept without ever parting a row from its file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotbay import journal
from hotbay.backups import (
    Backup,
    backup_of,
    choose_backup,
    forget_backup,
    get_backup,
    list_backups,
    mark_restored,
    record_backup,
    remove_backup,
    retire_backups,
    sweep_backups,
)
from hotbay.errors import NotFound
from hotbay.settings import Settings, load
from hotbay.store import Store

LEDGER = ({"number": 2, "name": "notes"}, {"number": 1, "name": "initial"})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(home=tmp_path / "home", keep_backups=2)


@pytest.fixture
def registry(settings: Settings) -> Iterator[Store]:
    made = Store(settings.database_path)
    yield made
    made.close()


def record(settings: Settings, registry: Store, plugin: str = "shop", operation: int = 1, **values: Any) -> Backup:
    """A backup with its folder."""
    fields: dict[str, Any] = {
        "plugin": plugin,
        "version": "1.0.0",
        "image": "image-1",
        "reason": "upgrade",
        "operation": operation,
        "folder": f"{operation}-{plugin}",
        "tables": ["shop_items", "shop_notes"],
        "ledger": list(LEDGER),
        "counts": {"shop_items": 2, "shop_notes": 3},
        "bytes": 4096,
        "sha256": "5" * 64,
    }
    fields |= values
    with registry.write() as connection:
        number = record_backup(connection, **fields)
    made = get_backup(registry, number)
    folder = settings.backups / made.folder
    folder.mkdir(parents=True)
    (folder / "data.db").write_text("rows")
    return made


def test_what_is_written_comes_back(settings: Settings, registry: Store) -> None:
    made = record(settings, registry, operation=7)
    assert (made.plugin, made.version, made.reason, made.operation) == ("shop", "1.0.0", "upgrade", 7)
    assert (made.tables, made.ledger) == (("shop_items", "shop_notes"), LEDGER)
    assert (made.rows, made.migrations, made.restored_by) == (5, {1, 2}, None)
    assert made.at.startswith("20")
    assert made.file(settings) == settings.backups / "7-shop" / "data.db"
    assert made.file(settings).is_file()
    shown = made.to_json()
    assert (shown["rows"], shown["migrations"], shown["restored_by"]) == (5, [1, 2], None)
    assert {"ledger", "tables"}.isdisjoint(shown), "what only restoring needs is not shown"


def test_the_newest_first_and_one_plugins_alone(settings: Settings, registry: Store) -> None:
    made = [record(settings, registry, plugin, number) for number, plugin in enumerate(("shop", "chat", "shop"), 1)]
    assert list_backups(registry) == made[::-1]
    assert list_backups(registry, "shop") == [made[2], made[0]]
    assert list_backups(registry, "nobody") == []
    assert backup_of(registry, 2) == made[1]
    assert backup_of(registry, 99) is None


def test_one_is_chosen_by_number_or_as_the_latest(settings: Settings, registry: Store) -> None:
    first, other, last = (record(settings, registry, name, n) for n, name in enumerate(("shop", "chat", "shop"), 1))
    assert choose_backup(registry, "shop", "latest") == last
    assert choose_backup(registry, "shop", str(first.id)) == first
    for wanted in (str(other.id), "99", "", "x"):
        with pytest.raises(NotFound, match=f"there is no backup {wanted} of shop"):
            choose_backup(registry, "shop", wanted)
    with pytest.raises(NotFound, match="there is no backup of nobody") as caught:
        choose_backup(registry, "nobody", "latest")
    assert caught.value.mend == "`hotbay backup list nobody` shows what there is"
    with pytest.raises(NotFound, match="there is no backup 99"):
        get_backup(registry, 99)


def test_who_restored_it_is_said_and_taken_back(settings: Settings, registry: Store) -> None:
    one, other = record(settings, registry), record(settings, registry, operation=2)
    with registry.write() as connection:
        mark_restored(connection, one.id, 9)
    assert get_backup(registry, one.id).to_json()["restored_by"] == 9
    assert get_backup(registry, other.id).restored_by is None
    with registry.write() as connection:
        mark_restored(connection, one.id, None)
    assert get_backup(registry, one.id).restored_by is None


def test_a_transaction_that_fails_leaves_the_row(settings: Settings, registry: Store) -> None:
    made = record(settings, registry)
    with pytest.raises(ZeroDivisionError), registry.write() as connection:
        forget_backup(connection, made.id)
        _ = 1 // 0
    assert list_backups(registry) == [made]


def test_removing_takes_the_row_first_and_can_be_repeated(
    settings: Settings, registry: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off in between, a folder without a row is swept away; a row without its file would be a lie."""
    made, other = record(settings, registry), record(settings, registry, operation=2)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("hotbay.backups.shutil.rmtree", lambda *args, **kwargs: (_ for _ in ()).throw(KeyboardInterrupt))
        remove_backup(settings, registry, made)
    assert list_backups(registry) == [other]
    assert made.file(settings).is_file()
    for _ in range(2):
        remove_backup(settings, registry, made)
    assert not (settings.backups / made.folder).exists()
    assert other.file(settings).is_file()


def test_the_oldest_beyond_the_limit_go_but_not_the_needed(settings: Settings, registry: Store) -> None:
    first, second, third, fourth = (record(settings, registry, operation=number) for number in range(1, 5))
    chat = record(settings, registry, "chat", 5)
    assert retire_backups(settings, registry, "shop", frozenset({first.id})) == [second.id]
    assert list_backups(registry, "shop") == [fourth, third, first]
    assert not (settings.backups / second.folder).exists()
    assert retire_backups(settings, registry, "shop") == [first.id]
    assert retire_backups(settings, registry, "shop") == []
    assert list_backups(registry, "chat") == [chat]


def test_folders_that_no_row_has_are_swept(settings: Settings, registry: Store) -> None:
    """But for those of operations that nobody knows: the database may be an older one, put back by hand."""
    sweep_backups(settings, registry)  # There is no folder at all yet.
    with registry.write() as connection:
        ours = [
            journal.open_operation(connection, kind="upgrade", plugin="shop", actor="ann", plan={}, verbs=["backup"])
            for _ in range(2)
        ]
    made = record(settings, registry, operation=ours[0], folder=f"shop-{ours[0]}")
    for name in (f"shop-{ours[1]}", "shop-999", "notes"):
        (settings.backups / name).mkdir()
    sweep_backups(settings, registry)
    assert {path.name for path in settings.backups.iterdir()} == {made.folder, "shop-999", "notes"}
    assert made.file(settings).is_file()
