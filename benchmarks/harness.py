"""What the benchmarks share: arguments, temporary homes, real servers, CPU time, statistics, and the machine's words.

python benchmarks/harness.py        describes this machine, as Markdown for RESULTS.md
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BILLING = ROOT / "examples" / "billing"
HOSTS = HERE / "hosts"
TESTS = ROOT / "tests"
PASSWORD = "only-for-this-benchmark"
ADMIN = "admin@example.com"
LIBRARIES = ("hotbay", "fastapi", "starlette", "uvicorn", "uvloop", "httptools", "websockets", "pydantic", "sqlalchemy")
_START_SECONDS = 60.0
# Before the benchmark itself is the load.
_LOAD_BEFORE = os.getloadavg()

# ── arguments and answers ───────────────────────────────────────────────────────────────────────────────────────


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="fewer rounds: under a minute")
    size.add_argument("--tiny", action="store_true", help="only to see that it works: seconds, numbers mean nothing")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    return parser


def use_tests(*folders: str) -> None:
    """Make the modules of the tests importable, and those in some of their folders: proofs that also run for long."""
    sys.path[:0] = [str(TESTS), *(str(TESTS / name) for name in folders)]


def sized(options: argparse.Namespace, full: Any, quick: Any, tiny: Any) -> Any:
    """The value for the size that was asked for."""
    if options.tiny:
        return tiny
    return quick if options.quick else full


def report(benchmark: str, options: argparse.Namespace, result: Mapping[str, Any]) -> None:
    """Print what was measured: for people, and with `--json` one object on the last line."""
    size = sized(options, "full", "quick", "tiny")
    whole = {"benchmark": benchmark, "size": size, "arguments": sys.argv[1:], **result, "machine": machine()}
    if not options.json:
        _print_table(whole)
        return
    print(json.dumps(whole, allow_nan=False), flush=True)


def _print_table(whole: Mapping[str, Any], indent: str = "") -> None:
    for key, value in whole.items():
        if isinstance(value, Mapping):
            print(f"{indent}{key}")
            _print_table(value, indent + "  ")
        else:
            print(f"{indent}{key:<28} {value}")


def say(text: str) -> None:
    """Progress, for people: on the error stream, so that the answer stays clean."""
    print(text, file=sys.stderr, flush=True)


# ── statistics ──────────────────────────────────────────────────────────────────────────────────────────────────


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile; 0.0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def milliseconds(seconds: float) -> float:
    """Rounded to a microsecond."""
    return round(seconds * 1000, 3)


def spread(values: Sequence[float], digits: int = 4) -> dict[str, float]:
    """Median, quartiles and extremes."""
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), digits),
        "q1": round(percentile(ordered, 25), digits),
        "q3": round(percentile(ordered, 75), digits),
        "min": round(ordered[0], digits),
        "max": round(ordered[-1], digits),
    }


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """Percentiles in milliseconds."""
    return {
        "count": len(seconds),
        "p50_ms": milliseconds(percentile(seconds, 50)),
        "p95_ms": milliseconds(percentile(seconds, 95)),
        "p99_ms": milliseconds(percentile(seconds, 99)),
        "max_ms": milliseconds(max(seconds, default=0.0)),
    }


def pace() -> float:
    """Seconds that a fixed piece of pure Python takes now: how fast this machine happens to be.

    It is not the same from one minute to the next (a factor of 1.7 was seen): what is divided by it can be compared.
    """
    began, total = time.perf_counter(), 0
    for number in range(500_000):
        total += number * number % 7
    return time.perf_counter() - began


# ── processes ───────────────────────────────────────────────────────────────────────────────────────────────────


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all threads, in nanosecond resolution.

    This is the process's CPU-time clock (`clock_getcpuclockid(3)`): what /proc/PID/stat counts in ticks of 10 ms.
    """
    return time.clock_gettime((~pid << 3) | 2)


def memory_mib(pids: Sequence[int]) -> list[float]:
    """The resident memory of processes."""
    return [round(_resident_kib(pid) / 1024, 1) for pid in pids]


def _resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def children(pid: int) -> list[int]:
    """Processes that a process started, without Python's own resource tracker."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in listed if b"resource_tracker" not in _command(int(child))]


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """A real uvicorn in processes of its own."""

    def __init__(self, app: str, folder: Path, env: Mapping[str, str], log: Path, workers: int = 1) -> None:
        self.port = free_port()
        self.workers = workers
        self.log = log
        self._command = [
            *(sys.executable, "-m", "uvicorn", app, "--app-dir", str(folder), "--port", str(self.port)),
            *("--host", "127.0.0.1", "--log-level", "warning", "--no-access-log"),
            *("--timeout-keep-alive", "75", "--timeout-graceful-shutdown", "5"),
            *(("--workers", str(workers)) if workers > 1 else ()),
        ]
        self._env = dict(env)
        self.process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process; does not wait until it serves."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, env=self._env, cwd=self.log.parent, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self, path: str, pause: float = 0.01) -> None:
        """Wait until a path answers 200. Raises RuntimeError with the log's end when it never does."""
        deadline = time.monotonic() + _START_SECONDS
        while not answers(self.url + path):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server does not serve; its log ends with:\n{self.tail()}")
            time.sleep(pause)

    def pids(self) -> list[int]:
        """The processes that serve."""
        return children(self.process.pid) if self.workers > 1 else [self.process.pid]

    def cpu(self) -> float:
        """CPU seconds of the processes that serve."""
        return sum(cpu_seconds(pid) for pid in self.pids())

    def tail(self) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-30:])

    def stop(self, grace: float = 15.0) -> None:
        """End the process and what it started; by force when it does not follow within `grace` seconds."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(grace)
        # The group is the server's own (start_new_session): nobody else is in it.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(5)


def answers(url: str, status: int = 200) -> bool:
    """True when an address answers with that status."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status) == status
    except urllib.error.HTTPError as error:
        return error.code == status
    except OSError:
        return False


@contextmanager
def served(
    app: str, folder: Path, env: Mapping[str, str], log: Path, *, workers: int = 1, ready: str
) -> Iterator[Server]:
    """A server for the block, ready when the path `ready` answers 200."""
    server = Server(app, folder, env, log, workers)
    server.start()
    try:
        server.wait(ready)
        yield server
    finally:
        server.stop()


# ── homes ───────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def temporary(name: str) -> Iterator[Path]:
    """A folder for the block."""
    with TemporaryDirectory(prefix=f"hotbay-bench-{name}-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a host whose state is all in `home`, and of whoever operates on it."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("HOTBAY_", "PLUGIN_", "UVICORN_"))
    }
    home.mkdir(parents=True, exist_ok=True)
    config = home / "hotbay.toml"
    config.write_text(f"app_dir = {str(BILLING)!r}\n", encoding="utf-8")
    own = {
        "HOTBAY_CONFIG": str(config),
        "HOTBAY_HOME": str(home),
        "HOTBAY_DATABASE_URL": f"sqlite:///{home / 'host.db'}",
        "HOTBAY_LOCAL_PACKAGES": str(home / "modules"),
        "DEMO_PASSWORD": PASSWORD,
        "PYTHONPATH": os.pathsep.join(map(str, (HERE, HOSTS, BILLING))),
    }
    return kept | own | more


def build_packages(into: Path) -> None:
    """The first-party packages, as `make demo` builds them."""
    subprocess.run(
        [sys.executable, str(ROOT / "plugins" / "build.py"), str(into)], check=True, stdout=subprocess.DEVNULL
    )


# ── the machine ─────────────────────────────────────────────────────────────────────────────────────────────────


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "filesystem": _filesystem(Path(os.environ.get("TMPDIR", "/tmp"))),
        "python": platform.python_version(),
        "versions": {name: found for name in LIBRARIES if (found := _version(name))},
        "commit": _commit(),
        "load_average": [round(value, 2) for value in _LOAD_BEFORE],
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    return platform.machine()


def _filesystem(folder: Path) -> str:
    found = ("", "unknown")
    with suppress(OSError):
        for line in Path("/proc/mounts").read_text("utf-8", "replace").splitlines():
            _, place, kind, *_ = line.split()
            if folder.resolve().is_relative_to(place) and len(place) > len(found[0]):
                found = (place, kind)
    return found[1]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    asked = [git, "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def machine_markdown(found: Mapping[str, Any]) -> str:
    """The machine's description for RESULTS.md: what stays the same from run to run."""
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    rows = {
        "CPU": f"{found['cpu']}, {found['cores']} core(s)",
        "Memory": f"{found['memory_gib']} GiB",
        "System": f"{found['system']}, temporary files on {found['filesystem']}",
        "Python": found["python"],
        "Libraries": versions,
    }
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {text} |" for name, text in rows.items())])


def run_markdown(found: Mapping[str, Any]) -> str:
    """When it was measured, of what, and what else the machine did."""
    load = " ".join(map(str, found["load_average"]))
    return f"{found['at']}, commit {found['commit']}, load before {load}"


if __name__ == "__main__":
    print(machine_markdown(machine()))
