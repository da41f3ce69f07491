"""The chatbot in the billing panel, once for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from chatting import PASSWORD, Chat, Guest, chat_host
from openai_server import OpenAI


@pytest.fixture(scope="module")
def running_chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEMO_PASSWORD", PASSWORD)
        with chat_host(tmp_path_factory.mktemp("chat")) as chat:
            yield chat


@pytest.fixture
def chat(running_chat: Chat) -> Chat:
    running_chat.set()
    running_chat.plugin.context.emitted.clear()
    running_chat.sql("DELETE FROM chat_messages")
    running_chat.sql("DELETE FROM chat_sessions")
    return running_chat


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=10) as made:
        yield made


@pytest.fixture
def guest(chat: Chat, client: httpx.Client) -> Guest:
    return chat.start(client)


@pytest.fixture
def admin(chat: Chat) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=chat.url + "/admin", timeout=10) as made:
        login = {"email": "admin@example.com", "password": PASSWORD}
        token = made.post(chat.address + "/api/v1/auth/login", json=login).json()["access_token"]
        made.cookies.clear()
        made.headers["Authorization"] = f"Bearer {token}"
        yield made


@pytest.fixture(scope="module")
def openai() -> Iterator[OpenAI]:
    with OpenAI() as server:
        yield server
