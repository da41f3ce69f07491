"""Every failure of the API as a problem document (RFC 9457) with a stable code."""

from __future__ import annotations

import json
import logging
import uuid
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hotbay.errors import BadInput, Forbidden, HotbayError, Problem

log = logging.getLogger("hotbay.console")
_CODES = {401: "unauthorized", 403: "forbidden", 404: "not-found", 405: "method-not-allowed"}


class CrossSite(Forbidden):
    """A page of another site tried to change something with the administrator's cookies."""

    code = "cross-site"


class TooLarge(BadInput):
    """An upload is larger than any package may be; nothing of it was kept."""

    status, code = 413, "too-large"


class ProblemDocument(JSONResponse):
    """A problem document; what JSON does not know is written as text."""

    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        """Encode."""
        return json.dumps(content, ensure_ascii=False, default=str, separators=(",", ":")).encode("utf-8")


def of_hotbay(error: HotbayError) -> Response:
    """Our own errors say themselves what they are."""
    return ProblemDocument(error.to_json(), error.status)


def of_http(error: HTTPException) -> Response:
    """What a framework or the host's admin check raised; its headers (`WWW-Authenticate`) stay."""
    code = _CODES.get(error.status_code, f"http-{error.status_code}")
    body = {
        "type": f"urn:hotbay:error:{code}",
        "title": _phrase(error.status_code),
        "status": error.status_code,
        "detail": error.detail,
        "code": code,
    }
    return ProblemDocument(body, error.status_code, dict(error.headers or {}))


def of_validation(error: RequestValidationError) -> Response:
    """A request that does not fit: every wrong field. Values are left out, they may be secrets."""
    problems = tuple(
        Problem(".".join(str(part) for part in item["loc"]) or "request", item["msg"]) for item in error.errors()
    )
    return of_hotbay(BadInput("the request does not fit", mend="correct the fields named here", problems=problems))


def of_unknown(request: Request, error: Exception) -> Response:
    """A mistake of ours: the log has it under the number that the answer names; nothing else gets out."""
    number = uuid.uuid4().hex[:12]
    log.error("%s %s failed (%s)", request.method, request.url.path, number, exc_info=error)
    body = {
        "type": "urn:hotbay:error:error",
        "title": "Internal error",
        "status": 500,
        "detail": "something went wrong inside Hotbay",
        "code": "error",
        "id": number,
        "mend": f"look for {number} in the server's log",
    }
    return ProblemDocument(body, 500)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
