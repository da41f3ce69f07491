"""Who looks at the console: an administrator, somebody who is signed in, or a guest."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException

from hotbay.console.auth import Check
from hotbay.errors import HotbayError
from hotbay.frontend.snapshot import ADMIN, USER, Viewer


class Viewers:
    """Asks the host's own checks: first for administrators, then for anybody who is signed in."""

    def __init__(self, admin: Check, user: Check) -> None:
        self._checks = ((ADMIN, admin), (USER, user))

    async def who(self, scope: dict[str, Any], receive: Any) -> Viewer:
        """Who asks. A check that refuses makes nobody an administrator; one that fails is an error of the host."""
        for role, check in self._checks:
            name = await self._asked(check, scope, receive)
            if name:
                return Viewer(role, name)
        return Viewer()

    async def _asked(self, check: Check, scope: dict[str, Any], receive: Any) -> str:
        try:
            return await check(scope, receive)
        except HotbayError:
            return ""
        except HTTPException as error:
            if error.status_code >= 500 or error.status_code == 429:
                raise
            return ""
        except Exception as error:
            handlers, _ = scope.get("starlette.exception_handlers", ({}, {}))
            if any(kind in handlers for kind in type(error).__mro__ if kind is not Exception):
                return ""  # The host answers these in its own way, as when somebody is not logged in.
            raise
