"""An HTTP client with an open connection."""

import os

import httpx

client = httpx.AsyncClient(trust_env=False)


async def start() -> None:
    await client.get(os.environ["LEAK_URL"])
