"""A client in an object of a module."""

import httpx


class Service:
    def __init__(self) -> None:
        self.client = httpx.Client(trust_env=False)


service = Service()
