"""What there is: offers joined with what is installed; one plugin in full; workers and folders."""

from __future__ import annotations

from pathlib import Path

import httpx

from console.desks import MARKET, Desk, opened, until


def test_offers_are_joined_with_what_is_installed(desk: Desk) -> None:
    desk.pack(version="1.1.0")
    desk.pack(version="2.0.0rc1")
    desk.pack("shop", category="Trade", description="Sells things")
    desk.install(version="1.0.0")
    found = desk.get("/addons")
    assert (found["total"], found["categories"], found["source"], found["problems"]) == (
        2,
        ["Office", "Trade"],
        "local",
        [],
    )
    notes, shop = found["addons"]
    assert notes["versions"] == ["2.0.0rc1", "1.1.0", "1.0.0"]
    assert (notes["latest"], notes["installed_version"], notes["update_available"]) == ("1.1.0", "1.0.0", True)
    assert (notes["installed"], notes["enabled"], shop["installed"], shop["enabled"]) == (True, True, False, False)
    assert (shop["name"], shop["category"], shop["description"]) == ("Shop", "Trade", "Sells things")


def test_addons_are_searched_filtered_and_cut(desk: Desk) -> None:
    desk.pack("shop", category="Trade", description="Sells things")
    desk.pack("diary", category="Office", description="Keeps days")
    desk.install()

    def ids(**query: object) -> list[str]:
        return [row["id"] for row in desk.get("/addons", **query)["addons"]]

    assert ids(search="keeps") == ["diary", "notes"]
    assert ids(search="KEEPS days") == ["diary"]
    assert ids(category="trade") == ["shop"]
    assert ids(installed="true") == ["notes"]
    assert ids(installed="false") == ["diary", "shop"]
    assert ids(paid="true") == [] and len(ids(paid="false", runtime="inprocess")) == 3
    assert desk.get("/addons", 422, runtime="elsewhere")["code"] == "bad-input"
    assert ids(limit=1, offset=1) == ["notes"]
    assert desk.get("/addons", limit=1)["total"] == 3
    assert desk.get("/addons", 422, limit=0)["code"] == "bad-input"


def test_one_addon_in_full(desk: Desk) -> None:
    desk.pack(version="1.1.0")
    found = desk.get("/addons/notes")
    assert found["manifest"]["version"] == "1.1.0"
    assert found["readme"] == "# notes 1.1.0\n"
    assert [row["version"] for row in found["packages"]] == ["1.1.0", "1.0.0"]
    assert found["live"] is None
    desk.install(version="1.0.0")
    found = desk.get("/addons/notes")
    assert (found["live"]["version"], found["history"][0]["version"]) == ("1.0.0", "1.0.0")
    assert desk.get("/addons/nobody", 404)["code"] == "not-found"


def test_what_is_installed_only_is_shown_too(desk: Desk) -> None:
    file = desk.pack("shop")
    desk.install("shop")
    file.unlink()
    found = desk.get("/addons/shop")
    assert (found["offered"], found["latest"], found["readme"]) == (False, "1.0.0", "# shop 1.0.0\n")
    assert [row["id"] for row in desk.get("/addons", installed="true")["addons"]] == ["shop"]


def test_files_that_are_no_packages_are_named(desk: Desk) -> None:
    (desk.hotbay.settings.packages / "broken.zip").write_bytes(b"no archive")
    problems = desk.get("/addons")["problems"]
    assert len(problems) == 1
    assert problems[0]["file"].endswith("broken.zip")


def test_a_repository_that_is_away_leaves_what_is_installed(tmp_path: Path) -> None:
    options = {"PLUGIN_SOURCE": "remote", "PLUGIN_SERVER_URL": "http://127.0.0.1:9/"}
    with opened(tmp_path, **options) as desk:
        package = desk.pack("shop", out=tmp_path / "up")
        with package.open("rb") as stream:
            desk.client.post(f"{MARKET}/upload", files={"file": stream}).raise_for_status()
        found = desk.get("/addons")
        assert [row["id"] for row in found["addons"]] == ["shop"]
        assert found["problems"][0]["code"] == "source-error"
        assert desk.get("/addons/shop")["offered"] is False
        assert desk.get("/addons/other", 502)["code"] == "source-error"
        assert desk.install("other", 502)["code"] == "source-error"


def test_installed_shows_workers_and_folders(desk: Desk) -> None:
    desk.install()
    found = desk.get("/installed")
    row = found["addons"][0]
    assert (row["id"], row["version"], row["enabled"], row["has_settings"]) == ("notes", "1.0.0", True, True)
    assert row["folder"] == {"name": "notes", "active": True}
    assert [worker["version"] for worker in row["workers"]] == ["1.0.0"]
    assert (found["epoch"], found["rev"]) == desk.hotbay.store.rev()


def test_folders_that_could_not_be_brought_in_say_why(desk: Desk) -> None:
    folder = desk.hotbay.settings.plugins / "broken"
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text('{"id": "broken", "version": "two", "name": "Broken"}')
    (desk.hotbay.settings.plugins / "Some Thing").mkdir()
    found = until(lambda: (now := desk.get("/installed"))["waiting"] and now["waiting"][0]["refusal"] and now)
    assert found["waiting"][0]["id"] == "broken"
    assert "version" in found["waiting"][0]["refusal"]["problem"]
    assert found["strangers"] == ["Some Thing"]


def test_the_plain_page_of_what_is_not_installed_leads_to_it_in_the_console(desk: Desk) -> None:
    def page() -> httpx.Response:
        return desk.client.get("/diary", headers={"Accept": "text/html"})

    desk.pack("diary")
    until(lambda: "Addon Not Installed" in page().text)
    assert page().status_code == 404
    assert '<a href="/admin/marketplace/diary">Go to Marketplace</a>' in page().text


def test_without_a_console_the_plain_page_leads_nowhere(tmp_path: Path) -> None:
    with opened(tmp_path, console=None) as desk:
        desk.pack("diary")
        until(lambda: "Addon Not Installed" in desk.client.get("/diary", headers={"Accept": "text/html"}).text)
        assert "<a " not in desk.client.get("/diary", headers={"Accept": "text/html"}).text
