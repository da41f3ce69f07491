"""The README, followed word for word: `make demo` in a copy of the project, then every command that it names."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from system.conftest import ROOT, _free_port, until

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PARTS = (
    "README.md",
    "Makefile",
    "pyproject.toml",
    "hatch_build.py",
    "hotbay.toml",
    "examples",
    "plugins",
    "src",
    "scripts",
    "benchmarks",
)


def commands(title: str) -> list[str]:
    """The commands below a heading of the README, without their comments; `make` is what the fixture does."""
    section = (ROOT / "README.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line.partition("  #")[0].strip() for block in BLOCK.findall(section) for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("make ")]


class Demo:
    """The running demo, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "demo.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """`make demo`, with the installation that the tests run in."""
        hidden = ("HOTBAY_", "PLUGIN_", "DEMO_", "MAKE", "MFLAGS")
        env = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        with self.log.open("wb") as log:
            command = ["make", "demo", f"PORT={self.port}"]
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=env, stdout=log, stderr=log, start_new_session=True
            )
        until(lambda: self.status("/docs") == 200, 90)

    def status(self, path: str) -> int:
        """The status of an answer; 0 without one."""
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx.get(self.url + path).status_code
        except httpx.TransportError:
            return 0

    def type(self, line: str) -> str:
        """What a newcomer types, and what comes of it."""
        line = line.replace("http://127.0.0.1:8000", self.url)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("HOTBAY_", "PLUGIN_"))}
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.folder, env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}\n{self.log.read_text()[-2000:]}"
        return done.stdout

    def stop(self) -> int:
        """Ctrl-C."""
        assert self.process is not None
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("project")
    for part in PARTS:
        source = ROOT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / part)
    # Not installed again: the two commands are run in a fresh clone by whoever releases.
    (folder / ".venv").symlink_to(ROOT / ".venv", target_is_directory=True)
    (ROOT / ".venv" / ".installed").touch()
    made = Demo(folder)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def test_the_demo_as_the_readme_tells_it(demo: Demo) -> None:
    assert demo.status("/api/v1/chat/bot") == 404
    lines = commands("Try it")
    assert len(lines) == 10
    seen = {}
    for line in lines:
        seen[line] = demo.type(line)
        if line.startswith("mv "):
            wanted = 404 if line.endswith("_ai_chatbot") else 200
            until(lambda wanted=wanted: demo.status("/api/v1/chat/bot") == wanted, 60)
        elif "uninstall" in line:
            assert demo.status("/api/v1/chat/bot") == 404
            assert list((demo.folder / "var" / "exports").glob("ai_chatbot-*"))
    assert "The Hotbay authors (verified)" in seen[".venv/bin/hotbay list"]
    assert "signature: verified, by The Hotbay authors" in seen[".venv/bin/hotbay plan install ai_chatbot"]
    assert '"greeting"' in seen["curl http://127.0.0.1:8000/api/v1/chat/bot"]
    assert demo.status("/api/v1/chat/bot") == 200


def test_a_first_plugin_as_the_readme_tells_it(demo: Demo) -> None:
    answers = [demo.type(line) for line in commands("A first plugin in five minutes")]
    assert len(answers) == 5
    assert answers[-1].startswith("{")
    file = demo.folder / "var" / "plugins" / "hello" / "backend" / "routes.py"
    file.write_text(file.read_text() + '\n\n@router.get("/morning")\ndef morning():\n    return "good morning"\n')
    until(lambda: demo.status("/api/v1/hello/morning") == 200, 60)


def test_ctrl_c_stops_it_and_its_state_stays(demo: Demo) -> None:
    assert demo.stop() in (0, -signal.SIGINT), "make itself ends by the signal"
    with pytest.raises(httpx.ConnectError):
        httpx.get(demo.url)
    assert (demo.folder / "var" / "billing.db").is_file()
