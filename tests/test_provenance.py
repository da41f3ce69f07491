"""Who made what is installed: it comes with the switch, goes back with a rollback, and a kill tears nothing apart."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine_host import elsewhere, opened, operate_and_die, query, recover_here, run, shop
from hotbay.errors import NotVerified, OtherPublisher
from hotbay.model import Kind, Trust, TrustState
from hotbay.offline import OfflineHost
from hotbay.outcome import Outcome
from hotbay.package import digest
from hotbay.provenance import all_recorded, left, recorded, remembered
from hotbay.publishers import Publishers
from hotbay.signature import sidecar
from rows import live
from signing import envelope, payload, publisher, put, signed

ADA, EVE = publisher(), publisher("Eve")
BY_ADA = Trust(TrustState.VERIFIED, "Ada", ADA.public.keyid)
BY_EVE = Trust(TrustState.VERIFIED, "Eve", EVE.public.keyid)
SOMEBODY = Trust(TrustState.UNKNOWN, "Ada", EVE.public.keyid)


# ── in a row ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_row_remembers_its_own_version_and_those_that_are_kept() -> None:
    first = replace(live(image="one"), extra=remembered(None, [], "one", BY_ADA))
    assert recorded(first) == BY_ADA
    second = replace(live(image="two"), extra={"frontend": 1} | remembered(first, ["one"], "two", SOMEBODY))
    assert all_recorded(second) == {"one": BY_ADA, "two": SOMEBODY}
    back = replace(live(image="one"), extra=remembered(second, ["one", "two"], "one"))
    assert recorded(back) == BY_ADA
    third = remembered(second, ["two"], "three", Trust())
    assert all_recorded(replace(live(), extra=third)) == {"two": SOMEBODY}
    assert remembered(None, [], "one", Trust()) == {}


@pytest.mark.parametrize("junk", [None, [], "x", {"image-shop-1.0.0": 5}, {"image-shop-1.0.0": {"state": "golden"}}])
def test_what_is_not_readable_is_unsigned(junk: Any) -> None:
    assert recorded(replace(live(), extra={"trust": junk})) == Trust()


def test_who_is_left() -> None:
    old = replace(live(image="one"), extra=remembered(None, [], "one", BY_ADA))
    later = replace(BY_ADA, keyid="another key of hers")
    assert [left(old, trust) for trust in (BY_ADA, later)] == ["", ""]
    assert [left(old, trust) for trust in (BY_EVE, SOMEBODY, Trust())] == ["Ada"] * 3
    unknown = replace(live(image="one"), extra=remembered(None, [], "one", SOMEBODY))
    assert [left(one, BY_EVE) for one in (None, live(), unknown)] == [""] * 3


# ── in operations ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OfflineHost]:
    """A host that trusts Ada and Eve, with shop 1.0.0 to 1.3.0: of Ada, of Ada, of Eve, of nobody."""
    for version, key in (("1.0.0", ADA), ("1.1.0", ADA), ("1.2.0", EVE), ("1.3.0", None)):
        made = shop(tmp_path / "packages", version)
        if key is not None:
            signed(made, key)
    with opened(tmp_path / "home") as made_host:
        for key in (ADA, EVE):
            Publishers(made_host.store).trust(key.publisher, key.public.text, "ann")
        yield made_host


def trust(host: OfflineHost) -> Trust:
    return recorded(host.store.get_live("shop"))


def doubts(outcome: Outcome) -> list[str]:
    return [text for text in outcome.plan.warnings if "signed" in text]


def test_install_and_upgrade_record_who_made_it(host: OfflineHost) -> None:
    outcome = run(host, Kind.INSTALL, version="1.0.0")
    assert trust(host) == BY_ADA
    assert outcome.plan.trust == BY_ADA.to_json() | {"was": ""}
    assert doubts(outcome) == []
    assert f"  signature: verified, by Ada (key {ADA.public.keyid[:16]})" in str(outcome.plan)
    assert host.store.audit_entries("shop")[0]["detail"]["trust"] == outcome.plan.trust
    assert doubts(run(host, Kind.UPGRADE, version="1.1.0")) == []
    run(host, Kind.DEACTIVATE)
    run(host, Kind.ACTIVATE)
    assert trust(host) == BY_ADA
    run(host, Kind.UNINSTALL)
    assert doubts(run(host, Kind.INSTALL, version="1.3.0")) == ["the package is not signed"]
    assert trust(host) == Trust()


@pytest.mark.parametrize(("version", "expected"), [("1.2.0", BY_EVE), ("1.3.0", Trust())])
def test_an_upgrade_that_leaves_the_publisher_wants_consent(host: OfflineHost, version: str, expected: Trust) -> None:
    from hotbay.request import Request

    run(host, Kind.INSTALL, version="1.0.0")
    wish = Request(Kind.UPGRADE, "shop", version)
    plan = host.applier.plan(wish)
    assert f"shop is from Ada; {version} is not signed by them" in plan.warnings
    assert plan.trust == expected.to_json() | {"was": "Ada"}
    with pytest.raises(OtherPublisher, match="shop is Ada's") as caught:
        run(host, Kind.UPGRADE, version=version)
    assert caught.value.to_json()["publisher"] == "Ada"
    assert (trust(host), host.store.get_live("shop").version) == (BY_ADA, "1.0.0")
    assert host.store.audit_entries("shop")[0]["result"] == "refused: other-publisher"
    with pytest.raises(OtherPublisher):
        run(host, Kind.UPGRADE, version=version, force=True)
    run(host, Kind.UPGRADE, version=version, accept_publisher=True)
    assert trust(host) == expected


def test_a_key_that_is_not_trusted_any_more_does_not_upgrade(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    Publishers(host.store).distrust(ADA.public.keyid, "ann")
    with pytest.raises(OtherPublisher):
        run(host, Kind.UPGRADE, version="1.1.0")
    assert trust(host) == BY_ADA, "what it was when it came"
    # A new key of the same name is the same publisher.
    later = publisher()
    Publishers(host.store).trust("Ada", later.public.text, "ann")
    signed(host.settings.packages / "shop_v1.1.0.zip", later)
    run(host, Kind.UPGRADE, version="1.1.0")
    assert trust(host).keyid == later.public.keyid


def test_going_back_takes_it_back(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    run(host, Kind.UPGRADE, version="1.3.0", accept_publisher=True)
    assert trust(host) == Trust()
    run(host, Kind.ROLLBACK)
    assert trust(host) == BY_ADA
    with pytest.raises(OtherPublisher):
        run(host, Kind.UPGRADE, version="1.2.0")


def test_an_unknown_key_is_named_in_the_plan(host: OfflineHost) -> None:
    stranger = publisher("Mallory")
    archive = host.settings.packages / "shop_v1.3.0.zip"
    put(archive, envelope(payload(archive, "Mallory"), stranger))
    outcome = run(host, Kind.INSTALL, version="1.3.0")
    (warning,) = doubts(outcome)
    assert "Mallory" in warning and stranger.public.keyid in warning and "hotbay publishers trust" in warning
    assert f"signature: by an unknown key, in the name of Mallory (key {stranger.public.keyid[:16]})" in str(
        outcome.plan
    )
    assert trust(host).state is TrustState.UNKNOWN


def test_a_forged_signature_is_refused_everywhere(host: OfflineHost) -> None:
    archive = host.settings.packages / "shop_v1.3.0.zip"
    shutil.copy(sidecar(host.settings.packages / "shop_v1.1.0.zip"), sidecar(archive))
    with pytest.raises(NotVerified, match=r"not that of shop 1\.3\.0"):
        run(host, Kind.INSTALL)
    with pytest.raises(NotVerified):
        run(host, Kind.INSTALL, file=archive)
    assert host.store.all_live() == {}
    assert host.store.audit_entries("shop")[0]["result"] == "refused: not-verified"


# ── folders ─────────────────────────────────────────────────────────────────────────────────────────────────────


def edited(host: OfflineHost) -> Any:
    (host.settings.plugins / "shop" / "more.txt").write_text("edited")
    return host.applier.folders.scan()["shop"]


def test_an_edited_folder_is_nobodys_and_is_told(host: OfflineHost) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    outcome = run(host, Kind.UPGRADE, folder=edited(host))
    assert "shop is from Ada; 1.0.0 is not signed by them" in outcome.plan.warnings
    assert trust(host) == Trust()
    (host.settings.plugins / "shop" / "more.txt").unlink()
    outcome = run(host, Kind.UPGRADE, folder=host.applier.folders.scan()["shop"])
    assert (trust(host), doubts(outcome)) == (BY_ADA, [])
    run(host, Kind.UPGRADE, folder=edited(host))
    Publishers(host.store).distrust(ADA.public.keyid, "ann")
    (host.settings.plugins / "shop" / "more.txt").unlink()
    run(host, Kind.UPGRADE, folder=host.applier.folders.scan()["shop"])
    assert trust(host) == Trust(), "what it was once does not count without the key"


@pytest.fixture
def strict(host: OfflineHost, tmp_path: Path) -> Iterator[OfflineHost]:
    """The same, where signatures are required."""
    with opened(tmp_path / "home", require_signature=True) as made:
        yield made


def test_where_signatures_are_required(strict: OfflineHost) -> None:
    with pytest.raises(NotVerified, match="takes signed packages only"):
        run(strict, Kind.INSTALL, version="1.3.0")
    run(strict, Kind.INSTALL, version="1.0.0")
    with pytest.raises(NotVerified, match="takes signed packages only"):
        run(strict, Kind.UPGRADE, version="1.3.0", accept_publisher=True)
    with pytest.raises(NotVerified, match="comes as a folder"):
        run(strict, Kind.UPGRADE, folder=edited(strict))
    assert trust(strict) == BY_ADA


def test_folders_there_are_renamed_and_none_is_brought_in(strict: OfflineHost, tmp_path: Path) -> None:
    from hotbay.watch import Registrar

    run(strict, Kind.INSTALL, version="1.0.0")
    image = strict.store.get_live("shop").image
    registrar = Registrar(strict.applier)
    try:
        (strict.settings.plugins / "shop").rename(strict.settings.plugins / "_shop")
        assert registrar.look() == ["deactivate shop"]
        (strict.settings.plugins / "_shop").rename(strict.settings.plugins / "shop")
        assert registrar.look() == ["activate shop"]
        shutil.copytree(tmp_path / "trees" / "shop-1.3.0", strict.settings.plugins / "shop", dirs_exist_ok=True)
        done = [item for _ in range(3) for item in registrar.look()]
        assert done == ["refused upgrade shop"]
    finally:
        registrar.close()
    row = strict.store.get_live("shop")
    assert (row.image, row.active) == (image, True)
    assert "comes as a folder" in strict.store.all_refusals()["shop"]["problem"]


def test_what_is_kept_is_gone_back_to_without_a_signature(host: OfflineHost, tmp_path: Path) -> None:
    """It was brought in before; and its image, if it is lost, is restored by its content's hash."""
    run(host, Kind.INSTALL, version="1.3.0")
    shop(tmp_path / "packages", "1.4.0")
    signed(tmp_path / "packages" / "shop_v1.4.0.zip", ADA)
    with opened(tmp_path / "home", require_signature=True) as strict:
        run(strict, Kind.UPGRADE)
        run(strict, Kind.ROLLBACK)
        assert strict.store.get_live("shop").version == "1.3.0"
        image = strict.images.path(strict.store.get_live("shop").image)
        shutil.rmtree(image)
        from hotbay.heal import restore_image

        made = restore_image(strict.settings, strict.store.get_live("shop"))
        assert made is not None and digest(made) == image.name


# ── kills ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("verb", "moment", "version", "expected"),
    [
        ("start", "after", "1.0.0", BY_ADA),
        ("switch", "before", "1.0.0", BY_ADA),
        ("switch", "after", "1.2.0", BY_EVE),
        ("publish", "before", "1.2.0", BY_EVE),
    ],
)
def test_a_kill_leaves_it_with_the_version_it_belongs_to(
    host: OfflineHost, verb: str, moment: str, version: str, expected: Trust
) -> None:
    run(host, Kind.INSTALL, version="1.0.0")
    home = host.settings.home
    host.close()
    wishes = {"version": "1.2.0", "accept_publisher": True}
    elsewhere(operate_and_die, home, "upgrade", wishes, verb, moment, expect=-9)
    elsewhere(recover_here, home)
    with opened(home) as after:
        assert (after.store.get_live("shop").version, trust(after)) == (version, expected)
        assert query(after, "SELECT count(*) FROM hotbay_operations WHERE state = 'running'") == [(0,)]
