"""A signal handler of the loop's."""

import asyncio
import signal


def handle() -> None: ...


async def start() -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, handle)
