"""Live updates of the chatbot over real sockets: server-sent events and WebSocket."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from chatting import Chat, Guest, sse
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect


@contextmanager
def listening(url: str, **headers: str) -> Iterator[Iterator[dict[str, str]]]:
    with httpx.stream("GET", url, headers=headers, timeout=10) as answer:
        assert answer.status_code == 200
        events = sse(answer.iter_lines())
        assert next(events) == {"retry": "1000"}
        yield events


@pytest.fixture
def closing(chat: Chat) -> Iterator[Chat]:
    """A chat whose generation a test closes."""
    yield chat
    time.sleep(0.3)
    chat.plugin.context.closing = False


def ws_url(guest: Guest, **query: object) -> str:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return f"{guest.url.replace('http', 'ws', 1)}/ws?token={guest.token}{more}"


def test_events_tell_what_was_said(guest: Guest, admin: httpx.Client) -> None:
    with listening(f"{guest.url}/events?token={guest.token}") as events:
        greeting = next(events)
        said = guest.say("How do I pay an invoice?")
        question, answer = next(events), next(events)
        admin.post(f"/sessions/{guest.id}/close")
        closed = json.loads(next(events)["data"])
    assert greeting["id"] == str(guest.started["messages"][0]["id"])
    assert question["id"] == str(said["message"]["id"])
    assert json.loads(answer["data"]) == said["answer"]
    assert closed["details"]["event"] == "closed"


def test_events_go_on_where_they_broke_off(guest: Guest) -> None:
    first = guest.say("How do I pay?")
    last = first["message"]["id"]
    with listening(f"{guest.url}/events?after=0", **guest.headers, **{"Last-Event-ID": str(last)}) as events:
        assert next(events)["id"] == str(first["answer"]["id"])
    with listening(f"{guest.url}/events?after={last}", **guest.headers) as events:
        assert next(events)["id"] == str(first["answer"]["id"])


def test_events_of_a_long_chat_are_all_sent(chat: Chat, guest: Guest) -> None:
    db = sqlite3.connect(chat.database, timeout=10)
    with db:
        db.executemany(
            "INSERT INTO chat_messages (session_id, sender, text, created_at) VALUES (?, 'guest', ?, 0)",
            [(guest.id, str(n)) for n in range(450)],
        )
    db.close()
    with listening(f"{guest.url}/events", **guest.headers) as events:
        texts = [json.loads(next(events)["data"])["text"] for _ in range(451)]
    assert texts[1:] == [str(n) for n in range(450)]


def test_events_come_from_other_processes(chat: Chat, guest: Guest) -> None:
    """Another worker writes: nothing but the database tells."""
    with listening(f"{guest.url}/events", **guest.headers) as events:
        next(events)
        statement = "INSERT INTO chat_messages (session_id, sender, text, created_at) VALUES (?, 'human', 'hi', 0)"
        chat.sql(statement, guest.id)
        begun = time.monotonic()
        assert json.loads(next(events)["data"])["text"] == "hi"
        assert time.monotonic() - begun < 2


def test_events_need_the_token(guest: Guest) -> None:
    assert guest.client.get(f"{guest.url}/events").status_code == 401


def test_events_end_when_the_generation_closes(closing: Chat, guest: Guest) -> None:
    with listening(f"{guest.url}/events", **guest.headers) as events:
        next(events)
        time.sleep(0.5)  # the stream waits for news by now
        begun = time.monotonic()
        closing.plugin.context.closing = True
        assert list(events) == []
    assert time.monotonic() - begun < 2


def test_heartbeat(chat: Chat, guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat.plugin.module("live"), "HEARTBEAT_SECONDS", 0.05)
    with listening(f"{guest.url}/events", **guest.headers) as events:
        next(events)
        assert next(events) == {"comment": "nothing new"}


def test_admin_hears_all_chats(chat: Chat, client: httpx.Client, guest: Guest, admin: httpx.Client) -> None:
    other = chat.start(client)
    newest = other.started["messages"][-1]["id"]
    headers = {"Authorization": admin.headers["authorization"]}
    with listening(f"{chat.url}/admin/events?after={newest}", **headers) as events:
        guest.post("/hand-over")
        other.post("/hand-over")
        heard = [json.loads(next(events)["data"])["session_id"] for _ in range(2)]
    assert heard == [guest.id, other.id]


def test_nobody_listens_nobody_asks(chat: Chat, guest: Guest) -> None:
    with listening(f"{guest.url}/events", **guest.headers) as events:
        next(events)
        assert [task.get_name() for task in chat.plugin.context.tasks] == ["chat feed"]
    deadline = time.monotonic() + 5
    while chat.plugin.context.tasks:
        assert time.monotonic() < deadline
        # The server notices that a client has gone when it next writes or is told.
        time.sleep(0.02)


def test_websocket_talks_both_ways(guest: Guest) -> None:
    with connect(ws_url(guest), close_timeout=2) as socket:
        assert json.loads(socket.recv(5))["sender"] == "bot"
        socket.send(json.dumps({"type": "message", "text": "How do I pay an invoice?"}))
        question, answer = json.loads(socket.recv(5)), json.loads(socket.recv(5))
        socket.send(json.dumps({"type": "read", "up_to": answer["id"]}))
        socket.send(json.dumps({"type": "dance"}))
        error = json.loads(socket.recv(5))
    assert (question["sender"], answer["details"]["articles"]) == ("guest", [1])
    assert (error["type"], error["status"]) == ("error", 422)
    assert guest.get()["unread"] == 0


@pytest.mark.parametrize("nonsense", ["", "{", "[]", "3", '{"type": "message"}', '{"type": "message", "text": ""}'])
def test_websocket_survives_nonsense(guest: Guest, nonsense: str) -> None:
    with connect(ws_url(guest, after=10**9), close_timeout=2) as socket:
        socket.send(nonsense)
        assert json.loads(socket.recv(5))["status"] == 422
        socket.send(json.dumps({"type": "message", "text": "I want a human"}))
    deadline = time.monotonic() + 5
    while guest.get()["status"] != "waiting":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_websocket_needs_the_token(guest: Guest) -> None:
    with pytest.raises(InvalidStatus, match="403"), connect(ws_url(guest).replace(guest.token, "wrong")):
        pass


def test_websocket_closes_politely(closing: Chat, guest: Guest) -> None:
    with connect(ws_url(guest), close_timeout=2) as socket:
        socket.recv(5)
        time.sleep(0.5)  # the stream waits for news by now
        closing.plugin.context.closing = True
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
