"""Make the folders of tests importable (`system.packages`), keep the demo out of them, and skip nothing in CI."""

import os
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from hotbay.activate import remains
from hotbay.store import Store

sys.path.insert(0, str(Path(__file__).parent))

# The project's own hotbay.toml describes the demo. A test that means a file names it or leaves this folder.
_empty = Path(tempfile.mkdtemp(prefix="hotbay-tests-")) / "hotbay.toml"
_empty.write_text("")
os.environ["HOTBAY_CONFIG"] = str(_empty)

# A run in the background of a shell ignores SIGINT, one under nohup SIGHUP; so would processes that tests interrupt.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

# On a busy machine an example may take long: that is no finding.
settings.register_profile("hotbay", deadline=None)
settings.load_profile("hotbay")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first: of several processes none is left alone with it at the end."""
    items.sort(key=lambda item: "torture" not in item.path.parts)


def pytest_collection_finish() -> None:
    """What is there before the first test stays, as in a host that serves: no proof of an unload looks at it again."""
    remains.freeze()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Store]:
    """An empty registry."""
    made = Store(tmp_path / "host.db")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _engines_are_closed() -> Iterator[None]:
    yield
    opened = getattr(sys.modules.get("engine"), "OPENED", [])
    while opened:
        opened.pop().host.store.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that skips itself has failed: what it needs should have been installed."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which is a failure where CI is set: {report.longrepr}"
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What made somebody try a test once more is told, too: a test that fails now and then has found something."""
    if report.outcome == "rerun":
        print(f"\n{report.nodeid} is tried once more, because:\n{report.longreprtext[-4000:]}\n")
