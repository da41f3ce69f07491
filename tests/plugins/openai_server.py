"""A real HTTP server that speaks the protocol of OpenAI's chat completions, and breaks it on request."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

PIECES = ["You can ", "pay ", "by card — ", "quickly."]


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    body = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        server = self.server
        size = int(self.headers.get("content-length", 0))
        server.seen.append(
            {"path": self.path, "headers": dict(self.headers), "body": json.loads(self.rfile.read(size))}
        )
        getattr(self, f"act_{server.mode}")()

    def _head(self, status: int, kind: str = "text/event-stream") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()

    def _pieces(self, pieces: list[str]) -> None:
        self._head(200)
        self.wfile.write(b": comment\n\n" + chunk({"role": "assistant", "content": ""}))
        for piece in pieces:
            self.wfile.write(chunk({"content": piece}))
            self.wfile.flush()

    def act_good(self) -> None:
        self._pieces(PIECES)
        self.wfile.write(chunk({}, "stop") + b'data: {"choices": [], "usage": {}}\n\n' + b"data: [DONE]\n\n")

    def act_slow(self) -> None:
        """The first half, then the rest when the test says so."""
        self._pieces(PIECES[:2])
        self.server.go_on.wait(10)
        for piece in PIECES[2:]:
            self.wfile.write(chunk({"content": piece}))
        self.wfile.write(chunk({}, "stop") + b"data: [DONE]\n\n")

    def act_plain(self) -> None:
        """No stream although one was asked for."""
        self._head(200, "application/json")
        self.wfile.write(json.dumps({"choices": [{"message": {"content": "".join(PIECES)}}]}).encode())

    def act_error(self) -> None:
        self._head(500, "application/json")
        self.wfile.write(b'{"error": {"message": "overloaded"}}')

    def act_error_inside(self) -> None:
        self._head(200)
        self.wfile.write(b'data: {"error": {"message": "overloaded"}}\n\n')

    def act_garbage(self) -> None:
        self._head(200)
        self.wfile.write(b"data: {not json}\n\n")

    def act_html(self) -> None:
        self._head(200, "text/html")
        self.wfile.write(b"<html><body>A proxy's page</body></html>\n")

    def act_odd(self) -> None:
        self._head(200)
        self.wfile.write(b'data: {"choices": "none"}\n\n')

    def act_empty(self) -> None:
        self._head(200)
        self.wfile.write(chunk({}, "stop") + b"data: [DONE]\n\n")

    def act_broken_off(self) -> None:
        self._pieces(PIECES[:2])

    def act_hang(self) -> None:
        self._head(200)
        self.server.go_on.wait(10)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    # Requests that a test leaves hanging must not hold up its end, nor complain when their caller has gone.
    daemon_threads = True
    block_on_close = False
    mode = "good"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[dict[str, Any]] = []
        self.go_on = threading.Event()

    def handle_error(self, *_: Any) -> None:
        """The caller hung up: that is its right."""


class OpenAI:
    """The server for a test: `mode` is the end of an `act_…` above, `seen` the requests."""

    def __enter__(self) -> Self:
        self._server = _Server()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.go_on.set()
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def seen(self) -> list[dict[str, Any]]:
        return self._server.seen

    def behave(self, mode: str) -> None:
        self._server.mode = mode
        self._server.seen.clear()
        self._server.go_on.clear()

    def go_on(self) -> None:
        self._server.go_on.set()
