"""What a host has that a plugin can hang itself into."""

from __future__ import annotations

import abc
import functools
import logging
import threading
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

import pluggy
from pydantic import BaseModel
from sqlalchemy import Engine, StaticPool, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


def memory() -> Engine:
    """A database that any thread may close: a plugin is loaded in one of its own."""
    return create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)


T = TypeVar("T")
END = threading.Event()
CALLBACKS: list[Any] = []
FILES: list[Any] = []
CURRENT: ContextVar[Any] = ContextVar("CURRENT", default=None)
HOOKS = pluggy.PluginManager("the_host")
LOG = logging.getLogger("the_host")
ENGINE = memory()
STATE = SimpleNamespace(engine=memory())
on = pluggy.HookspecMarker("the_host")


def use(engine: Engine, model: Any) -> None:
    """Statements of a model, of every kind that an engine keeps compiled."""
    model.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(model(id=1))
        session.commit()
        (row,) = session.scalars(select(model)).all()
        session.delete(row)
        session.commit()
    model.metadata.drop_all(engine)


class Base(DeclarativeBase):
    """The host's own base."""


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="")


class Page(BaseModel, Generic[T]):
    items: list[T]


class Exporter(abc.ABC):
    @abc.abstractmethod
    def export(self) -> str: ...


class Mailer:
    def send(self) -> str:
        return "sent by the host"

    def check(self) -> str:
        return "checked by the host"


def price() -> int:
    return 10


def total() -> int:
    return price() * 2


@functools.lru_cache
def schema_of(cls: Any) -> str:
    return str(cls.__name__)


@functools.singledispatch
def render(thing: Any) -> str:
    return "?"


def keep() -> None:
    """A thread of the host's own that has something of the plugin's in a list of its own."""
    orders = [CALLBACKS.pop()]
    END.wait(60)
    orders.clear()


def wait(work: Any) -> None:
    """A thread of the host's own that runs what it is given."""
    work()
