"""Who made a package, as an administrator sees it: badges come and go with trust, and forgeries are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.axe import findings
from browser.conftest import Visitor
from browser.dialogs import close
from browser.site import API, Site
from browser.test_browser_live import kept, no_reload
from hotbay.signature import sidecar
from signing import envelope, payload, publisher, put, signed

ADA = publisher("Ada & Söhne")
PLUGIN, NAME = "signed_notes", "Signed Notes"
FILES = {"backend/__init__.py": "", "backend/routes.py": "from fastapi import APIRouter\n\nrouter = APIRouter()\n"}


@pytest.fixture
def archive(site: Site) -> Iterator[Path]:
    """A package of Ada's, signed; when the test is over, nobody is trusted and nothing of it is left."""
    yield signed(offer(site, "1.0.0"), ADA)
    site.remove()
    for row in site.client.get(f"{API}/marketplace/publishers").json()["publishers"]:
        site.client.delete(f"{API}/marketplace/publishers/{row['keyid']}").raise_for_status()
    for path in (site.folder / "modules").glob(f"{PLUGIN}_*"):
        path.unlink()


def offer(site: Site, version: str) -> Path:
    site.offer(PLUGIN, version, FILES, author="Whoever")
    return site.folder / "modules" / f"{PLUGIN}_v{version}.zip"


def card(page: Page, name: str = NAME) -> Locator:
    return page.get_by_role("article", name=name)


def badge(place: Page | Locator) -> Locator:
    return place.get_by_role("img", name="Verified publisher")


def test_a_badge_comes_with_trust_and_goes_with_it(site: Site, admin: Visitor, archive: Path) -> None:
    market, sources = admin.tab("/marketplace"), admin.tab("/sources")
    expect(card(market)).to_contain_text("Whoever · 1.0.0")
    expect(badge(market)).to_have_count(0)
    no_reload(market)
    section = sources.get_by_role("region", name="Trusted publishers")
    expect(section).to_contain_text("Nobody is trusted yet")
    section.get_by_label("Publisher").fill(ADA.publisher)
    section.get_by_label("Public key").fill("ed25519:nonsense")
    admin.expected += ["422"]
    section.get_by_role("button", name="Trust").click()
    expect(section.get_by_role("alert")).to_contain_text("that is no public key of a publisher")
    section.get_by_label("Public key").fill(ADA.public.text)
    section.get_by_role("button", name="Trust").click()
    row = section.get_by_role("row").filter(has_text=ADA.publisher)
    expect(row).to_contain_text(ADA.public.keyid[:16])
    expect(badge(card(market))).to_be_visible()
    expect(card(market)).to_contain_text("Ada & Söhne")
    expect(card(market)).not_to_contain_text("Whoever")
    expect(badge(market)).to_have_count(1)
    assert (findings(market), findings(sources)) == ([], [])
    row.get_by_role("button", name=f"Remove {ADA.publisher}").click()
    row.get_by_role("button", name="Really remove?").click()
    expect(section).to_contain_text("Nobody is trusted yet")
    expect(badge(market)).to_have_count(0)
    expect(card(market)).to_contain_text("Whoever · 1.0.0")
    assert kept(market)


def test_a_plugin_s_page_and_its_plan_say_who_signed_it(site: Site, admin: Visitor, archive: Path) -> None:
    page = admin.tab(f"/marketplace/{PLUGIN}")
    key = ADA.public.keyid[:16]
    expect(page.locator("dl")).to_contain_text(f"by an unknown key {key}, in the name of Ada & Söhne")
    page.get_by_role("button", name="Install Free").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"with the unknown key {ADA.public.keyid}")
    page.keyboard.press("Escape")
    site.trust(ADA.public)
    expect(page.locator("dl")).to_contain_text(f"verified: Ada & Söhne, key {key}")
    expect(badge(page)).to_be_visible()
    page.get_by_role("tab", name="Versions").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("verified: Ada & Söhne")
    page.get_by_role("button", name="Install Free").click()
    expect(dialog).to_contain_text("Signed by Ada & Söhne, verified")
    assert findings(page) == []
    dialog.get_by_role("button", name="Install", exact=True).click()
    expect(dialog).to_contain_text(f"{NAME} is installed")
    for where in ("/plugins", f"/plugins/{PLUGIN}"):
        page.goto(f"{site.url}{where}")
        expect(badge(page)).to_be_visible()
        expect(page.locator("main")).to_contain_text("Ada & Söhne")
        assert findings(page) == []


def test_an_upgrade_that_leaves_its_publisher_is_asked_for(site: Site, admin: Visitor, archive: Path) -> None:
    site.trust(ADA.public)
    site.install("1.0.0", PLUGIN)
    offer(site, "1.1.0")
    page = admin.tab("/marketplace")
    expect(badge(card(page))).to_be_visible()
    card(page).get_by_role("button", name="Upgrade").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"{PLUGIN} is from Ada & Söhne; 1.1.0 is not signed by them")
    go = dialog.get_by_role("button", name="Upgrade", exact=True)
    expect(go).to_be_disabled()
    assert findings(page) == []
    dialog.get_by_role("checkbox", name="Take it although").check()
    go.click()
    expect(dialog).to_contain_text(f"{NAME} was upgraded")
    close(dialog)
    expect(card(page)).to_contain_text("1.1.0")
    expect(badge(page)).to_have_count(0)


def test_a_forged_signature_is_a_problem_and_no_badge(site: Site, admin: Visitor, archive: Path) -> None:
    site.trust(ADA.public)
    put(archive, envelope(payload(archive, ADA.publisher, version="0.9.0"), ADA))
    page = admin.tab("/marketplace")
    expect(page.get_by_role("alert")).to_contain_text(f"the signature is not that of {PLUGIN} 1.0.0")
    expect(page.get_by_role("alert")).to_contain_text(sidecar(archive).name)
    expect(badge(page)).to_have_count(0)
    expect(card(page)).to_be_visible()
    admin.expected += ["422"]
    card(page).get_by_role("button", name="Install Free").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("the signature is not that of")


def test_a_package_is_dropped_with_its_signature(site: Site, admin: Visitor, archive: Path, tmp_path: Path) -> None:
    site.trust(ADA.public)
    moved = archive.rename(tmp_path / archive.name)
    sidecar(archive).rename(sidecar(moved))
    page = admin.tab("/marketplace")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload a package").click()
    chooser.value.set_files([sidecar(moved), moved])
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Install", exact=True).click()
    expect(dialog).to_contain_text("is installed")
    close(dialog)
    expect(badge(card(page))).to_be_visible()
