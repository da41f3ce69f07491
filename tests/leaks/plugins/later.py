"""A call that the loop has for later."""

import asyncio


def remind() -> None: ...


async def start() -> None:
    asyncio.get_running_loop().call_later(3600, remind)
