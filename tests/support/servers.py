"""Servers on loopback that stand for public ones."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

AnyServer = TypeVar("AnyServer", bound=http.server.HTTPServer)


class Server(http.server.ThreadingHTTPServer):
    """Server on a free port; what its handler needs are attributes of it."""

    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    """Handler that writes no log."""

    def log_message(self, *_: object) -> None:
        pass

    def answer(
        self,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        status: int = 200,
        most: int | None = None,
        pause: tuple[int, threading.Event] | None = None,
        length: bool = True,
    ) -> None:
        """Send a body, or the rest of it where that is asked for.

        Parameters
        ----------
        body : bytes
        headers : dict
            ``ETag`` is what ``If-Range`` is compared with.
        status : int
        most : int, optional
            The connection breaks off after so many bytes.
        pause : (int, Event), optional
            Position after which the rest comes only once the event is set.
        length : bool
            Whether the length is announced.
        """
        headers, start = headers or {}, 0
        if self.headers.get("Range") and self.headers.get("If-Range") == headers.get("ETag"):
            start, status = int(self.headers["Range"].removeprefix("bytes=").rstrip("-")), 206
            if start >= len(body):
                self.send_error(416)
                return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if length:
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        stop = len(body) if most is None else start + most
        if pause and start < pause[0]:
            self.wfile.write(body[start : pause[0]])
            pause[1].wait(60)
            start = pause[0]
        self.wfile.write(body[start:stop])


@contextmanager
def serving(server: AnyServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[AnyServer]:
    """A server that answers, and an environment in which it is asked."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("PSEUDOCOHORT_OFFLINE", raising=False)
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
