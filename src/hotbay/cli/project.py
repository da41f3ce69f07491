"""Verbs for the host itself: init, serve."""

from __future__ import annotations

import copy
import importlib.util
import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hotbay.cli.shell import Shell, Verb, pass_shell
from hotbay.errors import BadInput, InvalidConfig, Refused

if TYPE_CHECKING:
    from hotbay.settings import Settings

_TEMPLATE = """\
# The settings of this host, for its server and for the command line. Paths are relative to this file.
# HOTBAY_<NAME> in the environment wins (HOTBAY_HOME, …), and so do PLUGIN_SOURCE and PLUGIN_SERVER_URL.

# The application that `hotbay serve` serves, as module:name, and the folder from which it is imported.
{app}
app_dir = "."

# Plugins, images, exports, logs and the plugins' own data live here.
home = {home}

# The host's own database: Hotbay's and the plugins' tables go into the same file.
database_url = {database}

# Where packages come from: "local" (the folder below) or "remote" (the repository below).
plugin_source = "local"
local_packages = {packages}
# plugin_server_url = "https://plugins.example.com/"

# Refuse packages that no trusted publisher has signed (`hotbay publishers`).
# require_signature = false

# Plugins' routes are below this path.
# api_prefix = "/api/v1"

# How long things may take, in seconds.
# start_seconds = 30      # a plugin's import and start
# health_seconds = 10     # its health check
# drain_seconds = 10      # open requests and streams of an old version
# ack_seconds = 3         # a worker that says nothing
# hold_seconds = 30       # requests that wait while tables change
# lease_seconds = 30      # waiting for another operation
# receipt_seconds = 5     # watching the requests after an operation, for its receipt

# Versions of each plugin that are kept, for rollback.
# keep_versions = 3
# keep_backups = 5

# Operations that are kept in the journal, with their receipts, and for how many days; 0 for all, and for ever.
# history_max = 10000
# history_days = 730

# Compile and show plugins' frontends; for how long what no plugin uses any more stays for open tabs (seconds).
# frontends = true
# asset_seconds = 604800

# Whose frontends are not trusted, and run in frames of their own: "none", "all", or ids of plugins.
# frontend_frames = "none"  # or "unverified", "all", or, for example, ["ai_chatbot"]

# What the console shows of this host: its name, the path of its logo, a colour such as "#1f6feb", its own login page.
# brand_name = ""
# brand_logo = ""
# brand_color = ""
# login_url = ""

# Follow renamed, added and removed folders in {{home}}/plugins.
# watch = true
# watch_seconds = 0.25

# Run the plugins' jobs.
# jobs = true

# Name who holds the event loop for longer (seconds; 0: nobody watches).
# stall_seconds = 0.2

# A Server-Timing header on plugins' answers.
# server_timing = false

# Whoever sends this as "Authorization: Bearer …" may read /api/v1/hotbay/metrics. At least 16 characters.
# metrics_token = ""

# What happens to a plugin of whose requests (at least so many) more than this share fail in so many seconds:
# "none", "deactivate" or "rollback"; for all, and for single ones.
# error_policy = "none"
# error_policies = {{}}  # or, for example, {{ shop = "rollback" }}
# error_budget = 0.5
# error_window = 60
# error_requests = 20

# What is not confirmed yet goes back at once when the share of failed requests is larger than before by this much, or
# when its health is bad so many times in a row, asked every so many seconds.
# confirm_margin = 0.1
# confirm_checks = 3
# confirm_check_seconds = 5

# Load a new version in one worker before the others do, so that one which kills its process kills one.
# load_one_first = false

# Mark a plugin of which so many generations stayed in memory after they were left.
# leak_limit = 3

# So many pools of memory the C library (glibc) may keep for threads; 0 leaves that to the library.
# memory_pools = 1

# Start without plugins, to deactivate or uninstall what is to blame for a host that does not start.
# safe_mode = false
"""


@click.command(cls=Verb)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--app", default="", help="The application, as module:name. [default: found]")
@click.option("--home", default="var", show_default=True, help="The folder of plugins, images, exports and logs.")
@click.option("--database", default="", help="The SQLite file. [default: hotbay.db in the home folder]")
@click.option("--force", is_flag=True, help="Replace a hotbay.toml that is there.")
@pass_shell
def init(shell: Shell, /, folder: Path, app: str, home: str, database: str, force: bool) -> None:
    """Make a host: write hotbay.toml with all settings explained, and make the folders."""
    from hotbay.settings import CONFIG_NAME, load

    file = shell.config or folder / CONFIG_NAME
    if file.exists() and not force:
        raise Refused(f"{file} is there already", mend="--force replaces it")
    file.parent.mkdir(parents=True, exist_ok=True)
    _write(file, _document(app or _find_app(file.parent), home, database or f"{home}/hotbay.db"))
    settings = load(file.absolute())
    folders = [settings.plugins, settings.packages, settings.exports, settings.data, settings.logs]
    for made in folders:
        made.mkdir(parents=True, exist_ok=True)
    named = settings.app or "nothing yet: set app in it before `hotbay serve`"
    shell.put(
        {"config": str(file.absolute()), "app": settings.app, "folders": [str(made) for made in folders]},
        f"wrote {file}\napplication: {named}\npackages go into {settings.packages}",
    )


def _document(app: str, home: str, database: str) -> str:
    quoted = {
        "home": json.dumps(home),
        "database": json.dumps(f"sqlite:///{database}"),
        "packages": json.dumps(f"{home}/modules"),
    }
    return _TEMPLATE.format(app=f"app = {json.dumps(app)}" if app else '# app = "main:app"', **quoted)


def _write(file: Path, text: str) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def _find_app(folder: Path) -> str:
    """The usual places of an application; nothing of it is run."""
    for name, module in (("main.py", "main"), ("app.py", "app"), ("app/main.py", "app.main")):
        if (folder / name).is_file():
            return f"{module}:app"
    return ""


@click.command(cls=Verb)
@click.argument("app", default="")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="The port; 0: any free.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that serve.")
@click.option(
    "--log-level", type=click.Choice(["critical", "error", "warning", "info", "debug"]), default="info",
    show_default=True, help="What the server's log tells.",
)  # fmt: skip
@click.option("--safe-mode", is_flag=True, help="Load no plugin: to deactivate or uninstall what is to blame.")
@pass_shell
def serve(shell: Shell, /, app: str, host: str, port: int, workers: int, log_level: str, safe_mode: bool) -> None:
    """Serve the application APP (default: `app` of hotbay.toml) with its plugins."""
    if safe_mode:
        os.environ["HOTBAY_SAFE_MODE"] = "1"  # For the workers too.
    settings = shell.settings()
    target = app or settings.app
    _enter(shell, settings)
    _check_app(target)
    if shell.json:
        about = {"app": target, "host": host, "port": port, "workers": workers, "safe_mode": settings.safe_mode}
        shell.put(about | {"pid": os.getpid()}, "")
        sys.stdout.flush()
    _run(target, host=host, port=port, workers=workers, log_level=log_level, log_config=_log_config(shell),
         timeout_graceful_shutdown=max(1, math.ceil(settings.drain_seconds)))  # fmt: skip


def _enter(shell: Shell, settings: Settings) -> None:
    """Let this process and its workers find the configuration and the application's modules."""
    from hotbay.settings import CONFIG_NAME

    config = shell.config or Path(CONFIG_NAME)
    if shell.config is not None or (config.is_file() and not os.environ.get("HOTBAY_CONFIG")):
        os.environ["HOTBAY_CONFIG"] = str(config.absolute())
    folder = str(settings.app_dir or Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _check_app(target: str) -> None:
    """Refuse at once what every worker would fail with for ever."""
    if not target:
        raise InvalidConfig("no application is named", mend='set app = "module:name" in hotbay.toml, or give it here')
    module, colon, name = target.partition(":")
    if not module or not colon or not name:
        raise BadInput(f"{target!r} names no application", mend="write it as module:name, for example main:app")
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise BadInput(f"there is no module {module!r} in {sys.path[0]}", mend="set app and app_dir in hotbay.toml")


def _run(target: str, **options: Any) -> None:
    try:
        import uvicorn
    except ImportError:
        raise BadInput("serving needs uvicorn", mend="install it with: pip install 'hotbay[serve]'") from None
    uvicorn.run(target, **options)


def _log_config(shell: Shell) -> dict[str, Any]:
    """uvicorn's own, but with --json nothing else goes to stdout."""
    from uvicorn.config import LOGGING_CONFIG

    config: dict[str, Any] = copy.deepcopy(LOGGING_CONFIG)
    if shell.json:
        config["handlers"]["access"]["stream"] = "ext://sys.stderr"
    return config


VERBS = (init, serve)
