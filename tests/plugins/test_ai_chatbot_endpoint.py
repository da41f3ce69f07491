"""The chatbot with an OpenAI-compatible endpoint: a real server that speaks, breaks and forgets the protocol."""

from __future__ import annotations

import logging
import time

import httpx
import pytest
from chatting import Chat, Guest, sse
from openai_server import PIECES, OpenAI
from pydantic import ValidationError

QUESTION = "How do I pay an invoice?"


@pytest.fixture
def endpoint(chat: Chat, openai: OpenAI) -> OpenAI:
    openai.behave("good")
    chat.set(mode="endpoint", endpoint_url=openai.url + "/", api_key="sk-secret", model="tiny", timeout=0.5)
    return openai


def test_endpoint_is_asked_as_it_expects(endpoint: OpenAI, guest: Guest) -> None:
    guest.say("Hi there")
    answer = guest.say(QUESTION)["answer"]
    assert answer["text"] == "".join(PIECES)
    assert answer["details"]["source"] == "endpoint"
    seen = endpoint.seen[-1]
    assert seen["path"] == "/v1/chat/completions"
    assert seen["headers"]["Authorization"] == "Bearer sk-secret"
    assert (seen["body"]["model"], seen["body"]["stream"]) == ("tiny", True)
    roles = [m["role"] for m in seen["body"]["messages"]]
    assert roles == ["system", "assistant", "user", "assistant", "user"]
    assert "Open the invoice" in seen["body"]["messages"][0]["content"]
    assert seen["body"]["messages"][-1]["content"] == QUESTION


def test_answer_without_stream_is_understood(endpoint: OpenAI, guest: Guest) -> None:
    endpoint.behave("plain")
    assert guest.say(QUESTION)["answer"]["text"] == "".join(PIECES)


@pytest.mark.parametrize("mode", ["error", "error_inside", "garbage", "html", "odd", "empty", "broken_off", "hang"])
def test_failing_endpoint_is_replaced(
    endpoint: OpenAI, guest: Guest, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.behave(mode)
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING, "test.ai_chatbot"):
        answer = guest.say(QUESTION)["answer"]
    assert (answer["details"]["source"], answer["details"]["articles"]) == ("knowledge", [1])
    assert time.monotonic() - begun < 5
    assert "the endpoint failed" in caplog.text
    assert "sk-secret" not in caplog.text


def test_endpoint_that_is_not_there(chat: Chat, guest: Guest) -> None:
    chat.set(mode="endpoint", endpoint_url="http://127.0.0.1:1/v1")
    assert guest.say(QUESTION)["answer"]["details"]["source"] == "knowledge"


def test_tokens_are_streamed_as_they_come(endpoint: OpenAI, guest: Guest) -> None:
    endpoint.behave("slow")
    url, data = f"{guest.url}/messages/stream", {"text": QUESTION}
    with httpx.stream("POST", url, headers=guest.headers, json=data) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = sse(answer.iter_lines())
        first = [next(events) for _ in range(3)]
        endpoint.go_on()
        rest = list(events)
    assert [e["event"] for e in first] == ["accepted", "token", "token"]
    assert [e["event"] for e in rest] == ["token", "token", "message", "done"]
    stored = guest.get("/messages")[-1]
    assert stored["text"] == "".join(PIECES)
    assert rest[2]["id"] == str(stored["id"])


def test_broken_stream_starts_again(endpoint: OpenAI, guest: Guest) -> None:
    endpoint.behave("broken_off")
    with httpx.stream("POST", f"{guest.url}/messages/stream", headers=guest.headers, json={"text": QUESTION}) as answer:
        names = [e["event"] for e in sse(answer.iter_lines())]
    assert names == ["accepted", "token", "token", "restart", "token", "message", "done"]
    assert guest.get("/messages")[-1]["text"].startswith("Open the invoice")


def test_guest_who_leaves_finds_the_answer(endpoint: OpenAI, guest: Guest) -> None:
    endpoint.behave("slow")
    with httpx.stream("POST", f"{guest.url}/messages/stream", headers=guest.headers, json={"text": QUESTION}) as answer:
        next(answer.iter_lines())
    endpoint.go_on()
    deadline = time.monotonic() + 5
    while guest.get("/messages")[-1]["sender"] != "bot":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert guest.get("/messages")[-1]["text"] == "".join(PIECES)


def test_person_who_takes_over_silences_the_bot(endpoint: OpenAI, guest: Guest, admin: httpx.Client) -> None:
    endpoint.behave("slow")
    with httpx.stream("POST", f"{guest.url}/messages/stream", headers=guest.headers, json={"text": QUESTION}) as answer:
        events = sse(answer.iter_lines())
        next(events)
        next(events)
        admin.post(f"/sessions/{guest.id}/reply", json={"text": "I am here"})
        endpoint.go_on()
        rest = [e["event"] for e in events]
    assert "message" not in rest
    assert rest[-1] == "done"
    assert guest.get("/messages")[-1]["text"] == "I am here"


def test_knowledge_mode_streams_too(guest: Guest) -> None:
    with httpx.stream("POST", f"{guest.url}/messages/stream", headers=guest.headers, json={"text": QUESTION}) as answer:
        names = [e["event"] for e in sse(answer.iter_lines())]
    assert names == ["accepted", "token", "message", "done"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "endpoint"},
        {"endpoint_url": "file:///etc/passwd"},
        {"temperature": 3},
        {"timeout": 0},
        {"min_score": 1.1},
    ],
)
def test_settings_refuse(chat: Chat, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        chat.set(**wrong)


def test_api_key_is_not_shown(chat: Chat) -> None:
    chat.set(api_key="sk-secret")
    settings = chat.plugin.context.settings
    assert "sk-secret" not in repr(settings) + settings.model_dump_json()
