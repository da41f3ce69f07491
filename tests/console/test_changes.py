"""Operations over HTTP: install, toggle, upgrade, rollback, uninstall, upload, plan; done or accepted, and refused."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route

from console.desks import MARKET, Desk, opened, serving, tree, until
from hotbay.package import pack, sha256_file
from hotbay.presence import Lease

VERSION = "/api/v1/notes/version"
SLOW = {"backend/__init__.py": "import time\ntime.sleep(0.6)\n"}


def answers(desk: Desk) -> Any:
    response = httpx.get(desk.url + VERSION)
    return response.json()["version"] if response.status_code == 200 else response.status_code


def tables(desk: Desk) -> set[str]:
    with sqlite3.connect(desk.hotbay.settings.database_path) as connection:
        found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    return found


def test_install_answers_when_done_and_the_plugin_serves(desk: Desk) -> None:
    assert answers(desk) == 404
    done = desk.install()
    assert (done["addon_id"], done["version"], done["state"]) == ("notes", "1.0.0", "done")
    assert done["restart_required"] is False
    assert answers(desk) == "1.0.0"
    audit = desk.get("/audit")["entries"][0]
    assert (audit["actor"], audit["action"], audit["result"]) == ("root@example.com", "install", "done")


def test_a_second_install_is_refused_with_the_way_out(desk: Desk) -> None:
    desk.install()
    problem = desk.install(status=409)
    assert problem["code"] == "refused"
    assert "upgrade" in problem["mend"]


def test_without_wait_the_operation_is_accepted_and_followed_at_its_address(desk: Desk) -> None:
    desk.pack(version="2.0.0", files=SLOW)
    response = desk.client.post(f"{MARKET}/install", params={"wait": "false"}, json={"addon_id": "notes"})
    assert response.status_code == 202
    href = response.json()["href"]
    assert response.headers["location"] == href == f"{MARKET}/operations/{response.json()['operation']}"
    assert desk.client.get(href).json()["state"] == "running"
    assert until(lambda: (found := desk.client.get(href).json())["state"] != "running" and found)["state"] == "done"
    assert answers(desk) == "2.0.0"


def test_without_wait_a_refusal_before_the_journal_is_an_error(desk: Desk) -> None:
    problem = desk.post("/install", {"addon_id": "nobody"}, 404, wait="false")
    assert problem["code"] == "not-found"
    assert desk.get("/operations")["operations"] == []


def test_without_wait_a_failure_later_is_in_the_journal(desk: Desk) -> None:
    desk.pack(version="2.0.0", files={"backend/routes.py": "1 / 0\n"})
    accepted = desk.post("/install", {"addon_id": "notes"}, 202, wait="false")
    path = f"/operations/{accepted['operation']}"
    found = until(lambda: (row := desk.get(path))["state"] != "running" and row)
    assert found["state"] == "failed"
    assert found["error"]["code"] == "activation-failed"
    assert {step["verb"]: step["state"] for step in found["steps"]}["stage"] == "undone"


def test_a_failing_plugin_is_a_problem_that_names_step_and_operation(desk: Desk) -> None:
    desk.install(version="1.0.0")
    desk.pack(version="2.0.0", files={"backend/routes.py": "import nothing_like_it\n"})
    problem = desk.post("/upgrade/notes", status=422)
    assert (problem["code"], problem["step"]) == ("activation-failed", "start")
    assert desk.get(f"/operations/{problem['operation']}")["state"] == "failed"
    assert answers(desk) == "1.0.0"


def test_an_operation_goes_on_when_its_caller_leaves(desk: Desk) -> None:
    desk.pack(version="2.0.0", files=SLOW)
    with pytest.raises(httpx.ReadTimeout):
        desk.client.post(f"{MARKET}/install", json={"addon_id": "notes"}, timeout=0.2)
    assert until(lambda: answers(desk) == "2.0.0")


def test_whoever_holds_the_lease_is_named(desk: Desk) -> None:
    lease = Lease(desk.hotbay.settings.run / "lease")
    with lease.hold(1, kind="upgrade", plugin="shop", actor="ada@example.com"):
        problem = desk.install(status=409)
    assert problem["code"] == "lease-held"
    assert problem["holder"]["actor"] == "ada@example.com"
    assert "upgrade of shop" in problem["detail"]


def test_toggle_flips_or_sets(desk: Desk) -> None:
    desk.install()
    assert desk.post("/toggle/notes")["kind"] == "deactivate"
    assert answers(desk) == 404
    assert desk.post("/toggle/notes", {"enabled": True})["kind"] == "activate"
    assert answers(desk) == "1.0.0"
    assert desk.post("/toggle/notes", {"enabled": True}, 409)["unchanged"] is True
    assert desk.post("/toggle/other", status=404)["code"] == "not-found"


def test_upgrade_and_rollback(desk: Desk) -> None:
    desk.install()
    desk.pack(version="1.1.0")
    desk.pack(version="1.2.0")
    done = desk.post("/upgrade/notes", {"version": "1.1.0"})
    assert (done["before"], done["version"], answers(desk)) == ("1.0.0", "1.1.0", "1.1.0")
    assert desk.post("/upgrade/notes")["version"] == "1.2.0"
    assert desk.post("/rollback/notes")["version"] == "1.1.0"
    assert desk.post("/rollback/notes", {"version": "1.0.0"})["version"] == "1.0.0"
    assert answers(desk) == "1.0.0"


def test_a_wrong_hash_is_not_installed(desk: Desk) -> None:
    assert desk.install(sha256="0" * 64, status=422)["code"] == "not-verified"
    assert answers(desk) == 404


@pytest.mark.parametrize(("policy", "stays"), [("keep", True), ("export", False), ("purge", False)])
def test_uninstall_does_with_the_rows_what_was_asked(desk: Desk, policy: str, stays: bool) -> None:
    desk.install()
    response = desk.client.delete(f"{MARKET}/uninstall/notes", params={"data": policy})
    assert response.status_code == 200
    assert ("notes_rows" in tables(desk)) is stays
    assert bool(list(desk.hotbay.settings.exports.glob("notes-*"))) is (policy == "export")
    assert answers(desk) == 404


def test_an_export_is_restored_by_its_name_and_nothing_else_is(desk: Desk, tmp_path: Path) -> None:
    desk.install()
    with sqlite3.connect(desk.hotbay.settings.database_path) as connection:
        connection.execute("INSERT INTO notes_rows (text) VALUES ('kept')")
    connection.close()
    desk.client.delete(f"{MARKET}/uninstall/notes").raise_for_status()
    name = next(desk.hotbay.settings.exports.iterdir()).name
    for wrong in (str(desk.hotbay.settings.exports / name), "../exports/" + name, "nothing", "..", "."):
        assert desk.install(restore=wrong, status=422)["code"] == "bad-input"
    desk.install(restore=name)
    with sqlite3.connect(desk.hotbay.settings.database_path) as connection:
        assert connection.execute("SELECT text FROM notes_rows").fetchall() == [("kept",)]
    connection.close()


def test_inactive_installs_do_not_serve(desk: Desk) -> None:
    desk.install(inactive=True)
    assert answers(desk) == 404
    assert desk.get("/installed")["addons"][0]["enabled"] is False


def test_requirements_come_along_when_asked(desk: Desk) -> None:
    desk.pack("diary", requires=["notes"])
    problem = desk.install("diary", status=409)
    assert problem["code"] == "unresolvable"
    assert problem["needs"] == [["notes", "1.0.0"]]
    planned = desk.post("/plan", {"kind": "install", "addon_id": "diary", "with_requirements": True})
    assert "before that: install notes 1.0.0" in planned["plan"]["warnings"]
    desk.install("diary", with_requirements=True)
    assert {row["id"] for row in desk.get("/installed")["addons"]} == {"diary", "notes"}
    refused = desk.client.delete(f"{MARKET}/uninstall/notes")
    assert refused.status_code == 409
    assert desk.client.delete(f"{MARKET}/uninstall/notes", params={"force": "true"}).status_code == 200


# ── settings in the same go ─────────────────────────────────────────────────────────────────────────────────────


def test_install_stores_settings_in_the_same_go(desk: Desk) -> None:
    desk.install(settings={"greeting": "moin", "key": "s3cret"})
    assert httpx.get(desk.url + VERSION).json()["greeting"] == "moin"
    assert desk.get("/settings/notes")["values"] == {"greeting": "moin", "many": 3, "key": "********"}


def test_settings_that_do_not_fit_undo_the_install(desk: Desk) -> None:
    problem = desk.install(settings={"many": 99}, status=422)
    assert problem["code"] == "invalid-settings"
    assert problem["problems"][0]["field"] == "many"
    assert desk.get("/installed")["addons"] == []
    assert "notes_rows" not in tables(desk)
    assert answers(desk) == 404


def test_settings_that_do_not_fit_take_the_requirements_back_too(desk: Desk) -> None:
    desk.pack("diary", requires=["notes"])
    problem = desk.install("diary", with_requirements=True, settings={"many": 99}, status=422)
    assert len(problem["undone"]) == 2
    assert desk.get("/installed")["addons"] == []


def test_rows_that_were_there_before_outlive_an_undone_install(desk: Desk) -> None:
    desk.install()
    desk.client.delete(f"{MARKET}/uninstall/notes", params={"data": "keep"}).raise_for_status()
    desk.install(settings={"many": 99}, status=422)
    assert "notes_rows" in tables(desk)


# ── remote ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_install_remote_says_when_no_repository_is_configured(desk: Desk) -> None:
    problem = desk.post("/install-remote", {"addon_id": "notes"}, 500)
    assert problem["code"] == "invalid-config"
    assert "PLUGIN_SERVER_URL" in problem["mend"]


# ── upload ──────────────────────────────────────────────────────────────────────────────────────────────────────


def upload(desk: Desk, file: Path, to: str = "/upload", **query: Any) -> httpx.Response:
    with file.open("rb") as stream:
        return desk.client.post(f"{MARKET}{to}", files={"file": (file.name, stream)}, params=query)


def leftovers(desk: Desk) -> list[Path]:
    return list((desk.hotbay.settings.home / "uploads").glob("*"))


def test_upload_installs_and_upgrades(desk: Desk, tmp_path: Path) -> None:
    first = upload(desk, desk.pack("shelf", out=tmp_path / "up"))
    assert (first.status_code, first.json()["kind"]) == (200, "install")
    second = upload(desk, desk.pack("shelf", "1.1.0", out=tmp_path / "up"))
    assert (second.json()["kind"], second.json()["version"]) == ("upgrade", "1.1.0")
    assert httpx.get(desk.url + "/api/v1/shelf/version").json()["version"] == "1.1.0"
    assert leftovers(desk) == []


def test_an_upload_can_be_planned_and_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    first = desk.pack("shelf", out=tmp_path / "up")
    told = upload(desk, first, to="/upload/plan", confirm_within="5m").json()
    assert (told["plan"]["kind"], told["plan"]["after"]["version"]) == ("install", "1.0.0")
    assert told["plan"]["after"]["sha256"] == sha256_file(first)
    assert "not confirmed within 300 s" in told["text"]
    assert desk.get("/installed")["addons"] == desk.get("/operations")["operations"] == leftovers(desk) == []
    upload(desk, first).raise_for_status()
    told = upload(desk, desk.pack("shelf", "1.1.0", out=tmp_path / "up"), to="/upload/plan").json()
    assert (told["plan"]["kind"], told["plan"]["before"]["version"]) == ("upgrade", "1.0.0")
    rubbish = tmp_path / "rubbish.zip"
    rubbish.write_bytes(b"no archive" * 1000)
    assert upload(desk, rubbish, to="/upload/plan").json()["code"] == "invalid-package"
    again = upload(desk, first, to="/upload/plan")
    assert (again.status_code, again.json()["code"]) == (
        upload(desk, first).status_code,
        upload(desk, first).json()["code"],
    )
    assert leftovers(desk) == []


def test_upload_can_leave_a_new_plugin_inactive(desk: Desk, tmp_path: Path) -> None:
    assert upload(desk, desk.pack("shelf", out=tmp_path / "up"), activate="false").status_code == 200
    assert desk.get("/installed")["addons"][0]["enabled"] is False


def test_upload_without_wait_keeps_the_file_until_the_operation_ends(desk: Desk, tmp_path: Path) -> None:
    accepted = upload(desk, desk.pack("shelf", out=tmp_path / "up", files=SLOW), wait="false")
    assert accepted.status_code == 202
    path = f"/operations/{accepted.json()['operation']}"
    assert until(lambda: (row := desk.get(path))["state"] != "running" and row)["state"] == "done"
    assert until(lambda: leftovers(desk) == [])


def test_upload_of_rubbish_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.zip"
    rubbish.write_bytes(b"no archive" * 1000)
    response = upload(desk, rubbish)
    assert (response.status_code, response.json()["code"]) == (422, "invalid-package")
    assert leftovers(desk) == []
    assert desk.get("/installed")["addons"] == []


def test_upload_wants_exactly_one_file(desk: Desk) -> None:
    assert desk.post("/upload", {"file": "x"}, 422)["code"] == "bad-input"
    empty = desk.client.post(f"{MARKET}/upload", files={"note": (None, "no file")})
    assert (empty.status_code, empty.json()["code"]) == (422, "bad-input")
    two = desk.client.post(f"{MARKET}/upload", files=[("file", ("a", b"1")), ("file", ("b", b"2"))])
    assert (two.status_code, two.json()["code"]) == (422, "bad-input")
    headers = {"content-type": "multipart/form-data; boundary=x"}
    broken = desk.client.post(f"{MARKET}/upload", content=b"--y\r\nrubbish", headers=headers)
    assert (broken.status_code, broken.json()["code"]) == (422, "bad-input")


def test_upload_that_is_too_large_is_cut_off(desk: Desk) -> None:
    def body() -> Any:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
        for _ in range(70):
            yield b"\0" * 1024 * 1024
        yield b"\r\n--x--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = desk.client.post(f"{MARKET}/upload", content=body(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (413, "too-large")
    assert leftovers(desk) == []


# ── plan ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_plan_shows_the_steps_and_changes_nothing(desk: Desk) -> None:
    made = desk.post("/plan", {"kind": "install", "addon_id": "notes"})
    assert [step["verb"] for step in made["plan"]["steps"]] == [
        "stage",
        "shelve",
        "expand",
        "start",
        "switch",
        "publish",
    ]
    assert made["text"].startswith("install notes 1.0.0\n  1. ")
    assert desk.get("/operations")["operations"] == []
    assert "notes_rows" not in tables(desk)
    assert desk.post("/plan", {"kind": "upgrade", "addon_id": "notes"}, 409)["code"] == "refused"


def test_a_plan_shows_what_is_read_and_what_does_not_only_add(desk: Desk) -> None:
    desk.install()
    wishes = {"database": {"reads": ["invoices"]}, "permissions": ["mail.send"]}
    desk.pack(version="2.0.0", files={"migrations/0002_x.contract.sql": "DROP TABLE notes_rows;"}, **wishes)
    plan = desk.post("/plan", {"kind": "upgrade", "addon_id": "notes"})["plan"]
    assert (plan["reads"], plan["added"]) == (["invoices"], {"permissions": ["mail.send"], "reads": ["invoices"]})
    (told,) = plan["findings"]
    assert (told["code"], told["runs"], told["file"]) == (
        "drops-table",
        "after the switch",
        "migrations/0002_x.contract.sql",
    )
    desk.pack(version="3.0.0", files={"migrations/0002_x.up.sql": "DROP TABLE notes_rows;"})
    refused = desk.post("/plan", {"kind": "upgrade", "addon_id": "notes"}, 409)
    assert (refused["code"], refused["problems"][0]["code"]) == ("not-additive", "drops-table")
    assert desk.post("/upgrade/notes", {}, 409)["code"] == "not-additive"


def test_bodies_that_do_not_fit_name_every_field(desk: Desk) -> None:
    problem = desk.post("/install", {"addon_id": "Not An Id", "sha256": "xyz", "versoin": "1"}, 422)
    assert problem["code"] == "bad-input"
    assert {item["field"] for item in problem["problems"]} == {"body.addon_id", "body.sha256", "body.versoin"}
    assert desk.post("/plan", {"kind": "destroy", "addon_id": "notes"}, 422)["problems"][0]["field"] == "body.kind"
    response = desk.client.post(f"{MARKET}/install", content=b"{", headers={"content-type": "application/json"})
    assert response.json()["code"] == "bad-input"


def test_operations_of_many_callers_are_put_in_order(desk: Desk) -> None:
    desk.hotbay.settings.__dict__["lease_seconds"] = 20.0
    for name in ("one", "two", "three"):
        desk.pack(name)
    codes: list[int] = []

    def work(name: str) -> None:
        body = {"addon_id": name}
        codes.append(
            httpx.post(f"{desk.url}{MARKET}/install", json=body, headers=desk.client.headers, timeout=30).status_code
        )

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200, 200, 200]


# ── remote, with a repository ───────────────────────────────────────────────────────────────────────────────────


def repository(folder: Path) -> Starlette:
    """A repository as the seeds describe it: an index and downloads."""

    async def index(request: Request) -> JSONResponse:
        plugins = [{"id": "shop", "version": "1.0.0", "name": "Shop", "download_url": "/download/shop/1.0.0"}]
        return JSONResponse({"plugins": plugins})

    async def download(request: Request) -> FileResponse:
        return FileResponse(folder / "shop_v1.0.0.zip")

    return Starlette(routes=[Route("/manifest.json", index), Route("/download/shop/1.0.0", download)])


def test_install_remote_fetches_from_the_repository_whatever_the_source_is(tmp_path: Path) -> None:
    pack(tree(tmp_path / "shop", "shop"), tmp_path / "published")
    with (
        serving(repository(tmp_path / "published")) as (_, url),
        opened(tmp_path, PLUGIN_SOURCE="local", PLUGIN_SERVER_URL=url) as desk,
    ):
        assert desk.install("shop", 404)["code"] == "not-found"
        done = desk.post("/install-remote", {"addon_id": "shop", "settings": {"greeting": "ahoy"}})
        assert (done["version"], done["addon_id"]) == ("1.0.0", "shop")
        assert httpx.get(desk.url + "/api/v1/shop/version").json() == {"version": "1.0.0", "greeting": "ahoy"}
        assert desk.hotbay.store.get_live("shop").source.startswith(url)
