"""The server's own flag is found, however deep its coroutine is; and nothing is found where there is none."""

from __future__ import annotations

import asyncio

import uvicorn

from hotbay.console.leaving import ends_with_server, server_leaving


async def app(scope: object, receive: object, send: object) -> None:
    """Answers nothing; it is never asked."""


async def wrapped(server: uvicorn.Server) -> None:
    """As process managers do it: the server inside a coroutine of their own."""
    await server.serve()


async def test_a_running_server_is_found_also_inside_another_coroutine() -> None:
    for start in (uvicorn.Server.serve, wrapped):
        server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="warning"))
        task = asyncio.create_task(start(server))
        while not server.started:
            await asyncio.sleep(0.01)
        leaving = server_leaving()
        assert not leaving()
        server.should_exit = True
        assert leaving()
        assert ends_with_server()
        await task


async def test_a_server_in_another_thread_does_not_end_the_process() -> None:
    told: list[bool] = []

    async def look() -> None:
        server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="warning"))
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        server.should_exit = True
        told.extend((server_leaving()(), ends_with_server()))
        await task

    await asyncio.to_thread(asyncio.run, look())
    assert told == [True, False]


async def test_without_a_server_nobody_leaves() -> None:
    assert not server_leaving()()
    assert not ends_with_server()
