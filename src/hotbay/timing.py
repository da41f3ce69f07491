"""`Server-Timing` on plugins' answers, for the browser's developer tools. Where it is off, it is not there at all."""

from __future__ import annotations

from time import perf_counter

from hotbay.activate import App, Message, Receive, Scope, Send


def timed(app: App | None, plugin: str, version: str) -> App | None:
    """A plugin's application that says how long the head of its answer took, in milliseconds."""
    if app is None:
        return None

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        began = perf_counter()

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                text = f'hotbay;desc="{plugin} {version}";dur={(perf_counter() - began) * 1000:.2f}'
                message = {**message, "headers": [*message.get("headers", ()), (b"server-timing", text.encode())]}
            await send(message)

        await app(scope, receive, told)

    return answer
