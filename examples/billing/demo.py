"""`make demo`: the billing panel with its sample data, two workers, and packages to install from the marketplace."""

from __future__ import annotations

import argparse
import os
import runpy
import secrets
import signal
import subprocess
import sys
from pathlib import Path

from hotbay.package import read_manifest
from hotbay.publishers import Publishers
from hotbay.seal import SigningKey, load_key, make_key, sign_archive
from hotbay.store import Store

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VAR = ROOT / "var"


def password() -> str:
    """`DEMO_PASSWORD`, or one that was made up at the first start and is kept in var/ for its owner only."""
    given = os.environ.get("DEMO_PASSWORD")
    kept = VAR / "demo_password"
    if given:
        return given
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_urlsafe(12) + "\n")
    return kept.read_text().strip()


def prepare(environment: dict[str, str]) -> None:
    """Build the packages and the database. Safe to repeat: state of earlier starts is kept."""
    modules = VAR / "modules"
    build = runpy.run_path(str(ROOT / "plugins" / "build.py"))
    archives = build["build_all"](modules)
    for archive in archives:
        print(f"  package   {archive.relative_to(ROOT)}")
    subprocess.run([sys.executable, "-m", "app.setup"], cwd=HERE, env=environment, check=True)
    vouch(archives, VAR / "demo_publisher.key", VAR / "billing.db")


def vouch(archives: list[Path], file: Path, database: Path) -> SigningKey:
    """Sign the packages in their author's name, with a key that is made at the first start, and trust it on this host.

    Safe to repeat. Whom the host's administrator trusts by then is left as it is.
    """
    fresh = not file.exists()
    if fresh:
        file.with_name(file.name + ".pub").unlink(missing_ok=True)
        make_key(file, read_manifest(archives[0]).author)
    key = load_key(file)
    for archive in archives:
        if read_manifest(archive).author == key.publisher:
            sign_archive(archive, key)
    registry = Store(database)
    try:
        publishers = Publishers(registry)
        if fresh or not publishers.chosen:
            publishers.trust(key.publisher, key.public.text, "demo")
    finally:
        registry.close()
    return key


def welcome(port: int, secret: str) -> None:
    """What a newcomer needs to know."""
    base = f"http://127.0.0.1:{port}"
    print(
        f"""
  Billing   {base}/            (API documentation: {base}/docs)
  Login     admin@example.com  password: {secret}
  Plugins   {base}/marketplace (in a browser: what you do below shows there at once)

  Try, in a second terminal, while this one serves (2 workers, no restart):
    .venv/bin/hotbay list
    .venv/bin/hotbay plan install ai_chatbot
    .venv/bin/hotbay install ai_chatbot --version 1.0.0
    curl {base}/api/v1/chat/bot
    .venv/bin/hotbay upgrade ai_chatbot
    mv var/plugins/ai_chatbot var/plugins/_ai_chatbot      # deactivates it; back again activates it
    .venv/bin/hotbay rollback ai_chatbot
    .venv/bin/hotbay uninstall ai_chatbot
  Ctrl-C stops. State stays in var/.
""",
        flush=True,
    )


def serve(port: int, workers: int, environment: dict[str, str]) -> int:
    """Run the server until it is stopped; its exit code."""
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--app-dir", str(HERE), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", str(workers), "--timeout-graceful-shutdown", "5"]
    server = subprocess.Popen(command, env=environment)  # noqa: S603
    # Ctrl-C reaches the server too, which then stops in order: we only wait for it. SIGTERM we have to pass on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    code = server.wait()
    return 0 if code in (0, -signal.SIGINT, -signal.SIGTERM) else code


def main() -> int:
    """Start the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    VAR.mkdir(exist_ok=True)
    secret = password()
    environment = os.environ | {
        "DEMO_PASSWORD": secret,
        "HOTBAY_CONFIG": str(HERE / "hotbay.toml"),
        "HOTBAY_DATABASE_URL": f"sqlite:///{VAR / 'billing.db'}",
    }
    prepare(environment)
    welcome(options.port, secret)
    return serve(options.port, options.workers, environment)


if __name__ == "__main__":
    sys.exit(main())
