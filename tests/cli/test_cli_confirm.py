"""Upgrades and installs that are to be confirmed, from the command line, with no server running."""

from __future__ import annotations

import pytest
from terminal import Terminal


@pytest.fixture
def shop(terminal: Terminal) -> Terminal:
    """Version 1.0.0 is installed, 1.1.0 is offered."""
    terminal.offer()
    terminal.run("install", "shop")
    terminal.offer(version="1.1.0")
    return terminal


def test_an_upgrade_waits_is_shown_and_is_confirmed(shop: Terminal) -> None:
    planned = shop.run("plan", "upgrade", "shop", "--confirm-within", "10m", "--keep-new-rows").stdout
    assert "not confirmed within 600 s: back to 1.0.0" in planned
    told = shop.run("upgrade", "shop", "--confirm-within", "10m").stdout
    assert "`hotbay confirm shop` until 2" in told
    assert "or it goes back to 1.0.0" in told
    assert "shop 1.1.0 is not confirmed (" in shop.run("list").stderr
    (row,) = shop.json("list", "--installed")["installed"]
    assert (row["confirmation"]["state"], row["confirmation"]["seconds"]) == ("pending", 600.0)
    assert 500 < row["confirmation"]["seconds_left"] <= 600
    assert "hotbay confirm shop" in shop.run("info", "shop").stdout
    assert shop.json("info", "shop")["installed"]["confirmation"]["before_version"] == "1.0.0"
    assert shop.json("upgrade", "shop", code=5)["code"] == "unconfirmed"
    assert "shop 1.1.0 is confirmed (by cli:" in shop.run("confirm", "shop").stdout
    assert shop.json("confirm", "shop")["state"] == "confirmed"
    assert shop.run("list").stderr == ""
    assert "confirm" in shop.run("audit").stdout


def test_an_install_can_be_confirmed_as_well(terminal: Terminal) -> None:
    terminal.offer()
    found = terminal.json("install", "shop", "--confirm-within", "1h30m")["confirmation"]
    assert (found["kind"], found["seconds"], found["before_version"]) == ("install", 5400.0, "")
    assert "or it is uninstalled" in found["text"]
    terminal.run("confirm", "shop")


def test_what_makes_no_sense_is_refused(shop: Terminal) -> None:
    shop.run("confirm", "shop", code=4)
    shop.run("confirm", "nobody", code=4)
    shop.run("upgrade", "shop", "--confirm-within", "soon", code=2)
    shop.run("upgrade", "shop", "--keep-new-rows", code=2)
    shop.run("plan", "deactivate", "shop", "--confirm-within", "10m", code=5)
    assert shop.state() == {"shop": ("1.0.0", "active")}
