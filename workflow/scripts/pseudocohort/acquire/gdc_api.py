"""Requests to the GDC's API: repeated with growing pauses when it is busy, and never a web page taken for data."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from ..core.errors import UserError
from .fetch import BUSY, CHUNK, TIMEOUT, TRANSFER_ERRORS, is_page, new_session

log = logging.getLogger(__name__)

_MESSAGE = 1 << 12  # bytes of a refusal that are read
_LONGEST_PAUSE = 60.0  # seconds


def _message(response: requests.Response) -> str:
    """What the API says about a refused request, in short; it names the field or the id that it does not know."""
    try:
        said = json.loads(response.raw.read(_MESSAGE))
    except (*TRANSFER_ERRORS, ValueError):
        return ""
    return str(said.get("message") or said.get("error") or "")[:300] if isinstance(said, dict) else ""


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
        self._session = new_session()

    def wait(self, attempt: int, asked: str = "") -> None:
        """Pause before repetition number `attempt` (from 0); `asked` is a ``Retry-After`` in seconds."""
        seconds = self.pause * 2**attempt
        if asked.isdigit():
            seconds = max(seconds, float(asked))
        time.sleep(min(seconds, _LONGEST_PAUSE))

    @contextmanager
    def open(self, path: str, body: dict[str, Any] | None = None) -> Iterator[io.BufferedReader]:
        """Body of the answer to a GET of `path`, or to a POST of `body` as JSON.

        Raises
        ------
        UserError
            If the server stays busy or unreachable, refuses, or sends a web page or nothing.
        """
        with self._answer(f"{self.api}/{path}", body) as response:
            response.raw.auto_close = False  # else it counts as closed as soon as its last byte has come
            content = io.BufferedReader(response.raw, CHUNK)
            start = content.peek(1024)
            if is_page(start):
                raise UserError(
                    "the server sent a web page (HTML) instead of data",
                    where=response.url,
                    remedy="a proxy, a login page or maintenance stands between: open the address in a browser, try "
                    "later",
                )
            if not start:
                raise UserError("the server sent an empty answer", where=response.url, remedy="try again later")
            yield content

    def _answer(self, url: str, body: dict[str, Any] | None) -> requests.Response:
        problem = asked = ""
        for attempt in range(self.attempts):
            if attempt:
                log.info("%s %s; attempt %d of %d", url, problem, attempt + 1, self.attempts)
                self.wait(attempt - 1, asked)
            try:
                response = self._session.request(
                    "GET" if body is None else "POST", url, json=body, stream=True, timeout=TIMEOUT
                )
            except TRANSFER_ERRORS as error:
                problem, asked = f"cannot be reached ({type(error).__name__}: {error})", ""
                continue
            if response.status_code == 200:
                return response
            problem = f"answered {response.status_code} {response.reason}"
            problem += ", without content" if response.status_code == 202 else ""
            asked = response.headers.get("Retry-After", "")
            with response:
                if response.status_code not in BUSY:
                    raise UserError(
                        f"the server {problem}: {_message(response)}".removesuffix(": "),
                        where=url,
                        remedy="check the project's name; a field that the message names may have been renamed at the "
                        "GDC; only open-access files can be had without a token",
                    )
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
            if attempt:
                self.wait(attempt - 1)
            try:
                with self.open(path, body) as answer:
                    parsed = json.loads(answer.read())
                if isinstance(parsed, dict):
                    return parsed
                problem = "the answer is no JSON object"
            except TRANSFER_ERRORS as error:
                problem = f"the transfer broke off: {error}"
            except ValueError as error:
                problem = f"the answer is no JSON: {error}"
        raise UserError(problem, where=f"{self.api}/{path}", remedy="run again later")
