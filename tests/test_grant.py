"""Whose a name is."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbay.grant import Denial, Grant, fold, quote
from sqlite_host import GRANT


def test_the_shadow_tables_of_a_listed_fts5_table_are_owned_and_no_others() -> None:
    assert GRANT.owns("kb_data", frozenset({"kb"}))
    assert not GRANT.owns("kb_data")
    assert not GRANT.owns("users_fts_data", frozenset({"users_fts", "kb"}))


@pytest.mark.parametrize(
    ("name", "owned"),
    [
        ("chat_a", True),
        ("CHAT_A", True),
        ("Sessions", True),
        ("chatter", False),
        ("chat", False),
        ("chat_pro_a", False),
        ("sqlite_chat_a", False),
        ("hotbay_chat", False),
        ("users", False),
        ("\u212ab", False),  # the Kelvin sign is no k to SQLite
    ],
)
def test_ownership_by_name(name: str, owned: bool) -> None:
    assert GRANT.owns(name) is owned


@given(st.text(max_size=12))
def test_folding_is_that_of_ascii_capitals(name: str) -> None:
    assert fold(name) == "".join(char.lower() if "A" <= char <= "Z" else char for char in name)


@pytest.mark.parametrize("others", [(), ("chat_pro", "chat_pro_x"), ("chat_pro_x", "chat_pro")])
def test_the_longest_id_owns_whatever_the_order(others: tuple[str, ...]) -> None:
    names = ("chat_a", "chat_pro_a", "chat_pro_x_a")
    for plugin in ("chat", *others):
        grant = Grant(plugin, others=frozenset({"chat", *others} - {plugin}))
        longest = {"chat_a": "chat", "chat_pro_a": "chat_pro", "chat_pro_x_a": "chat_pro_x"}
        owner = {name: one if one in {"chat", *others} else "chat" for name, one in longest.items()}
        assert [grant.owns(name) for name in names] == [owner[name] == plugin for name in names]


def test_reserved_names_are_never_owned_or_read_whatever_is_listed() -> None:
    names = frozenset({"hotbay_live", "sqlite_master", "HOTBAY_x"})
    grant = Grant("chat", tables=names, reads=names)
    assert not any(grant.owns(name) or grant.may_read(name) for name in names)


def test_a_name_of_somebody_else_is_not_owned_though_it_has_the_prefix() -> None:
    assert not Grant("order", foreign=frozenset({"Order_Items"})).owns("order_items")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_quoted_name_is_one_name(name: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE {quote('chat_' + name)} (id)")
        found = connection.execute("SELECT name FROM sqlite_master").fetchone()[0]
    assert found == "chat_" + name
    assert fold(found).startswith("chat_")


def test_index_names_say_whose_they_are() -> None:
    assert GRANT.may_name("chat_i", "sessions")
    assert GRANT.may_name("ix_sessions_name", "sessions")
    assert GRANT.may_name("unique_chat", "sessions")
    assert not GRANT.may_name("ix_users_email", "sessions")
    assert not GRANT.may_name("hotbay_chat_i", "chat_msgs")


def test_a_denial_says_who_what_and_how_to_mend() -> None:
    error = Denial("chat", "drop table or view", "users", "DROP TABLE on users").error()
    assert str(error).startswith(
        "plugin 'chat' may not drop table or view 'users' (DROP TABLE on users)\n  mend: use tables"
    )
    assert (error.status, error.exit_code, error.code) == (403, 10, "guard-denied")
