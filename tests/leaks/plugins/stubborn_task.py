"""A task that does not let itself be cancelled."""

import asyncio

from the_host import END


async def watch(end, sleep, cancelled) -> None:
    while not end.is_set():
        try:
            await sleep(0.02)
        except cancelled:
            continue


async def start() -> None:
    asyncio.create_task(watch(END, asyncio.sleep, asyncio.CancelledError), name="stubborn")
