"""The console's page and files, as a browser gets them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse

from console.desks import Desk, opened
from hotbay.console.built import Built

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def page(desk: Desk, path: str, **headers: str) -> httpx.Response:
    return httpx.get(desk.url + path, headers=HTML | headers)


def boot(answer: httpx.Response) -> dict[str, object]:
    found = re.search(r'id="hotbay-boot">(.*?)</script>', answer.text)
    assert found is not None
    return json.loads(found[1])


def test_every_address_below_the_console_is_its_page(desk: Desk) -> None:
    for path in ("/admin", "/admin/", "/admin/marketplace/notes"):
        answer = page(desk, path)
        assert answer.status_code == 200
        assert boot(answer)["console"] == "/admin"


def test_other_addresses_and_other_askers_get_what_the_host_says(desk: Desk) -> None:
    for path in ("/elsewhere", "/administrators", "/api/v1/nothing"):
        assert page(desk, path).status_code == 404
    assert httpx.get(desk.url + "/admin/x", headers={"accept": "application/json"}).status_code == 404
    assert httpx.post(desk.url + "/admin/x", headers=HTML).status_code == 404


def test_the_policy_allows_the_page_s_own_import_map_and_nonce_only(desk: Desk) -> None:
    one, two = page(desk, "/admin"), page(desk, "/admin")
    policy = one.headers["content-security-policy"]
    assert Built().import_map_hash in policy
    assert "unsafe" not in policy
    nonce = re.search(r"'nonce-([^']+)'", policy)
    assert nonce is not None
    assert f'nonce="{nonce[1]}"' in one.text
    assert nonce[1] not in two.text


def test_what_the_page_names_is_there_for_ever_and_compressed(desk: Desk) -> None:
    text = page(desk, "/admin").text
    names = set(re.findall(r'"(/hotbay/shell/[^"]+)"', text))
    assert any(name.endswith(".css") for name in names)
    for name in names:
        answer = httpx.get(desk.url + name)
        assert answer.status_code == 200, name
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] in ("br", "gzip")
        plain = httpx.get(desk.url + name, headers={"accept-encoding": "identity"})
        assert plain.content == answer.content


@pytest.mark.parametrize("name", ["nothing.js", "../importmap.json", "%2e%2e/importmap.json", ".built", "a%2fb.js"])
def test_no_other_file_is_served(desk: Desk, name: str) -> None:
    assert httpx.get(f"{desk.url}/hotbay/shell/{name}").status_code == 404


def test_a_claimed_page_is_the_console_s_where_it_reaches(tmp_path: Path) -> None:
    with opened(tmp_path, console="/") as desk:
        desk.pack()
        desk.get("/addons")
        answer = page(desk, "/notes")
        assert answer.status_code == 200
        assert boot(answer)["console"] == "/"


def test_a_host_s_own_page_wins(tmp_path: Path) -> None:
    host = FastAPI()
    host.add_api_route("/hello", lambda: PlainTextResponse("mine"))
    with opened(tmp_path, host, console="/", brand_name="Acme </script>", brand_color="#0a7d5a") as desk:
        assert page(desk, "/hello").text == "mine"
        assert boot(page(desk, "/other"))["brand"] == {"name": "Acme </script>", "logo": "", "color": "#0a7d5a"}


def test_the_console_can_be_switched_off(tmp_path: Path) -> None:
    with opened(tmp_path, console=None) as desk:
        assert page(desk, "/admin").status_code == 404
        assert httpx.get(desk.url + "/hotbay/shell/x.js").status_code == 404


def own_pages(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "host.config.tsx").write_text(text)
    return folder


def test_a_host_brings_its_own_pages(tmp_path: Path) -> None:
    text = 'import { defineHost } from "@hotbay/sdk";\nexport default defineHost({ pages: [] });\n'
    with opened(tmp_path, console="/", frontend=own_pages(tmp_path / "frontend", text)) as desk:
        host = boot(page(desk, "/"))["host"]
        assert isinstance(host, dict)
        module = httpx.get(desk.url + host["module"])
        assert module.headers["content-type"].startswith("text/javascript")
        assert 'from"@hotbay/sdk"' in module.text
