"""Make the database ready: `python -m app.setup` (the panel does the same when it starts).

Safe when several processes start at once: whoever gets the write lock first does the work.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time

from sqlalchemy import Connection, Engine, delete, insert, select, update

from app.core.database import BUSY_SECONDS, Base, now, plain_engine
from app.core.security import hash_password, verify_password
from app.models import Customer, User, UserSession
from app.sample import fill

ADMIN, CUSTOMER = "admin@example.com", "customer@example.com"


def prepare() -> str:
    """Tables, sample data and the two logins. Returns the password if it was made up just now, else "".

    `DEMO_PASSWORD` sets the password of both logins, later too; without it, an existing one stays.
    """
    engine = plain_engine()
    try:
        _use_wal(engine)
        with engine.begin() as connection:
            Base.metadata.create_all(connection)
            if connection.scalar(select(Customer.id).limit(1)) is None:
                fill(connection, now().date())
            return _logins(connection, os.environ.get("DEMO_PASSWORD", ""))
    finally:
        engine.dispose()


def _use_wal(engine: Engine) -> None:
    # Kept in the file. When two processes change it together, one fails at once, whatever its busy_timeout.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        finally:
            raw.close()


def _logins(connection: Connection, wanted: str) -> str:
    stored = connection.scalar(select(User.password_hash).where(User.email == ADMIN))
    if stored is None:
        password = wanted or secrets.token_urlsafe(12)
        _create(connection, hash_password(password))
        return "" if wanted else password
    if wanted and not verify_password(stored, wanted):
        _change(connection, hash_password(wanted))
    return ""


def _create(connection: Connection, password_hash: str) -> None:
    customer = connection.execute(select(Customer.id, Customer.name).where(Customer.email == CUSTOMER)).first()
    admin = {"email": ADMIN, "name": "Admin", "role": "admin", "customer_id": None}
    people = [admin]
    if customer:
        people.append({"email": CUSTOMER, "name": customer.name, "role": "customer", "customer_id": customer.id})
    connection.execute(insert(User), [{**person, "password_hash": password_hash} for person in people])


def _change(connection: Connection, password_hash: str) -> None:
    changed = select(User.id).where(User.email.in_((ADMIN, CUSTOMER)))
    connection.execute(delete(UserSession).where(UserSession.user_id.in_(changed)))
    connection.execute(update(User).where(User.email.in_((ADMIN, CUSTOMER))).values(password_hash=password_hash))


def announce(password: str) -> None:
    """Print a password that was made up; it can't be shown again."""
    if password:
        print(
            f"Login: {ADMIN} or {CUSTOMER}, password {password} (shown once; DEMO_PASSWORD sets another)",
            flush=True,
        )


if __name__ == "__main__":
    announce(prepare())
