"""Whether an answer has the shape that the API's OpenAPI document gives it: whole, and with nothing beside it."""

from __future__ import annotations

import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator

# A package's manifest has more, and a worker says more of itself; a receipt is described by a page of its own.
OPEN = {"Manifest", "BackendPart", "FrontendPart", "DatabasePart", "Worker", "Receipt", "ReceiptSpan", "ReceiptWorker"}
OPEN |= {"Problem"}


class Shapes:
    """The shapes of one API's answers."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.seen: set[str] = set()
        self._defs = {name: _closed(name, schema) for name, schema in document["components"]["schemas"].items()}
        self._paths = [
            (re.compile(re.sub(r"\\{[^/]+\\}", "[^/]+", re.escape(path))), path, methods)
            for path, methods in sorted(document["paths"].items(), key=lambda item: item[0].count("{"))
        ]

    def check(self, response: httpx.Response) -> None:
        """Raise AssertionError for an answer that is not as it is described. Others' paths are passed over."""
        schema = self._schema(response.request.method.lower(), response.request.url.path, str(response.status_code))
        if schema is None or not response.headers.get("content-type", "").startswith("application/json"):
            return
        response.read()
        found = Draft202012Validator({**schema, "components": {"schemas": self._defs}}).iter_errors(response.json())
        told = [f"{error.json_path}: {error.message:.300}" for error in found]
        assert told == [], f"{response.request.method} {response.request.url.path}: {told}"

    def _schema(self, method: str, path: str, status: str) -> dict[str, Any] | None:
        for pattern, name, methods in self._paths:
            if pattern.fullmatch(path) and method in methods:
                self.seen.add(f"{method} {name} {status}")
                content = methods[method]["responses"].get(status, {}).get("content", {})
                found: dict[str, Any] | None = content.get("application/json", {}).get("schema")
                return found
        return None


def _closed(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return schema if name in OPEN or "properties" not in schema else schema | {"additionalProperties": False}
