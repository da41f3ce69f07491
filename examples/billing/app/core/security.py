"""Passwords, sessions and the doors: `current_user`, `require_user`, `require_admin`.

A session's random token travels as `Authorization: Bearer …` or in the cookie `billing_session`; the database
knows its SHA-256 only.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import Depends, HTTPException, Request, Response
from fastapi.requests import HTTPConnection
from sqlalchemy import delete, func, select

from app.core.database import new_session, now
from app.models import LoginFailure, User, UserSession

COOKIE = "billing_session"
SESSION_LIFE = timedelta(hours=12)
FAILURES_ALLOWED = 5
FAILURES_WINDOW = timedelta(minutes=5)

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's profile for Argon2id
_nobodys_hash = _hasher.hash(secrets.token_hex())


def hash_password(password: str) -> str:
    """An Argon2id hash with its parameters and salt."""
    return _hasher.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Whether the password fits; takes as long for somebody who does not exist (`stored` is None)."""
    try:
        return _hasher.verify(stored or _nobodys_hash, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def hash_token(token: str) -> str:
    """What is stored of a token. It is random and long, so that no slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


async def verify_login(email: str, password: str, address: str) -> User | None:
    """The user whom e-mail and password belong to. Raises 429 after too many failures from one address."""
    source = f"{email}|{address}"
    since = now() - FAILURES_WINDOW
    async with new_session(reads=True) as db:
        failures = select(func.count()).where(LoginFailure.source == source, LoginFailure.at > since)
        if (await db.scalar(failures) or 0) >= FAILURES_ALLOWED:
            wait = int(FAILURES_WINDOW.total_seconds())
            raise HTTPException(429, "too many failed logins: wait and try again", {"Retry-After": str(wait)})
        user = await db.scalar(select(User).where(User.email == email))
    if await asyncio.to_thread(verify_password, user.password_hash if user else None, password):
        return user
    await note_failure(email, address)
    return None


async def note_failure(email: str, address: str) -> None:
    """Count a refused login."""
    async with new_session() as db:
        db.add(LoginFailure(source=f"{email}|{address}"))
        await db.execute(delete(LoginFailure).where(LoginFailure.at < now() - FAILURES_WINDOW))
        await db.commit()


async def open_session(user: User, response: Response, *, secure: bool) -> str:
    """Log the user in: returns the token and sets the cookie."""
    token = secrets.token_urlsafe(32)
    async with new_session() as db:
        await db.execute(delete(UserSession).where(UserSession.expires_at < now()))
        db.add(UserSession(token_hash=hash_token(token), user_id=user.id, expires_at=now() + SESSION_LIFE))
        await db.commit()
    age = int(SESSION_LIFE.total_seconds())
    response.set_cookie(COOKIE, token, max_age=age, httponly=True, samesite="lax", secure=secure)
    return token


async def close_session(request: Request, response: Response) -> None:
    """Log out: the token is worth nothing afterwards."""
    if token := token_of(request):
        async with new_session() as db:
            await db.execute(delete(UserSession).where(UserSession.token_hash == hash_token(token)))
            await db.commit()
    response.delete_cookie(COOKIE)


def token_of(connection: HTTPConnection) -> str:
    """The token that came with a request or WebSocket, or "". Cookies sent by another site don't count."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    origin = connection.headers.get("origin")
    reading = connection.scope.get("method") in {"GET", "HEAD"}
    if origin and not reading and urlsplit(origin).netloc != connection.headers.get("host"):
        return ""
    return connection.cookies.get(COOKIE, "")


async def current_user(connection: HTTPConnection) -> User | None:
    """Who is logged in, or None."""
    token = token_of(connection)
    if not token:
        return None
    query = (
        select(User)
        .join(UserSession, UserSession.user_id == User.id)
        .where(UserSession.token_hash == hash_token(token), UserSession.expires_at > now())
    )
    # A session of its own, closed at once: no lock is held while the request is served.
    async with new_session(reads=True) as db:
        user: User | None = await db.scalar(query)
        return user


async def require_user(user: Annotated[User | None, Depends(current_user)]) -> User:
    """Whoever is logged in. Raises 401."""
    if user is None:
        raise HTTPException(401, "log in first", {"WWW-Authenticate": "Bearer"})
    return user


async def require_admin(user: Annotated[User, Depends(require_user)]) -> User:
    """An admin. Raises 401 for guests and 403 for customers."""
    if user.role != "admin":
        raise HTTPException(403, "admins only")
    return user


AnyUser = Annotated[User, Depends(require_user)]
Admin = Annotated[User, Depends(require_admin)]
