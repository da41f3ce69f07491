"""The catalogue: what is offered, and which paths a known plugin would answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hotbay.catalog import Catalog
from hotbay.errors import InvalidConfig, SourceError
from hotbay.model import State
from hotbay.package import pack
from hotbay.settings import load
from hotbay.source import LocalSource, RemoteSource
from hotbay.table import Claim
from rows import live, plugin_folder


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A host with an empty local source."""
    return Catalog(load(home=tmp_path / "home"))


def offer(catalog: Catalog, tmp_path: Path, plugin: str, version: str, **fields: Any) -> None:
    folder = plugin_folder(tmp_path / f"{plugin}-{version}", plugin, version, **fields)
    pack(folder, catalog.settings.packages)


def test_the_configured_source(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(catalog.source(), LocalSource)
    with pytest.raises(InvalidConfig, match="no repository"):
        catalog.remote()
    monkeypatch.setenv("PLUGIN_SOURCE", "remote")
    monkeypatch.setenv("PLUGIN_SERVER_URL", "http://127.0.0.1:1")
    remote = Catalog(load(home=tmp_path))
    assert isinstance(remote.source(), RemoteSource)
    with pytest.raises(SourceError):
        remote.offers()


def test_a_remote_repository_is_not_asked_for_the_sake_of_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUGIN_SOURCE", "remote")
    monkeypatch.setenv("PLUGIN_SERVER_URL", "http://127.0.0.1:1")
    assert Catalog(load(home=tmp_path)).claims({}) == ()


def test_offers_are_by_id_the_highest_version_first(catalog: Catalog, tmp_path: Path) -> None:
    assert catalog.offers() == []
    for plugin, version in (("b", "1.9.0"), ("b", "1.10.0"), ("a", "1.0.0"), ("b", "2.0.0rc1")):
        offer(catalog, tmp_path, plugin, version)
    found = [(item.id, item.version) for item in catalog.offers()]
    assert found == [("a", "1.0.0"), ("b", "2.0.0rc1"), ("b", "1.10.0"), ("b", "1.9.0")]


def test_claims_of_what_is_offered_and_of_what_rests_but_not_of_what_serves(catalog: Catalog, tmp_path: Path) -> None:
    offer(catalog, tmp_path, "chat", "1.0.0", backend={"routes": ["/api/v1/old"]})
    offer(catalog, tmp_path, "chat", "1.1.0", backend={"routes": ["/api/v1/chat/*"], "mount": "/chat"})
    offer(catalog, tmp_path, "shop", "1.0.0", frontend={"routes": ["/shop"]})
    install = "An administrator can install it in the marketplace (`hotbay install chat`)."
    shop = Claim("/shop", "shop", "shop", "…", page=True)
    assert catalog.claims({}) == (), "reading packages takes time: nothing is read on the way of a request"
    assert catalog.refresh()
    found = catalog.claims({})
    assert [(claim.pattern, claim.plugin, claim.page) for claim in found] == [
        ("/api/v1/chat/*", "chat", False),
        ("/chat/*", "chat", False),
        ("/shop", "shop", True),
    ]
    assert found[0].how == install
    assert [claim.plugin for claim in catalog.claims({"chat": live("chat")})] == [shop.plugin]
    resting = live("chat", state=State.INACTIVE, backend={"routes": ["/api/v1/resting"]})
    claims = {claim.pattern: claim.how for claim in catalog.claims({"chat": resting})}
    assert set(claims) == {"/api/v1/resting", "/shop"}
    assert "`hotbay activate chat`" in claims["/api/v1/resting"]


def test_a_new_package_is_noticed(catalog: Catalog, tmp_path: Path) -> None:
    assert not catalog.refresh()
    offer(catalog, tmp_path, "chat", "1.0.0", backend={"routes": ["/api/v1/chat"]})
    assert catalog.refresh()
    assert len(catalog.claims({})) == 1
    assert not catalog.refresh()


def test_a_new_package_in_a_folder_below_is_noticed(catalog: Catalog, tmp_path: Path) -> None:
    below = catalog.settings.packages / "more"
    below.mkdir(parents=True)
    catalog.refresh()
    pack(plugin_folder(tmp_path / "deep", "chat", "1.0.0", backend={"routes": ["/api/v1/chat"]}), below)
    assert catalog.refresh()
    assert len(catalog.claims({})) == 1


def test_a_package_replaced_in_place_is_noticed(catalog: Catalog, tmp_path: Path) -> None:
    offer(catalog, tmp_path, "chat", "1.0.0", backend={"routes": ["/api/v1/chat"]})
    catalog.refresh()
    assert catalog.claims({})[0].pattern == "/api/v1/chat"
    folder = plugin_folder(tmp_path / "again", "chat", "1.0.0", backend={"routes": ["/api/v1/talk"]})
    pack(folder, catalog.settings.packages)
    assert catalog.refresh()
    assert catalog.claims({})[0].pattern == "/api/v1/talk"


def test_what_is_no_package_does_not_hide_the_others(catalog: Catalog, tmp_path: Path) -> None:
    offer(catalog, tmp_path, "chat", "1.0.0", backend={"routes": ["/api/v1/chat"]})
    (catalog.settings.packages / "broken.zip").write_bytes(b"PK nonsense")
    (catalog.settings.packages / "gone.zip").symlink_to("nowhere")
    assert [item.id for item in catalog.offers()] == ["chat"]
    assert catalog.refresh()
    assert len(catalog.claims({})) == 1
