"""Listeners on the host's model, engine and session class."""

from sqlalchemy import event
from sqlalchemy.orm import Session
from the_host import ENGINE, User

SEEN = []


@event.listens_for(User, "before_insert")
def inserting(mapper, connection, user) -> None:
    SEEN.append(user)


@event.listens_for(ENGINE, "connect")
def connecting(connection, record) -> None: ...


@event.listens_for(Session, "after_flush")
def flushed(session, context) -> None: ...


@event.listens_for(User.name, "set", retval=True)
def named(target, value, old, initiator):
    return value.upper()
