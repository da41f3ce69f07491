"""A context variable of the host's, set by the plugin, in a context that ends."""

from the_host import CURRENT


class Request: ...


CURRENT.set(Request())


async def start() -> None:
    CURRENT.set(Request())
