"""Requests to the GDC's API: repeated with growing pauses when it is busy, and never a web page taken for data."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from ..core.errors import UserError

log = logging.getLogger(__name__)

CHUNK = 1 << 16
_MESSAGE = 1 << 12  # bytes of a refusal that are read
BUSY = (202, 429, 500, 502, 503, 504)  # 202: accepted, but there is no content yet
TRANSFER_ERRORS = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
_TIMEOUT = (20, 120)  # seconds to connect, and between two pieces of the body
_LONGEST_PAUSE = 60.0  # seconds
_PAGE_STARTS = (b"<!doctype html", b"<html")


class Body:
    """Body of an answer as a file to read from, its first piece known before anything is done with it.

    Raises
    ------
    UserError
        If it is empty, or a web page.
    """

    def __init__(self, response: requests.Response) -> None:
        self._chunks = response.iter_content(CHUNK)
        self._rest = next(self._chunks, b"")
        self.announced = int(response.headers.get("Content-Length") or 0)
        start = self._rest[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if start.startswith(_PAGE_STARTS):
            raise UserError(
                "the server sent a web page (HTML) instead of data",
                where=response.url,
                remedy="a proxy, a login page or maintenance stands between: open the address in a browser, try later",
            )
        if not self._rest:
            raise UserError("the server sent an empty answer", where=response.url, remedy="try again later")

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, fewer only at the end; all of them when `size` is negative."""
        pieces = [self._rest]
        have = len(self._rest)
        while size < 0 or have < size:
            piece = next(self._chunks, b"")
            if not piece:
                break
            pieces.append(piece)
            have += len(piece)
        content = b"".join(pieces)
        size = have if size < 0 else size
        self._rest = content[size:]
        return content[:size]


def _message(response: requests.Response) -> str:
    """What the API says about a refused request, in short; it names the field or the id that it does not know."""
    try:
        start = next(response.iter_content(_MESSAGE), b"")
    except TRANSFER_ERRORS:
        return ""
    try:
        parsed = json.loads(start)
    except ValueError:
        return ""
    said = parsed.get("message") or parsed.get("error") or "" if isinstance(parsed, dict) else ""
    return str(said)[:300]


class Client:
    """The GDC's API at one address.

    Parameters
    ----------
    api : str
        Address, ``https://api.gdc.cancer.gov`` or that of a stand-in.
    pause : float
        Seconds before the first repetition; doubled each time, and at least what ``Retry-After`` asks for (up to 60 s).
    attempts : int
        Times that a request is made before its failure is an error.
    """

    def __init__(self, api: str, *, pause: float = 1.0, attempts: int = 5) -> None:
        self.api, self.pause, self.attempts = api.rstrip("/"), pause, attempts
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "pseudocohort"
        # Checksums are of the bytes themselves: no transport compression.
        self._session.headers["Accept-Encoding"] = "identity"

    def wait(self, attempt: int, asked: str = "") -> None:
        """Pause before repetition number `attempt` (from 0); `asked` is a ``Retry-After`` in seconds."""
        seconds = self.pause * 2**attempt
        if asked.isdigit():
            seconds = max(seconds, float(asked))
        time.sleep(min(seconds, _LONGEST_PAUSE))

    @contextmanager
    def open(self, path: str, body: dict[str, Any] | None = None) -> Iterator[Body]:
        """Body of the answer to a GET of `path`, or to a POST of `body` as JSON.

        Raises
        ------
        UserError
            If the server stays busy or unreachable, refuses, or sends a web page or nothing.
        """
        response = self._answer(f"{self.api}/{path}", body)
        with response:
            yield Body(response)

    def _answer(self, url: str, body: dict[str, Any] | None) -> requests.Response:
        problem = ""
        for attempt in range(self.attempts):
            asked = ""
            try:
                response = self._session.request(
                    "GET" if body is None else "POST", url, json=body, stream=True, timeout=_TIMEOUT
                )
            except TRANSFER_ERRORS as error:
                problem = f"cannot be reached ({type(error).__name__}: {error})"
            else:
                if response.status_code == 200:
                    return response
                problem = f"answered {response.status_code} {response.reason}"
                if response.status_code == 202:
                    problem += ", without content"
                asked = response.headers.get("Retry-After", "")
                refused = response.status_code not in BUSY
                said = _message(response) if refused else ""
                response.close()
                if refused:
                    raise UserError(
                        f"the server {problem}" + (f": {said}" if said else ""),
                        where=url,
                        remedy="check the project's name; a field that the message names may have been renamed at the "
                        "GDC; only open-access files can be had without a token",
                    )
            log.info("%s %s; attempt %d of %d", url, problem, attempt + 1, self.attempts)
            if attempt + 1 < self.attempts:
                self.wait(attempt, asked)
        raise UserError(
            f"the server {problem}, {self.attempts} times in a row",
            where=url,
            remedy="run again later: what was downloaded is kept",
        )

    def json(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Answer as JSON; a transfer that breaks off is repeated.

        Raises
        ------
        UserError
            As :meth:`open`, and if the answer is no JSON object.
        """
        problem = ""
        for attempt in range(self.attempts):
            try:
                with self.open(path, body) as answer:
                    content = answer.read()
                    if answer.announced and len(content) != answer.announced:
                        raise requests.ConnectionError(f"{len(content)} of {answer.announced} bytes came")
                parsed = json.loads(content)
            except TRANSFER_ERRORS as error:
                problem = f"the transfer broke off: {error}"
            except ValueError as error:
                problem = f"the answer is no JSON: {error}"
            else:
                if isinstance(parsed, dict):
                    return parsed
                problem = "the answer is no JSON object"
            if attempt + 1 < self.attempts:
                self.wait(attempt)
        raise UserError(problem, where=f"{self.api}/{path}", remedy="run again later")
