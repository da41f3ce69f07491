"""Failures of the API as problem documents: the same members always, and nothing that visitors must not see."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from hotbay.console.problems import CrossSite, ProblemDocument, TooLarge, of_hotbay, of_http, of_unknown, of_validation
from hotbay.errors import NotFound


def body(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(answer.body))
    assert answer.headers["content-type"] == "application/problem+json"
    assert found["status"] == answer.status_code
    return found


def test_our_own_errors_say_what_they_are() -> None:
    found = body(of_hotbay(NotFound("there is no plugin 'x'", mend="look")))
    assert (found["status"], found["code"], found["detail"], found["mend"]) == (
        404,
        "not-found",
        "there is no plugin 'x'",
        "look",
    )
    assert body(of_hotbay(TooLarge("too large")))["status"] == 413
    assert body(of_hotbay(CrossSite("no")))["code"] == "cross-site"


@pytest.mark.parametrize(
    ("status", "code", "title"),
    [
        (401, "unauthorized", "Unauthorized"),
        (403, "forbidden", "Forbidden"),
        (404, "not-found", "Not Found"),
        (405, "method-not-allowed", "Method Not Allowed"),
        (418, "http-418", "I'm a Teapot"),
        (499, "http-499", "Error"),
    ],
)
def test_what_a_framework_raised(status: int, code: str, title: str) -> None:
    answer = of_http(HTTPException(status, "why", {"WWW-Authenticate": "Bearer"}))
    assert body(answer) == {
        "type": f"urn:hotbay:error:{code}",
        "title": title,
        "status": status,
        "detail": "why",
        "code": code,
    }
    assert answer.headers["www-authenticate"] == "Bearer"


def test_each_wrong_field_is_named_and_no_value() -> None:
    errors = [
        {"loc": ("body", "settings", 0), "msg": "wrong", "input": "s3cret", "type": "x"},
        {"loc": (), "msg": "not JSON", "input": "s3cret", "type": "x"},
    ]
    answer = of_validation(RequestValidationError(errors))
    found = body(answer)
    assert [(item["field"], item["rule"]) for item in found["problems"]] == [
        ("body.settings.0", "wrong"),
        ("request", "not JSON"),
    ]
    assert b"s3cret" not in bytes(answer.body)


def test_a_mistake_of_ours_is_found_in_the_log_by_its_number(caplog: pytest.LogCaptureFixture) -> None:
    request = Request({"type": "http", "method": "PUT", "path": "/x", "headers": [], "query_string": b"token=s3cret"})
    with caplog.at_level(logging.ERROR):
        answer = of_unknown(request, LookupError("hush"))
    found = body(answer)
    assert (found["status"], found["code"]) == (500, "error")
    assert b"hush" not in bytes(answer.body)
    (record,) = caplog.records
    assert record.getMessage() == f"PUT /x failed ({found['id']})"
    assert record.exc_info is not None
    assert found["id"] in found["mend"]
    assert "s3cret" not in caplog.text


def test_what_json_does_not_know_is_text() -> None:
    answer = ProblemDocument({"status": 200, "seen": {1}, "word": "ä"}, 200)
    assert json.loads(bytes(answer.body))["seen"] == "{1}"
    assert "ä".encode() in bytes(answer.body)
