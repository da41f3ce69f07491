"""Logging in and out."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from app.core.plugins import Plugins, ThePlugins, plain
from app.core.security import AnyUser, close_session, note_failure, open_session, verify_login
from app.models import User
from app.schemas import LoginIn, LoginOut, UserOut

router = APIRouter(prefix="/auth", tags=["auth"])


def _caller(request: Request) -> str:
    return request.client.host if request.client else "unknown"


async def _plugins_agree(plugins: Plugins, user: User, request: Request, login: LoginIn) -> bool:
    about: dict[str, Any] = {
        "address": _caller(request),
        "user_agent": request.headers.get("user-agent", ""),
        "fields": login.model_extra or {},
    }
    try:
        return bool(await plugins.filter("login.verify", True, user=plain(UserOut, user), request=about))
    except PermissionError:
        return False


@router.post("/login")
async def login(request: Request, response: Response, data: LoginIn, plugins: ThePlugins) -> LoginOut:
    """Log in: a bearer token, and the same in a cookie. 401 when refused, 429 after too many failures."""
    user = await verify_login(data.email, data.password, _caller(request))
    if user is not None and not await _plugins_agree(plugins, user, request, data):
        await note_failure(data.email, _caller(request))
        user = None
    if user is None:
        raise HTTPException(401, "e-mail or password is wrong", {"WWW-Authenticate": "Bearer"})
    token = await open_session(user, response, secure=request.url.scheme == "https")
    await plugins.emit("user.login", user=plain(UserOut, user), address=_caller(request))
    return LoginOut(access_token=token, user=UserOut.model_validate(user))


@router.post("/logout", status_code=204)
async def logout(request: Request, response: Response) -> None:
    """Log out; harmless when nobody is logged in."""
    await close_session(request, response)


@router.get("/me")
async def me(user: AnyUser) -> UserOut:
    """Who is logged in."""
    return UserOut.model_validate(user)
