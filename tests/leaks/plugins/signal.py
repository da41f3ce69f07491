"""A signal handler."""

import signal


def handle(number: int, frame: object) -> None: ...


async def start() -> None:
    signal.signal(signal.SIGUSR1, handle)
