"""What is offered joined with what is installed: which version counts, what a search finds, what is shown of a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hotbay.console.shelf import Addon, live_json, worker_json
from hotbay.model import Contributions, Live, State
from hotbay.presence import Status
from hotbay.source import Offer
from rows import live


def offer(version: str, plugin: str = "shop", **manifest: Any) -> Offer:
    found = {"id": plugin, "name": "The Shop", "category": "Sales", "author": "Ann", **manifest}
    return Offer(plugin, version, "5" * 64, 100, found, "/nowhere")


def addon(*versions: str, row: Live | None = None, **manifest: Any) -> Addon:
    return Addon("shop", tuple(offer(version, **manifest) for version in versions), row)


@pytest.mark.parametrize(
    ("versions", "installed", "latest"),
    [
        (("2.0.0", "1.0.0"), None, "2.0.0"),
        (("2.0.0rc1", "1.0.0"), None, "1.0.0"),
        (("2.0.0rc1", "2.0.0b1"), None, "2.0.0rc1"),
        ((), "1.5.0", "1.5.0"),
        (("1.0.0",), "2.0.0", "1.0.0"),
        ((), None, ""),
    ],
)
def test_the_latest_is_what_install_would_choose(versions: Any, installed: str | None, latest: str) -> None:
    row = live("shop", installed) if installed else None
    assert addon(*versions, row=row).latest == latest


@pytest.mark.parametrize(
    ("versions", "installed", "update"),
    [
        (("1.10.0",), "1.9.0", True),
        (("1.9.0",), "1.9.0", False),
        (("1.8.0",), "1.9.0", False),
        (("2.0.0rc1", "1.9.0"), "1.9.0", False),
        ((), "1.9.0", False),
    ],
)
def test_an_update_is_a_higher_version(versions: Any, installed: str, update: bool) -> None:
    assert addon(*versions, row=live("shop", installed)).to_json()["update_available"] is update


def test_a_line_of_the_marketplace() -> None:
    shown = addon("2.0.0", "1.0.0", row=live("shop", "1.0.0", problem="broken", state=State.INACTIVE)).to_json()
    assert (shown["id"], shown["name"], shown["versions"], shown["offered"]) == (
        "shop",
        "The Shop",
        ["2.0.0", "1.0.0"],
        True,
    )
    assert (shown["installed"], shown["enabled"], shown["installed_version"], shown["problem"]) == (
        True,
        False,
        "1.0.0",
        "broken",
    )
    bare = addon("1.0.0", name=None).to_json()
    assert (bare["name"], bare["installed"], bare["enabled"], bare["installed_version"]) == ("shop", False, False, None)
    assert (bare["update_available"], bare["problem"]) == (False, "")
    assert addon(row=live("shop")).to_json()["offered"] is False
    assert addon(row=live("shop")).manifest["name"] == "Shop", "what is installed says its name, if nobody offers it"
    assert addon().manifest == {}


@pytest.mark.parametrize(
    ("search", "category", "installed", "fits"),
    [
        ("", "", None, True),
        ("THE shop", "", None, True),
        ("shop ann", "", None, True),
        ("shop bob", "", None, False),
        ("sal", "", None, True),
        ("", "sales", None, True),
        ("", "sale", None, False),
        ("", "", False, True),
        ("", "", True, False),
        ("shop", "sales", False, True),
    ],
)
def test_what_a_search_finds(search: str, category: str, installed: bool | None, fits: bool) -> None:
    assert addon("1.0.0").fits(search, category, installed) is fits


def test_what_costs_something_and_what_runs_it() -> None:
    free, sold = addon("1.0.0"), addon("1.0.0", price=9.5, backend={"runtime": "isolated"})
    assert [one.fits("", "", None, paid=True) for one in (free, sold)] == [False, True]
    assert [one.fits("", "", None, paid=False) for one in (free, sold)] == [True, False]
    assert [one.fits("", "", None, runtime="isolated") for one in (free, sold)] == [False, True]
    assert [one.fits("", "", None, runtime="inprocess") for one in (free, sold)] == [True, False]
    assert (free.to_json()["runtime"], sold.to_json()["runtime"]) == ("inprocess", "isolated")


def test_a_live_row_without_what_only_workers_need() -> None:
    row = live("shop", routes=("/shop",))
    shown = live_json(row)
    assert "contributions" not in shown
    assert (shown["id"], shown["addon_id"], shown["enabled"], shown["state"]) == ("shop", "shop", True, "active")
    assert (shown["leak"], shown["has_settings"], shown["in_progress"]) == (None, False, False)
    assert shown["grants"] == ["mail.send"]
    busy = replace(row, candidate={"version": "2.0.0"}, contributions=Contributions(settings_schema={}))
    assert (live_json(busy)["has_settings"], live_json(busy)["in_progress"]) == (True, True)


def test_what_a_worker_says_of_a_plugin() -> None:
    said: dict[str, Any] = {"shop": {"version": "1.0.0", "prepared": {"image": "x", "contributions": {"routes": []}}}}
    status = Status("w1", 7, 5, said)
    assert worker_json(status, "shop") == {
        "worker": "w1",
        "pid": 7,
        "beacon": 5,
        "version": "1.0.0",
        "prepared": {"image": "x"},
    }
    assert said["shop"]["prepared"]["contributions"] == {"routes": []}, "the status itself stays as it is"
    assert worker_json(status, "other") == {"worker": "w1", "pid": 7, "beacon": 5}
