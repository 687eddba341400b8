"""Logging of the scripts: to the rule's log file and to stderr, errors for people, progress bars."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .errors import UserError, of_the_system

FORMAT = "%(asctime)s %(levelname)s %(message)s"


class _Tee:
    """File-like object that writes to several streams; tqdm's target."""

    def __init__(self, *streams: Any) -> None:
        self.streams = streams

    def write(self, text: str) -> int:
        for stream in self.streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        for stream in self.streams:
            stream.flush()


_progress_stream: Any = sys.stderr
_quiet = False


@contextmanager
def quiet(silent: bool = True) -> Iterator[None]:
    """No progress bars within the block, if `silent`."""
    global _quiet
    before, _quiet = _quiet, silent or _quiet
    try:
        yield
    finally:
        _quiet = before


def configure(log_file: str | Path | None = None) -> None:
    """Send log records, progress and uncaught errors to stderr and to `log_file`.

    An uncaught :class:`UserError` is printed as its message alone and ends the process with exit status 1; anything
    else keeps its traceback, which also goes to the log file.
    """
    global _progress_stream
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if log_file:
        Path(log_file).parent.mkdir(parents=True, exist_ok=True)
        file_handler = logging.FileHandler(log_file, mode="w")
        handlers.append(file_handler)
        _progress_stream = _Tee(sys.stderr, file_handler.stream)
    logging.basicConfig(level=logging.INFO, format=FORMAT, handlers=handlers, force=True)
    logging.captureWarnings(True)
    logging.getLogger("anndata").setLevel(logging.WARNING)  # "storing ... as categorical", for each column of each file

    def excepthook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        error = of_the_system(error) or error
        if isinstance(error, UserError):
            logging.error("\n%s", error)
        else:
            logging.critical("uncaught %s", kind.__name__, exc_info=(kind, error, trace))

    sys.excepthook = excepthook


def progress(items: Iterable[Any] | None = None, **options: Any) -> tqdm:
    """A tqdm bar on stderr and in the rule's log, redrawn at most every two seconds."""
    return tqdm(
        items, file=_progress_stream, mininterval=2.0, dynamic_ncols=False, ncols=100, disable=_quiet, **options
    )
