"""The two ways to operate on a host: over its HTTP API, as a click does, or with the engine, as the CLI does."""

from __future__ import annotations

import argparse
import json
import statistics
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from harness import ADMIN, PASSWORD, Server, milliseconds
from hotbay import settings as configuration
from hotbay.model import Kind, Rows
from hotbay.offline import OfflineHost, open_host
from hotbay.request import Request

API = "/api/v1/marketplace"


class Operator(Protocol):
    """Runs one operation to its end and answers its outcome: `seconds`, and `steps` with their seconds."""

    def run(self, kind: str, plugin: str, version: str = "") -> dict[str, Any]:
        """Do it. Raises when it fails."""


class Engine:
    """Through the engine, from this process."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.host: OfflineHost = open_host(settings_of(env), actor="benchmark")

    def run(self, kind: str, plugin: str, version: str = "") -> dict[str, Any]:
        """Do it."""
        # What the load writes meanwhile must stay: the code alone goes back.
        return self.host.applier.run(Request(Kind(kind), plugin, version, rows=Rows.KEEP)).to_json()

    def present(self) -> set[int]:
        """The process ids of the workers that are there and have said so."""
        return {status.pid for status in self.host.applier.workers.statuses()}

    def change_settings(self, plugin: str, **changes: Any) -> None:
        """Change a plugin's settings, live."""
        self.host.change_settings(plugin, changes)


def settings_of(env: Mapping[str, str]) -> configuration.Settings:
    """The settings that a server started with this environment has."""
    return configuration.load(
        Path(env["HOTBAY_CONFIG"]),
        home=Path(env["HOTBAY_HOME"]),
        database_url=env["HOTBAY_DATABASE_URL"],
        local_packages=Path(env["HOTBAY_LOCAL_PACKAGES"]),
    )


class Api:
    """Through the HTTP API of a running host, logged in as its admin."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.token = login(server.url)

    def run(self, kind: str, plugin: str, version: str = "") -> dict[str, Any]:
        """Do it; the answer comes when the operation is done."""
        done: dict[str, Any] = self.ask(*request_for(kind, plugin, version))
        return done

    def ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        """One request. Raises RuntimeError with the problem that the host answered."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        asked = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=120) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            detail = error.read().decode("utf-8", "replace")
            hint = "; is the admin API there? `--via engine` does without" if error.code == 404 else ""
            raise RuntimeError(f"{method} {path}: {error.code} {detail}{hint}") from None


def request_for(kind: str, plugin: str, version: str = "") -> tuple[str, str, dict[str, Any] | None]:
    """Method, path and body of an operation in the HTTP API."""
    named = {"version": version} if version else {}
    if kind == "install":
        return "POST", f"{API}/install", {"addon_id": plugin, **named}
    if kind == "uninstall":
        return "DELETE", f"{API}/uninstall/{plugin}", None
    if kind in ("activate", "deactivate"):
        return "POST", f"{API}/toggle/{plugin}", {"enabled": kind == "activate"}
    if kind == "rollback":
        return "POST", f"{API}/rollback/{plugin}", {**named, "data": "keep"}
    return "POST", f"{API}/{kind}/{plugin}", named


def step_times(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The median time of each step, in milliseconds."""
    verbs: dict[str, list[float]] = {}
    for outcome in outcomes:
        for step in outcome["steps"]:
            verbs.setdefault(step["verb"], []).append(step["seconds"])
    return {verb: milliseconds(statistics.median(seconds)) for verb, seconds in verbs.items()}


def login(url: str) -> str:
    """The admin's bearer token."""
    body = json.dumps({"email": ADMIN, "password": PASSWORD}).encode()
    asked = urllib.request.Request(
        f"{url}/api/v1/auth/login", body, {"content-type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return str(json.loads(answer.read())["access_token"])


def add_via(parser: argparse.ArgumentParser) -> None:
    """The choice between the two ways."""
    about = "api: as a click does, inside a worker (default); engine: as the command line does, in a process of its own"
    parser.add_argument("--via", choices=("api", "engine"), default="api", help=about)


def operator(via: str, server: Server, env: Mapping[str, str]) -> Operator:
    """The way that was chosen."""
    return Api(server) if via == "api" else Engine(env)
