"""What the host's engines compiled of a plugin's tables goes, and what they compiled for the host stays."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, insert, select, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from hotbay.activate.statements import engines, forget


class Base(DeclarativeBase): ...


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module of the host's with an engine that was used."""
    module: Any = types.ModuleType("asking_host")
    module.__file__ = "/srv/host/asking_host.py"
    monkeypatch.setitem(sys.modules, "asking_host", module)
    module.engine = create_engine("sqlite://")
    Base.metadata.create_all(module.engine)
    yield module
    module.engine.dispose()
    vars(module).clear()


def compiled(engine: Engine) -> list[str]:
    return sorted(str(statement) for statement in (engine._compiled_cache or {}).values())


def use(engine: Engine) -> None:
    with Session(engine) as session:
        session.scalars(select(User)).all()
        session.scalars(select(Order)).all()
        session.execute(select(User.id, Order.id).join(Order, User.id == Order.id)).all()
        session.execute(insert(Order.__table__), [{"id": 1}])
        session.execute(text("SELECT 1"))


def test_statements_that_mention_a_model_go_and_the_others_stay(host: Any) -> None:
    use(host.engine)
    before = compiled(host.engine)
    assert forget([Order.__mapper__, Order.__table__]) == 3
    assert len(before) - len(compiled(host.engine)) == 3
    assert [one for one in before if "orders" not in one] == compiled(host.engine)
    assert any("users" in one for one in compiled(host.engine))
    assert forget([Order.__mapper__, Order.__table__]) == 0


def test_statements_are_compiled_anew_when_they_come_again(host: Any) -> None:
    use(host.engine)
    forget([Order.__table__, Order.__mapper__])
    use(host.engine)
    assert sum("orders" in one for one in compiled(host.engine)) == 3


def test_nothing_mentioned_nothing_removed(host: Any) -> None:
    use(host.engine)
    assert forget([]) == 0
    assert forget([object()]) == 0


def test_engines_with_options_share_what_they_keep(host: Any) -> None:
    host.reading = host.engine.execution_options(reads=True)
    use(host.reading)
    assert forget([Order.__table__, Order.__mapper__]) == 3


async def test_an_asynchronous_engine_is_found_by_its_inner_one(host: Any) -> None:
    host.asynchronous = create_async_engine("sqlite+aiosqlite://")
    assert host.asynchronous.sync_engine in list(engines())
    await host.asynchronous.dispose()


def test_engines_of_libraries_are_theirs(host: Any) -> None:
    assert host.engine in list(engines())
    host.__file__ = "/env/lib/site-packages/asking_host.py"
    assert host.engine not in list(engines())


def test_a_proxy_is_not_asked_what_it_is(host: Any) -> None:
    class Proxy:
        @property
        def __class__(self) -> Any:
            raise RuntimeError("asked outside of a request")

    host.request = Proxy()
    assert host.engine in list(engines())


def test_an_engine_that_keeps_nothing(host: Any) -> None:
    host.plain = create_engine("sqlite://", query_cache_size=0)
    assert forget([Order.__table__]) == 0
    host.plain.dispose()
