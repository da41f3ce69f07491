"""Who looks at the console, as the host's own checks say."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.exceptions import HTTPException

from hotbay.console.viewers import Viewers
from hotbay.errors import Forbidden
from hotbay.frontend.snapshot import Viewer


def viewers(admin: Any, user: Any) -> Viewers:
    """Checks that answer a name, or raise what they are given."""

    def check(said: Any) -> Any:
        async def asked(scope: Any, receive: Any) -> str:
            if isinstance(said, Exception):
                raise said
            return str(said)

        return asked

    return Viewers(check(admin), check(user))


class NotLoggedIn(Exception):
    """Of the host, which has a handler for it."""


NO = Forbidden("no")


@pytest.mark.parametrize(
    ("admin", "user", "viewer"),
    [
        ("root", NO, Viewer("admin", "root")),
        (NO, "ann", Viewer("user", "ann")),
        (HTTPException(403), "ann", Viewer("user", "ann")),
        (HTTPException(401), HTTPException(401), Viewer()),
        (NotLoggedIn(), NotLoggedIn(), Viewer()),
        (NO, "", Viewer()),
    ],
)
async def test_who_it_is(admin: Any, user: Any, viewer: Viewer) -> None:
    scope = {"starlette.exception_handlers": ({NotLoggedIn: None, Exception: None}, {})}
    assert await viewers(admin, user).who(scope, None) == viewer


@pytest.mark.parametrize("error", [HTTPException(503), HTTPException(429), RuntimeError("no database")])
async def test_a_check_that_fails_is_no_guest(error: Exception) -> None:
    scope = {"starlette.exception_handlers": ({Exception: None}, {})}
    for found in (viewers(error, "ann"), viewers(NO, error)):
        with pytest.raises(type(error)):
            await found.who(scope, None)
