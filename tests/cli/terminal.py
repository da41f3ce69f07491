"""A host in a temporary folder, real packages, and the command line in this process or in one of its own."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from hotbay.cli.commands import commands
from hotbay.package import pack

APP = """\
from fastapi import FastAPI
from hotbay import Hotbay

app = FastAPI()
hotbay = Hotbay(app)

@app.get("/host")
def host() -> dict[str, str]:
    return {"host": "here"}
"""

ROUTES = """\
from fastapi import APIRouter
from hotbay_sdk.plugin import context

router = APIRouter(prefix="/{id}")

@router.get("/version")
def version() -> dict[str, object]:
    plugin = context(__name__)
    with plugin.database.session() as session:
        rows = session.connection().exec_driver_sql("SELECT count(*) FROM {id}_rows").scalar_one()
    return {{"version": "{version}", "rows": rows, "word": plugin.settings.word}}
"""

SETTINGS = """\
from pydantic import BaseModel, Field, SecretStr

class Settings(BaseModel):
    word: str = "plain"
    number: int = Field(3, ge=1, le=9)
    names: list[str] = []
    nick: str | None = None
    token: SecretStr = SecretStr("")
"""


class Terminal:
    """The folder of one host, and what is typed there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "var"
        self.modules = self.home / "modules"
        self.config = folder / "hotbay.toml"
        (folder / "main.py").write_text(APP)
        self.config.write_text('app = "main:app"\napp_dir = "."\nhome = "var"\nwatch_seconds = 0.05\n')
        self.modules.mkdir(parents=True)

    def plugin(self, plugin: str = "shop", version: str = "1.0.0", **manifest: Any) -> Path:
        """The folder of a plugin with a table, a route and settings."""
        root = self.folder / "authors" / f"{plugin}-{version}"
        files = {
            "metadata.json": json.dumps({"id": plugin, "name": plugin.title(), "version": version} | manifest),
            "README.md": f"# {plugin}\n",
            "backend/__init__.py": "from .settings import Settings\n__all__ = ['Settings']\n",
            "backend/settings.py": SETTINGS,
            "backend/routes.py": ROUTES.format(id=plugin, version=version),
            "migrations/0001_rows.up.sql": f"CREATE TABLE {plugin}_rows (id INTEGER PRIMARY KEY);"
            f"INSERT INTO {plugin}_rows VALUES (1), (2);",
            "migrations/0001_rows.down.sql": f"DROP TABLE {plugin}_rows;",
        }
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return root

    def offer(self, plugin: str = "shop", version: str = "1.0.0", **manifest: Any) -> Path:
        """The plugin's package in the local source."""
        return pack(self.plugin(plugin, version, **manifest), self.modules)

    def run(self, *args: str, typed: str = "", code: int | None = 0) -> Result:
        """The command line in this process; the exit code must be `code` (None: any)."""
        done = CliRunner().invoke(commands, ["--config", str(self.config), *args], input=typed)
        assert code is None or done.exit_code == code, f"{args}: {done.exit_code}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *args: str, typed: str = "", code: int = 0) -> Any:
        """The one JSON document on stdout, with nothing on stderr."""
        done = self.run(*args, "--json", typed=typed, code=code)
        assert done.stderr == ""
        return json.loads(done.stdout)

    def state(self) -> dict[str, tuple[str, str]]:
        """Version and state of what is installed."""
        return {row["id"]: (row["version"], row["state"]) for row in self.json("list")["installed"]}

    def tables(self) -> set[str]:
        """The tables of plugins."""
        connection = sqlite3.connect(self.home / "hotbay.db")
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        connection.close()
        return {name for name in names if not name.startswith(("hotbay_", "sqlite_"))}

    def spawn(self, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """The command line in a process of its own, in the host's folder."""
        return subprocess.run(
            command(args), cwd=self.folder, env=environment(), text=True, capture_output=True, timeout=110, **options
        )

    def spawn_completion(self, line: str) -> str:
        """What a bash would be offered at the end of the line."""
        words = line.split()
        more = {"_HOTBAY_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
        code = "import sys; sys.argv[0] = 'hotbay'; from hotbay.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=self.folder, env=environment(**more), text=True,
            capture_output=True, timeout=110,
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout


def command(args: Sequence[str]) -> list[str]:
    """How the command line is started."""
    return [sys.executable, "-m", "hotbay.cli", *args]


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what configures a host."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOTBAY_", "PLUGIN_"))}
    return kept | more


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def repository(folder: Path) -> Iterator[str]:
    """A web server that publishes a folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join(5)
