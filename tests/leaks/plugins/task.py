"""A task that was not spawned through the context."""

import asyncio

KEPT = []


async def watch() -> None:
    while True:
        await asyncio.sleep(60)


async def start() -> None:
    KEPT.append(asyncio.create_task(watch(), name="watch"))
