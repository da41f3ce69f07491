"""The chatbot: guests, the knowledge base, people who take over."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from chatting import PASSWORD, Chat, Guest

ODD_QUESTIONS = [
    '"', "'", "*", "pay*", "NEAR(pay invoice)", "pay AND OR NOT", "title:pay", "^pay", "(", "{pay}", "pay -invoice",
    "_", "___ pay", "²½", "\u0301", "пароль", "支払い", "😀", "a" * 4000, "; DROP TABLE chat_articles", "\\", "\x00pay",
    "+", "pay invoice " * 300,
]  # fmt: skip


def test_start_greets_and_keeps_the_token_secret(chat: Chat, guest: Guest) -> None:
    assert guest.started["session"]["status"] == "bot"
    assert [m["text"] for m in guest.started["messages"]] == ["Hello! How can I help you?"]
    (row,) = chat.sql("SELECT * FROM chat_sessions")
    assert guest.token not in map(str, row)
    assert chat.start(guest.client).token != guest.token


@pytest.mark.parametrize(
    "wrong", [{"email": "no"}, {"name": " "}, {"name": "x" * 201}, {"email": "a@b.c\n"}, {"phone": "1" * 201}]
)
def test_start_refuses_wrong_particulars(chat: Chat, client: httpx.Client, wrong: dict[str, str]) -> None:
    data = {"name": "Ada", "email": "ada@example.com", **wrong}
    answer = client.post(f"{chat.url}/sessions", json=data)
    # White space around an address is forgiven.
    assert answer.status_code == (201 if wrong.get("email", "").endswith("\n") else 422)


def test_only_the_token_opens_a_chat(chat: Chat, client: httpx.Client, guest: Guest) -> None:
    other = chat.start(client)
    for token in ("", "wrong", other.token):
        assert client.get(guest.url, headers={"X-Chat-Token": token}).status_code == 401
        assert (
            client.post(f"{guest.url}/messages", headers={"X-Chat-Token": token}, json={"text": "x"}).status_code == 401
        )
    assert client.get(f"{chat.url}/sessions/none", headers=guest.headers).status_code == 401
    assert client.get(guest.url, params={"token": guest.token}).status_code == 200


def test_bot_answers_from_the_knowledge_base(guest: Guest) -> None:
    said = guest.say("How do I pay an invoice?")
    assert said["answer"]["text"].startswith("Open the invoice")
    assert said["answer"]["details"] == {
        "source": "knowledge",
        "confidence": 1.0,
        "articles": [1],
        "offer_human": False,
    }
    assert [m["sender"] for m in guest.get("/messages")] == ["bot", "guest", "bot"]


def test_bot_finds_other_forms_of_words(guest: Guest) -> None:
    assert guest.say("cancelling my services")["answer"]["details"]["articles"] == [4]


def test_unknown_question_offers_a_person(guest: Guest) -> None:
    answer = guest.say("Which planet has the largest moon?")["answer"]
    assert answer["details"]["offer_human"] is True
    assert answer["details"]["source"] == "none"


def test_threshold_decides(chat: Chat, guest: Guest) -> None:
    question = "pay the frobnicated thingummy"
    chat.set(min_score=0.9)
    assert guest.say(question)["answer"]["details"]["offer_human"] is True
    chat.set(min_score=0.05)
    assert guest.say(question)["answer"]["details"]["articles"] == [1]


@pytest.mark.parametrize("question", ODD_QUESTIONS)
def test_no_question_breaks_the_search(chat: Chat, guest: Guest, question: str) -> None:
    if question.strip():
        assert guest.post("/messages", {"text": question}).status_code in (201, 422)
    chat.plugin.module("articles").find(question)


def test_messages_after(guest: Guest) -> None:
    first = guest.say("How do I pay?")["message"]["id"]
    later = guest.get("/messages", after=first)
    assert [m["sender"] for m in later] == ["bot"]
    assert len(guest.get("/messages", limit=1)) == 1


def test_too_many_messages(chat: Chat, client: httpx.Client, guest: Guest) -> None:
    chat.set(messages_per_minute=3)
    answers = [guest.post("/messages", {"text": "pay"}) for _ in range(4)]
    assert [a.status_code for a in answers] == [201, 201, 201, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    chat.start(client).say("pay")


def test_limit_holds_for_messages_at_once(chat: Chat, guest: Guest) -> None:
    chat.set(messages_per_minute=3)
    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda _: guest.post("/messages", {"text": "pay"}).status_code, range(6)))
    assert sorted(codes) == [201] * 3 + [429] * 3


@pytest.mark.parametrize(
    ("text", "called"), [("I want a HUMAN!", True), ("a humane tariff", False), ("real person pls", True)]
)
def test_keywords_call_a_person(guest: Guest, text: str, called: bool) -> None:
    assert (guest.say(text)["status"] == "waiting") is called


def test_hand_over(chat: Chat, guest: Guest, admin: httpx.Client) -> None:
    assert guest.post("/hand-over").json()["status"] == "waiting"
    assert guest.post("/hand-over").json()["status"] == "waiting"
    ((event, payload),) = chat.plugin.context.emitted
    assert (event, payload["session"]["id"]) == ("chat.waiting", guest.id)
    said = guest.say("How do I pay an invoice?")
    assert said["answer"] is None
    reply = admin.post(f"/sessions/{guest.id}/reply", json={"text": "With this link"})
    assert reply.status_code == 201
    assert guest.get()["status"] == "human"
    system, human = guest.get("/messages", after=said["message"]["id"])
    assert (system["sender"], human["author"]) == ("system", "admin@example.com")


def test_closed_chat_takes_no_messages(guest: Guest, admin: httpx.Client) -> None:
    admin.post(f"/sessions/{guest.id}/assign", json={"to": "bob@example.com"})
    assert guest.post("/close").json()["status"] == "closed"
    assert guest.post("/messages", {"text": "hello?"}).status_code == 409
    assert guest.post("/hand-over").status_code == 409
    assert admin.post(f"/sessions/{guest.id}/reply", json={"text": "x"}).status_code == 409
    assert admin.post(f"/sessions/{guest.id}/assign", json={}).status_code == 409
    again = admin.post(f"/sessions/{guest.id}/reopen").json()
    assert (again["status"], again["assigned_to"], again["closed_at"]) == ("human", "bob@example.com", None)
    assert guest.post("/messages", {"text": "hello?"}).status_code == 201
    assert admin.post(f"/sessions/{guest.id}/close").json()["status"] == "closed"


def test_assign_to_oneself(guest: Guest, admin: httpx.Client) -> None:
    assert admin.post(f"/sessions/{guest.id}/assign", json={}).json()["assigned_to"] == "admin@example.com"


def test_unread_on_both_sides(guest: Guest, admin: httpx.Client) -> None:
    assert guest.get()["unread"] == 1
    guest.post("/hand-over")
    last = guest.say("anybody there?")["message"]["id"]
    assert admin.get("/unread").json() == {"count": 1, "waiting": 1, "sessions": 1, "messages": 1, "last": last}
    assert admin.get(f"/sessions/{guest.id}").json()["unread"] == 1
    admin.post(f"/sessions/{guest.id}/read", json={"up_to": last})
    assert admin.get("/unread").json() == {"count": 1, "waiting": 1, "sessions": 0, "messages": 0, "last": last}
    guest.post("/read", {"up_to": 10**15})
    assert guest.get()["unread"] == 0
    guest.post("/read", {"up_to": 0})
    reply = admin.post(f"/sessions/{guest.id}/reply", json={"text": "yes"}).json()
    assert guest.get()["unread"] == 2  # somebody joined, and the reply
    guest.post("/read", {"up_to": reply["id"]})
    assert guest.get()["unread"] == 0


def test_admin_list(chat: Chat, client: httpx.Client, admin: httpx.Client) -> None:
    names = [f"Guest {n}" for n in range(5)]
    guests = [chat.start(client, name=name, email=f"g{n}@example.com") for n, name in enumerate(names)]
    guests[1].post("/hand-over")
    guests[3].say("a very special word: xylophone")
    admin.post(f"/sessions/{guests[2].id}/assign", json={"to": "bob@example.com"})

    def found(**query: Any) -> list[str]:
        return [s["name"] for s in admin.get("/sessions", params=query).json()["items"]]

    assert found()[0] == "Guest 1"
    assert found(status="human") == found(assigned_to="bob@example.com") == ["Guest 2"]
    assert found(q="XYLOPHONE") == ["Guest 3"]
    assert found(q="g4@") == ["Guest 4"]
    assert found(q="%") == []
    pages = [found(page=page, per_page=2) for page in (1, 2, 3)]
    assert sorted(name for page in pages for name in page) == names
    assert admin.get("/sessions", params={"per_page": 2}).json()["total"] == 5
    assert admin.get("/sessions", params={"status": "odd"}).status_code == 422


def test_admin_sees_what_was_said(guest: Guest, admin: httpx.Client) -> None:
    guest.say("How do I pay?")
    assert [m["sender"] for m in admin.get(f"/sessions/{guest.id}/messages").json()] == ["bot", "guest", "bot"]
    assert admin.get("/sessions/none").status_code == 404
    assert admin.get("/sessions/none/messages").status_code == 404


def test_admin_doors_are_closed(chat: Chat, client: httpx.Client, guest: Guest) -> None:
    login = {"email": "customer@example.com", "password": PASSWORD}
    token = client.post(chat.address + "/api/v1/auth/login", json=login).json()["access_token"]
    client.cookies.clear()
    paths = client.get(chat.address + "/openapi.json").json()["paths"]
    doors = [(m, p) for p, methods in paths.items() if p.startswith("/api/v1/chat/admin") for m in methods]
    assert len(doors) >= 16
    for method, path in doors:
        address = chat.address + path.replace("{session_id}", guest.id).replace("{article_id}", "1")
        assert client.request(method, address, headers=guest.headers).status_code == 401, path
        headers = {"Authorization": f"Bearer {token}"}
        assert client.request(method, address, headers=headers).status_code == 403, path


def test_articles_are_known_at_once(guest: Guest, admin: httpx.Client) -> None:
    article = {"title": "Zebra crossing", "body": "Only on foot.", "keywords": "stripes"}
    made = admin.post("/articles", json=article).json()
    assert guest.say("zebra")["answer"]["text"] == "Only on foot."
    changed = admin.put(f"/articles/{made['id']}", json={**article, "title": "Gnu crossing", "keywords": ""})
    assert changed.json()["title"] == "Gnu crossing"
    assert guest.say("zebra stripes")["answer"]["details"]["source"] == "none"
    assert guest.say("gnu")["answer"]["text"] == "Only on foot."
    admin.put(f"/articles/{made['id']}", json={**article, "title": "Gnu crossing", "enabled": False})
    assert guest.say("gnu")["answer"]["details"]["source"] == "none"
    assert made["id"] in [a["id"] for a in admin.get("/articles").json()]
    assert admin.delete(f"/articles/{made['id']}").status_code == 204
    assert admin.delete(f"/articles/{made['id']}").status_code == 404
    assert admin.put(f"/articles/{made['id']}", json=article).status_code == 404


def test_title_ranks_above_body(admin: httpx.Client) -> None:
    body = {"title": "Something else", "body": "Here the walrus is mentioned. " + "Other words. " * 5}
    title = {"title": "The walrus", "body": "An animal."}
    made = [admin.post("/articles", json=a).json()["id"] for a in (body, title)]
    hits = admin.get("/articles/search", params={"q": "what is a walrus?"}).json()
    for key in made:
        admin.delete(f"/articles/{key}")
    assert [h["article"]["id"] for h in hits] == made[::-1]


def test_customers_are_known(chat: Chat, client: httpx.Client, guest: Guest, admin: httpx.Client) -> None:
    assert admin.get(f"/sessions/{guest.id}").json()["customer_id"] is None
    hooks = chat.plugin.module("hooks")
    import asyncio

    asyncio.run(hooks.know_customer(customer={"id": 77, "email": "Ada@Example.com"}))
    assert admin.get(f"/sessions/{guest.id}").json()["customer_id"] == 77
    login = {"email": "customer@example.com", "password": PASSWORD}
    client.post(chat.address + "/api/v1/auth/login", json=login)
    assert admin.get(f"/sessions/{chat.start(client).id}").json()["customer_id"] == 1


def test_idle_chats_are_closed(chat: Chat, client: httpx.Client, guest: Guest) -> None:
    fresh = chat.start(client)
    long_ago = time.time() - 121 * 60
    chat.sql("UPDATE chat_sessions SET updated_at = ? WHERE id = ?", long_ago, guest.id)
    chat.plugin.module("jobs").close_idle()
    assert (guest.get()["status"], fresh.get()["status"]) == ("closed", "bot")
    assert guest.get("/messages")[-1]["details"] == {"event": "closed", "by": "idle"}


def test_service_answers_other_plugins(chat: Chat) -> None:
    answer = chat.plugin.module("hooks").answer("how to pay an invoice")
    assert (answer["source"], answer["articles"]) == ("knowledge", [1])


def test_health_asks_every_table(chat: Chat) -> None:
    health = chat.plugin.module("plugin").health
    assert health(chat.plugin.context) is True
    for name in ("chat_sessions", "chat_messages", "chat_articles"):
        chat.sql(f"ALTER TABLE {name} RENAME TO hidden")
        with pytest.raises(Exception, match="no such table"):
            health(chat.plugin.context)
        chat.sql(f"ALTER TABLE hidden RENAME TO {name}")


def test_rating(chat: Chat, client: httpx.Client, guest: Guest, admin: httpx.Client) -> None:
    guest.say("How do I pay?")
    assert guest.post("/rating", {"rating": 6}).status_code == 422
    assert guest.post("/rating", {"rating": 2}).status_code == 200
    guest.post("/close")
    assert guest.post("/rating", {"rating": 5, "feedback": " Fast! "}).json() == {"rating": 5, "feedback": "Fast!"}
    chat.start(client).post("/rating", {"rating": 4})
    newest = admin.get("/ratings").json()
    assert [(r["rating"], r["feedback"]) for r in newest] == [(4, ""), (5, "Fast!")]
    sums = admin.get("/statistics").json()
    assert sums["ratings"] == {"4": 1, "5": 1}
    assert sums["average_rating"] == 4.5
    assert sums["sessions"] == {"bot": 1, "closed": 1}
    assert sums["answered_by_bot"] == 1


def test_statistics_of_nothing(admin: httpx.Client) -> None:
    assert admin.get("/statistics").json()["average_rating"] is None
