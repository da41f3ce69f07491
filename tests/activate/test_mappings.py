"""SQLAlchemy's registries: a generation's models and listeners leave them, and the host's models work on."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import ForeignKey, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, configure_mappers, mapped_column, relationship

from activate.broods import Brood, Hatch
from hotbay.activate.mappings import own_classes, undo

MODELS = """
    from sqlalchemy import ForeignKey
    from sqlalchemy.orm import DeclarativeBase, Mapped, backref, mapped_column, relationship

    CALLS = []

    def heard(*args):
        CALLS.append(len(args))

    class Base(DeclarativeBase): ...

    class Own(Base):
        __tablename__ = "shop_own"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Plain: ...

    def models(host):
        global Note
        class Note(host.Base):
            __tablename__ = "shop_notes"
            id: Mapped[int] = mapped_column(primary_key=True)
            user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
            user = relationship(host.User, backref=backref("notes", cascade="all, delete-orphan"))
        Note.__qualname__ = "Note"
"""


@pytest.fixture
def host() -> Iterator[Any]:
    class Base(DeclarativeBase): ...

    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str] = mapped_column(default="user")
        posts: Mapped[list[Any]] = relationship("Post", back_populates="user")
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "user"}

    class Admin(User):
        __mapper_args__ = {"polymorphic_identity": "admin"}

    class Post(Base):
        __tablename__ = "posts"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
        user: Mapped[Any] = relationship("User", back_populates="posts")

    engine = create_engine("sqlite://")
    yield SimpleNamespace(Base=Base, User=User, Admin=Admin, Post=Post, engine=engine)
    engine.dispose()
    Base.registry.dispose()


@pytest.fixture
def shop(brood: Hatch) -> Brood:
    return brood(models=MODELS)


def modules(shop: Brood) -> list[Any]:
    return list(shop.modules.values())


def test_own_classes_are_those_that_are_written_here(shop: Brood) -> None:
    assert [cls.__name__ for cls in own_classes(modules(shop))] == ["Base", "Own", "Plain"]


def test_its_own_registry_is_taken_apart_without_a_word(shop: Brood) -> None:
    configure_mappers()
    assert undo(shop.owner, modules(shop)) == []
    assert list(shop.models.Base.registry.mappers) == []


def test_statements_that_are_left_keep_no_class(shop: Brood, host: Any) -> None:
    """One that was executed is in a cycle of its own, and waits for a full collection."""
    statement = select(shop.models.Own)
    with Session(host.engine) as session:
        shop.models.Base.metadata.create_all(host.engine)
        assert session.scalars(statement).all() == []
    host.engine.clear_compiled_cache()
    gone = weakref.ref(shop.models.Own)
    undo(shop.owner, modules(shop))
    for module in modules(shop):
        vars(module).clear()
    gc.collect()
    assert gone() is None
    assert statement is not None


def test_listeners_that_die_meanwhile_are_no_matter(shop: Brood) -> None:
    """The collector calls SQLAlchemy's weak references back, and these delete from what is being searched."""
    for later in range(10, 60, 2):
        with collected_after(later):
            assert undo(shop.owner, modules(shop)) == []


@contextmanager
def collected_after(allocations: int) -> Iterator[None]:
    """Engines that only the collector frees, which it does in the middle of what follows."""
    usual = gc.get_threshold()
    gc.disable()
    for _ in range(50):
        forgotten()
    gc.set_threshold(gc.get_count()[0] + allocations)
    gc.enable()
    yield
    gc.set_threshold(*usual)


def forgotten() -> None:
    """An engine with a listener, in a cycle."""
    engine = create_engine("sqlite://")

    @event.listens_for(engine, "connect")
    def connected(*_: Any, kept: Any = engine) -> None: ...


def test_its_model_leaves_the_hosts_registry(shop: Brood, host: Any) -> None:
    shop.models.models(host)
    configure_mappers()
    assert hasattr(host.User, "notes")
    assert hasattr(host.Admin, "notes")
    for model in (host.User, host.Admin):
        assert set(model.__mapper__.relationships.keys()) == {"posts", "notes"}, "SQLAlchemy remembers what was asked"
    assert undo(shop.owner, modules(shop)) == ["the model Note in a registry of the host's"]
    assert set(host.Base.metadata.tables) == {"users", "posts"}
    assert {mapper.class_.__name__ for mapper in host.Base.registry.mappers} == {"User", "Admin", "Post"}
    for model in (host.User, host.Admin):
        assert not hasattr(model, "notes")
        assert set(model.__mapper__.relationships.keys()) == {"posts"}


def test_the_hosts_models_work_on(shop: Brood, host: Any) -> None:
    """Stored and deleted once with the plugin's relation, so that SQLAlchemy has built what it caches."""
    shop.models.models(host)
    host.Base.metadata.create_all(host.engine)
    with Session(host.engine) as session, session.begin():
        admin = host.Admin(notes=[shop.models.Note()])
        session.add(admin)
        session.flush()
        session.delete(admin)
    undo(shop.owner, modules(shop))
    with Session(host.engine) as session, session.begin():
        session.add(host.Admin(posts=[host.Post()]))
    with Session(host.engine) as session, session.begin():
        found = session.scalars(select(host.User)).one()
        assert len(found.posts) == 1
        found.posts.clear()
        session.delete(found)


def test_the_next_generation_may_map_the_same(brood: Hatch, host: Any) -> None:
    for _ in range(2):
        shop = brood(models=MODELS)
        shop.models.models(host)
        configure_mappers()
        with Session(host.engine):
            assert host.User(notes=[shop.models.Note()]).notes
        undo(shop.owner, modules(shop))


def test_a_model_that_was_taken_out_dies(brood: Hatch, host: Any) -> None:
    shop = brood(models=MODELS)
    shop.models.models(host)
    configure_mappers()
    note, own = weakref.ref(shop.models.Note), weakref.ref(shop.models.Own)
    undo(shop.owner, modules(shop))
    shop.close()
    for module in modules(shop):
        vars(module).clear()
    gc.collect()
    assert (note(), own()) == (None, None)


def test_a_relation_from_its_own_base_to_the_hosts_model(shop: Brood, host: Any) -> None:
    """The host's registry would keep the plugin's as a dependent."""
    exec(
        "class Wish(Base):\n"
        "    __tablename__ = 'shop_wishes'\n"
        "    id = mapped_column(ForeignKey(User.id), primary_key=True)\n"
        "    user = relationship(User)\n",
        vars(shop.models) | {"User": host.User, "__name__": shop.models.__name__},
        vars(shop.models),
    )
    configure_mappers()
    own, hosts = shop.models.Base.registry, host.Base.registry
    assert own in hosts._dependents
    undo(shop.owner, modules(shop))
    assert own not in hosts._dependents


# ── listeners ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_its_listeners_leave_the_hosts_mappers_engines_and_sessions(shop: Brood, host: Any) -> None:
    class OwnSession(Session): ...

    heard, calls = shop.models.heard, []
    host.Base.metadata.create_all(host.engine)
    event.listen(host.User, "before_insert", heard, propagate=True)
    event.listen(host.engine, "begin", heard)
    event.listen(Session, "after_flush", heard)
    event.listen(host.User.kind, "set", heard, propagate=True)
    event.listen(Session, "after_flush", lambda *args: calls.append(1))

    def work() -> None:
        for kind in (Session, OwnSession):
            with kind(host.engine) as session, session.begin():
                session.add(host.Admin(kind="admin"))

    work()
    heard_so_far = len(shop.models.CALLS)
    assert heard_so_far >= 8
    found = undo(shop.owner, modules(shop))
    assert sorted(found) == [
        f"the listener heard of {name!r}" for name in ("after_flush", "before_insert", "begin", "set")
    ]
    work()
    assert len(shop.models.CALLS) == heard_so_far, "no listener of the plugin's was called again"
    assert calls == [1] * 4, "the host's was"
    assert undo(shop.owner, modules(shop)) == []


def test_a_listener_once_is_named_by_the_plugins_function(shop: Brood, host: Any) -> None:
    event.listen(host.engine, "begin", shop.models.heard, once=True)
    assert undo(shop.owner, modules(shop)) == ["the listener heard of 'begin'"]
    with host.engine.begin():
        pass
    assert shop.models.CALLS == []
