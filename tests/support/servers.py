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
