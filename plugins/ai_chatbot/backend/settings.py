"""What an admin can set, live."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator


class Settings(BaseModel):
    """The chatbot's settings. `mode` endpoint needs `endpoint_url`, the part before `/chat/completions`."""

    bot_name: Annotated[str, Field(min_length=1, max_length=80)] = "Assistant"
    greeting: Annotated[str, Field(max_length=1000)] = "Hello! How can I help you?"
    mode: Literal["knowledge", "endpoint"] = "knowledge"
    endpoint_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$", max_length=500)] = ""
    api_key: SecretStr = SecretStr("")
    model: Annotated[str, Field(max_length=200)] = "gpt-4o-mini"
    system_prompt: Annotated[str, Field(max_length=20_000)] = (
        "You answer customers of a hosting company, briefly and friendly, in the customer's language. "
        "Use the articles below; say so when you do not know."
    )
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.3
    timeout: Annotated[float, Field(gt=0, le=300, description="seconds without a word from the endpoint")] = 20
    min_score: Annotated[float, Field(ge=0, le=1, description="below it, the bot offers a person")] = 0.4
    hand_over_keywords: list[Annotated[str, Field(min_length=2, max_length=80)]] = [
        "human",
        "agent",
        "real person",
        "speak to someone",
        "talk to someone",
    ]
    no_answer: Annotated[str, Field(min_length=1, max_length=1000)] = (
        "I am not sure that I can answer this. Would you like to talk to a person?"
    )
    messages_per_minute: Annotated[int, Field(ge=1, le=600)] = 12
    idle_minutes: Annotated[int, Field(ge=1, le=100_000, description="then an idle chat is closed")] = 120

    @model_validator(mode="after")
    def _endpoint_is_known(self) -> Self:
        if self.mode == "endpoint" and not self.endpoint_url:
            raise ValueError('mode "endpoint" needs endpoint_url, such as "https://api.example.com/v1"')
        return self
