"""The billing panel, really served, with a recorder in the place of the plugins."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from panel import PASSWORD, Panel, Recorder

sys.path.insert(0, str(Path(__file__).parents[1] / "plugins"))
from serving import fresh_billing, served


@pytest.fixture(scope="module")
def served_panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    database = tmp_path_factory.mktemp("billing") / "billing.db"
    factory, plugins = fresh_billing(database), Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEMO_PASSWORD", PASSWORD)
        with served(factory.create_app(plugins)) as address:
            yield Panel(address, plugins, database)


@pytest.fixture
def panel(served_panel: Panel) -> Panel:
    served_panel.plugins.events.clear()
    served_panel.plugins.filters.clear()
    return served_panel


@pytest.fixture
def admin(panel: Panel) -> Iterator[httpx.Client]:
    with panel.login("admin@example.com") as client:
        panel.plugins.events.clear()
        yield client


@pytest.fixture
def customer(panel: Panel) -> Iterator[httpx.Client]:
    with panel.login("customer@example.com") as client:
        panel.plugins.events.clear()
        yield client
