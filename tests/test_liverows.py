"""A live row is decoded once, and what came of it is as good as decoding it anew."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from hotbay import liverows, store
from hotbay.liverows import UNREADABLE
from hotbay.model import Contributions, Live, State
from hotbay.store import Store
from rows import live


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The plugins whose rows are decoded, as it happens."""
    found: list[str] = []
    real = liverows.decode

    def decode(row: dict[str, object]) -> Live:
        found.append(str(row["plugin"]))
        return real(row)

    monkeypatch.setattr(liverows, "decode", decode)
    return found


def put(registry: Store, *rows: Live) -> None:
    with registry.write() as connection:
        for row in rows:
            store.put_live(connection, row)


def test_a_row_is_decoded_when_it_is_new_or_changed(registry: Store, decoded: list[str]) -> None:
    shop, mail = live("shop", routes=("/shop",)), live("mail")
    put(registry, shop, mail)
    for _ in range(3):
        assert registry.all_live() == {"mail": mail, "shop": shop}
        assert registry.get_live("shop") == shop
    assert sorted(decoded) == ["mail", "shop"]
    changed = replace(shop, problem="hangs")
    put(registry, changed)
    assert [registry.all_live()["shop"], registry.get_live("mail")] == [changed, mail]
    assert sorted(decoded) == ["mail", "shop", "shop"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("version", "'1.0.1'"),
        ("sha256", "'9'"),
        ("image", "'other'"),
        ("state", "'inactive'"),
        ("revision", "7"),
        ("manifest", """'{"id": "shop"}'"""),
        ("contributions", """'{"events": ["a"]}'"""),
        ("source", "'elsewhere'"),
        ("grants", """'["mail.read"]'"""),
        ("installed_at", "'2027'"),
        ("updated_at", "'2028'"),
        ("problem", "'hangs'"),
        ("settings_rev", "3"),
        ("extra", """'{"a": 1}'"""),
    ],
)
def test_no_column_can_change_unseen(registry: Store, column: str, value: str) -> None:
    put(registry, live())
    before = registry.get_live("shop")
    with registry.write() as connection:
        connection.exec_driver_sql(f"UPDATE hotbay_live SET {column} = {value}")
    after = registry.get_live("shop")
    with closing(Store(registry.path)) as anew:
        assert after == anew.get_live("shop") != before
    assert replace(after, **{column: getattr(before, column)}) == before


def test_a_candidate_belongs_to_one_reading(registry: Store, decoded: list[str]) -> None:
    put(registry, live())
    with registry.write() as connection:
        store.set_candidate(connection, "shop", {"verb": "hold"})
        store.set_candidate(connection, "mail", {"verb": "start"})
    assert registry.all_live() == {"shop": replace(live(), candidate={"verb": "hold"})}
    with registry.write() as connection:
        store.set_candidate(connection, "shop", None)
    assert registry.all_live() == {"shop": live()}
    assert decoded == ["shop"]


def test_what_is_gone_is_forgotten(registry: Store, decoded: list[str]) -> None:
    put(registry, live("shop"), live("mail"))
    registry.all_live()
    with registry.write() as connection:
        store.remove_live(connection, "shop")
    assert set(registry.all_live()) == {"mail"}
    assert set(registry._rows._known) == {"mail"}
    put(registry, live("shop"))
    assert set(registry.all_live()) == {"mail", "shop"}
    assert sorted(decoded) == ["mail", "shop", "shop"]


def test_one_that_something_else_wrote_over_stands_as_if_there_were_nothing(registry: Store) -> None:
    put(registry, live("shop"), live("mail"))
    for value in ("'{'", "7", "x'00ff'", "'[]'", "''"):
        with registry.write() as connection:
            connection.exec_driver_sql(
                f"UPDATE hotbay_live SET manifest = {value}, contributions = {value}, extra = {value}, state = 'asleep'"
                " WHERE plugin = 'shop'"
            )
        found = registry.all_live()
        assert found["mail"] == live("mail")
        assert found["shop"].manifest == {"id": "shop", "name": "shop", "version": "1.0.0"}
        assert (found["shop"].state, found["shop"].contributions) == (State.INACTIVE, Contributions())
        assert found["shop"].problem == f"{UNREADABLE}: manifest, contributions, extra, state or contributions"


def test_threads_may_read_at_once(registry: Store) -> None:
    names = [f"p{number}" for number in range(40)]
    put(registry, *map(live, names))

    def work(number: int) -> bool:
        if number % 3 == 0:
            registry._rows.keep_only(names[: number % 40])
        return set(registry.all_live()) == set(names)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(120)))
