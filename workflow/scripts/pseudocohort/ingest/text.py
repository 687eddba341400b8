"""Opening of text files, gzipped or not, with errors that name the file.

Gzip is undone by ISA-L, which takes a third of zlib's time.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from isal import igzip, isal_zlib

from ..core.errors import UserError

GZIP_MAGIC = b"\x1f\x8b"
#: Bytes of text that are read at a time.
PIECE = 1 << 24


def is_gzip(path: Path) -> bool:
    """Whether the file's first bytes are those of gzip, whatever its name."""
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def check_file(path: Path) -> None:
    """Refuse a file that is missing or empty.

    Raises
    ------
    UserError
        Naming it.
    """
    if not path.is_file():
        raise UserError("file not found", where=str(path), remedy="check the path in the dataset sheet and data_root")
    if path.stat().st_size == 0:
        raise UserError("the file is empty", where=str(path), remedy="fetch it again")


@contextmanager
def open_text(path: str | Path) -> Iterator[IO[str]]:
    """Text of a file (UTF-8, else latin-1), decompressed when gzipped.

    Raises
    ------
    UserError
        If the file is missing, empty, or its gzip stream is truncated or corrupt.
    """
    path = Path(path)
    check_file(path)
    packed = is_gzip(path)
    with readable(path), (igzip.open if packed else open)(path, "rt", encoding=encoding_of(path, packed)) as file:
        yield file


def line_blocks(path: Path, skip: int) -> Iterator[bytes]:
    """Whole lines of a file in pieces of some megabytes, without the first `skip`; the last one ends with a line feed.

    The next piece is read and decompressed in a thread while the caller works on this one.

    Raises
    ------
    UserError
        If the gzip stream is truncated or corrupt.
    """
    with readable(path), (igzip.open if is_gzip(path) else open)(path, "rb") as file, ThreadPoolExecutor(1) as reader:
        for _ in range(skip):
            file.readline()
        rest: list[bytes] = []
        coming = reader.submit(file.read, PIECE)
        while piece := coming.result():
            coming = reader.submit(file.read, PIECE)
            cut = piece.rfind(b"\n") + 1
            if cut:
                yield b"".join([*rest, piece[:cut]])
                rest = []
            rest.append(piece[cut:])
        if last := b"".join(rest):
            yield last + b"\n"


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn the errors of a broken gzip stream into one for people."""
    try:
        yield
    except (EOFError, zlib.error, isal_zlib.error, gzip.BadGzipFile) as error:
        raise UserError(
            f"the gzip stream is truncated or corrupt ({error})", where=str(path), remedy="fetch the file again"
        ) from error


def encoding_of(path: Path, packed: bool) -> str:
    """``utf-8``, or ``latin-1`` when the first megabyte is not valid UTF-8 (UCSC Xena's phenotype tables)."""
    with readable(path), (igzip.open if packed else open)(path, "rb") as file:
        head = file.read(1 << 20)
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A multi-byte character may be cut at the end of the piece read.
        return "utf-8" if error.start > len(head) - 4 else "latin-1"
    return "utf-8"
