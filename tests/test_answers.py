"""What a worker answers itself: problem documents, closed sockets, and a page where a browser wants one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hotbay.answers import absent, accepts_html, encodings, give_up, header, respond, respond_json
from hotbay.table import Claim

SHOP = Claim("/shop/*", "shop", "<Shop>", "install it & <b>smile</b>", page=True)


class Sent(list[dict[str, Any]]):
    """What was sent."""

    async def __call__(self, message: dict[str, Any]) -> None:
        self.append(dict(message))

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self[0]["headers"])

    @property
    def document(self) -> Any:
        return json.loads(self[1]["body"])


def asked(**headers: str) -> dict[str, Any]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "headers": raw}


async def test_what_waited_too_long_is_told_to_come_back() -> None:
    sent = Sent()
    await give_up(asked(), sent)
    assert (sent[0]["status"], sent.document["code"], sent.headers[b"retry-after"]) == (503, "held", b"5")
    closed = Sent()
    await give_up({"type": "websocket"}, closed)
    assert closed == [{"type": "websocket.close", "code": 1013}]


async def test_a_browser_gets_a_page_whose_words_are_escaped() -> None:
    sent = Sent()
    await absent(SHOP, asked(accept="text/html,*/*"), sent)
    text = sent[1]["body"].decode()
    assert (sent[0]["status"], sent.headers[b"content-type"]) == (404, b"text/html; charset=utf-8")
    assert "&lt;Shop&gt; Addon Not Installed" in text and "&amp; &lt;b&gt;smile" in text and "<b>" not in text


@pytest.mark.parametrize(("accept", "page"), [("application/json", True), ("text/html", False)])
async def test_others_and_paths_of_an_api_get_a_problem(accept: str, page: bool) -> None:
    sent = Sent()
    await absent(Claim("/shop", "shop", "Shop", "install it", page=page), asked(accept=accept), sent)
    assert sent.headers[b"content-type"] == b"application/problem+json"
    told = sent.document
    assert (told["status"], told["code"], told["plugin"]) == (404, "plugin-not-active", "shop")
    assert told["mend"] == "install it"


async def test_the_length_is_that_of_the_bytes_and_nobody_is_told_to_wait_for_nothing() -> None:
    sent = Sent()
    await respond(sent, 200, "grün".encode(), "text/plain")
    assert sent.headers == {b"content-type": b"text/plain", b"content-length": b"5"}
    await respond_json(again := Sent(), 429, {"code": "slow"}, retry_after=7)
    assert again.headers[b"retry-after"] == b"7"


def test_headers_of_one_name_are_one_list() -> None:
    scope = {"headers": [(b"accept", b"text/plain"), (b"x", b"1"), (b"accept", b"text/html;q=0.1")]}
    assert header(scope, b"accept") == "text/plain,text/html;q=0.1"
    assert accepts_html(scope)
    assert not accepts_html({"headers": []}) and header({}, b"accept") == ""
    assert encodings(asked(accept_encoding="gzip;q=0.5, br")) == {"gzip", "br"}
