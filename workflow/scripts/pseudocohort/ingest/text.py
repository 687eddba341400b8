"""The one opener of input files: it looks at the bytes, not at the name, and says what a file is that cannot be read.

Gzip (also twice), bzip2 and xz are undone as the file is read; gzip by ISA-L, which takes a third of zlib's time. Text
is UTF-8, UTF-16, UTF-32 or latin-1; lines end with LF, CR LF or CR.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import os
import re
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from isal import igzip, isal_zlib

from ..core.errors import UserError

#: Bytes of text that are read at a time.
PIECE = 1 << 24
#: Bytes that are looked at to tell what a file is.
HEAD = 1 << 20
#: What is undone on the way, by its first bytes.
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_OPENERS = {"gzip": igzip.open, "bzip2": bz2.open, "xz": lzma.open}
DEEPEST = 4
HDF5 = b"\x89HDF\r\n\x1a\n"
_RDA = (
    'library(data.table); e <- new.env(); load("FILE", e)\n'
    '          fwrite(as.data.frame(as.matrix(e[[ls(e)[1]]])), "matrix.tsv", sep = "\\t", row.names = TRUE)'
)
_RDS = (
    'x <- readRDS("FILE")   # a matrix or data frame; of a SummarizedExperiment take assay(x)\n'
    '          write.table(as.matrix(x), gzfile("matrix.tsv.gz"), sep = "\\t", quote = FALSE, col.names = NA)'
)
_RDA_STARTS = (b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n")
_RDS_STARTS = (b"X\n\x00\x00\x00", b"B\n\x02\x00\x00\x00", b"B\n\x03\x00\x00\x00", b"A\n2\n", b"A\n3\n")
#: What else files turn out to be, by their first bytes: name and remedy.
KINDS = (
    (b"\x28\xb5\x2f\xfd", "zstd-compressed", "unpack it first: unzstd FILE"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it, and give the file inside"),
    (b"Rar!", "a RAR archive", "unpack it, and give the file inside"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (xls)", "save the sheet as tab-separated text (UTF-8)"),
    (b"%PDF", "a PDF document", "give the table itself"),
    (b"PAR1", "a Parquet table", "write it as text: pandas.read_parquet(FILE).to_csv('matrix.tsv', sep='\\t')"),
    ((b"ARROW1", b"FEA1"), "a Feather table", "write it as text: pandas.read_feather(FILE)"),
    (b"\x93NUMPY", "a NumPy array", "write it as text with the ids of genes and samples"),
    (b"MATLAB 5.0", "a MATLAB file", "write the matrix as text with the ids of genes and samples"),
    (b"\x80\x04\x95", "a Python pickle", "pickles run code and are not read; write the table as text"),
    (_RDA_STARTS, "an R workspace (rda, RData)", f"write the table as text, in R:\n          {_RDA}"),
    (_RDS_STARTS, "an R object (rds)", f"write the table as text, in R:\n          {_RDS}"),
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the file", "fetch the file: git lfs pull"),
    (b"/annex/objects/", "a git-annex pointer, not the file", "fetch the file: git annex get FILE"),
)  # fmt: skip
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip


@dataclass(frozen=True)
class Content:
    """What a file is.

    Attributes
    ----------
    path : Path
        The file.
    layers : tuple of str
        Compressions from the outside in.
    head : bytes
        First bytes of what is inside.
    kind, remedy : str
        What it is if it is no text, and what to do; empty for text.
    encoding : str
        Of text.
    bom : int
        Bytes of a byte-order mark.
    cr : bool
        Whether some lines end with CR alone (old Mac, some exports of Excel).
    """

    path: Path
    layers: tuple[str, ...]
    head: bytes
    kind: str = ""
    remedy: str = ""
    encoding: str = "utf-8"
    bom: int = 0
    cr: bool = False

    @property
    def recoded(self) -> bool:
        """Whether the bytes are turned into UTF-8 with LF before they are parsed."""
        return self.cr or self.encoding.startswith(("utf-16", "utf-32"))

    def refusal(self, expected: str) -> UserError:
        """The error that says what the file is where `expected` was."""
        packed = "".join(f"{layer}-compressed, and inside it is " for layer in self.layers)
        return UserError(
            f"this is {packed}{self.kind}, not {expected}",
            where=str(self.path),
            remedy=self.remedy.replace("FILE", self.path.name),
        )


def check_file(path: Path) -> None:
    """Refuse a file that is missing, empty or cannot be read."""
    try:
        there, folder = path.is_file(), path.is_dir()
    except OSError as error:
        raise UserError(f"no such file: {error.strerror}", where=str(path), remedy="check the path") from error
    if folder:
        raise UserError("this is a folder, not a file", where=str(path), remedy="give the path of the file in it")
    if not there:
        raise UserError(
            "file not found",
            where=str(path.absolute()),
            remedy="check the path in the dataset sheet and data_root; relative paths begin in the folder of the run",
        )
    if not os.access(path, os.R_OK):
        raise UserError("the file cannot be read", where=str(path), remedy="correct its permissions")
    if path.stat().st_size == 0:
        raise UserError("the file is empty", where=str(path), remedy="fetch it again")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn the errors of a broken stream into one for people."""
    try:
        yield
    except (EOFError, zlib.error, isal_zlib.error, lzma.LZMAError, OSError) as error:
        # bz2 raises a bare OSError for bad data; those of the system have a number.
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile) and error.errno is not None:
            raise
        raise UserError(
            f"the compressed stream is truncated or corrupt ({error})",
            where=str(path),
            remedy="fetch the file again",
        ) from error


def _open_layers(path: Path, layers: tuple[str, ...]) -> IO[bytes]:
    file: Any = path
    for layer in layers:
        file = _OPENERS[layer](file, "rb")
    return file if layers else path.open("rb")


def look_at(path: str | Path) -> Content:
    """What a file is, by its first bytes.

    Raises
    ------
    UserError
        If it is missing or empty, or its compression is broken.
    """
    path = Path(path)
    check_file(path)
    layers: tuple[str, ...] = ()
    while True:
        with readable(path), _open_layers(path, layers) as file:
            head = file.read(HEAD)
        layer = next((name for magic, name in PACKED.items() if head.startswith(magic)), "")
        if not layer or len(layers) == DEEPEST:
            break
        layers += (layer,)
    kind, remedy = _kind(head)
    return Content(path, layers, head, kind, remedy) if kind else _text(path, layers, head)


def _kind(head: bytes) -> tuple[str, str]:
    if not head:
        return "an empty file", "fetch it again"
    for magic, kind, remedy in KINDS:
        if head.startswith(magic):
            return kind, remedy
    if head.startswith(tuple(PACKED)):
        return "compressed once more", "unpack it"
    if head.startswith(HDF5):
        return "an HDF5 file", "declare format h5ad if it is an AnnData file"
    if head.startswith(b"PK"):
        if b"[Content_Types].xml" in head or b"xl/" in head:
            return "an Excel workbook (xlsx)", "save the sheet as tab-separated text (UTF-8)"
        if head[2:4] in (b"\x03\x04", b"\x05\x06", b"\x07\x08"):
            return "a zip archive", "unpack it (unzip FILE), and give the file inside"
    if head[257:262] == b"ustar":
        return "a tar archive", "unpack it (tar -xf FILE), and give the file inside"
    start = head[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<script", b"<!--", b"<body")):
        return "an HTML page", "the address gave a page (a login, a licence, an error), not the file; fetch it again"
    if start.startswith((b"<?xml", b"<error>")):
        return "an XML document", "the address gave a message, not the file; fetch it again"
    if start.startswith((b'{"', b"{\n", b"{ ")):
        return "JSON", "the address gave an answer of a server, not the file; fetch it again"
    return "", ""


def _text(path: Path, layers: tuple[str, ...], head: bytes) -> Content:
    bom, encoding = next(((len(mark), name) for mark, name in _BOMS if head.startswith(mark)), (0, "utf-8"))
    if not bom and b"\0" in head:
        even, odd, many = head[0::2].count(0), head[1::2].count(0), 0.2 * len(head)
        if (even and odd) or max(even, odd) <= many:
            return Content(path, layers, head, "a binary file (it holds NUL bytes)", "give the table as text")
        encoding = "utf-16-be" if even else "utf-16-le"
    if encoding == "utf-8":
        encoding = _eight_bit(head[bom:])
    return Content(path, layers, head, encoding=encoding, bom=bom, cr=_carriage(head, encoding))


def _carriage(head: bytes, encoding: str) -> bool:
    wide = {"utf-16-le": (b"\r\0", b"\n\0"), "utf-16-be": (b"\0\r", b"\0\n")}
    cr, lf = wide.get(encoding, (b"\r", b"\n"))
    # The pair may be cut at the end of what was looked at.
    return head.count(cr) - head.endswith(cr) * (len(head) >= HEAD) > head.count(cr + lf)


def _eight_bit(head: bytes) -> str:
    """``utf-8``, or ``latin-1`` when the bytes are not valid UTF-8 (UCSC Xena's phenotype tables)."""
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A multi-byte character may be cut at the end of the piece read.
        return "utf-8" if len(head) >= HEAD - 3 and error.start > len(head) - 4 else "latin-1"
    return "utf-8"


def look_at_text(path: str | Path, expected: str = "a table of text") -> Content:
    """What a file of text is.

    Raises
    ------
    UserError
        If it is missing, empty, broken, or something else than text.
    """
    content = look_at(path)
    if content.kind:
        raise content.refusal(expected)
    return content


def _wrapped(file: IO[bytes], content: Content) -> io.TextIOWrapper:
    file.read(content.bom)
    return io.TextIOWrapper(file, encoding=content.encoding, errors="replace", newline=None)


@contextmanager
def open_text(path: str | Path) -> Iterator[IO[str]]:
    """Text of a file, decompressed and decoded, with LF line ends.

    Raises
    ------
    UserError
        If the file is missing, empty, no text, or its compressed stream is truncated or corrupt.
    """
    content = look_at_text(path)
    with readable(content.path), _open_layers(content.path, content.layers) as file:
        yield _wrapped(file, content)


def read_text(path: str | Path, expected: str = "a table of text") -> str:
    """The whole text of a file, with LF line ends."""
    content = look_at_text(path, expected)
    with readable(content.path), _open_layers(content.path, content.layers) as file:
        raw = file.read()[content.bom :]
    text = raw.decode(content.encoding, "replace") if content.encoding[:6] in ("utf-16", "utf-32") else decoded(raw)
    if "\0" in text:
        raise UserError("the file holds NUL bytes", where=str(path), remedy="it is damaged or binary; fetch it again")
    return without_marks(text).replace("\r\n", "\n").replace("\r", "\n")


def without_marks(text: str) -> str:
    """Text without characters that have no width, which copies from web pages and documents bring along."""
    return text if text.isascii() else re.sub("[\u200b\u200e\u200f\u2060\ufeff]", "", text)


def decoded(raw: bytes) -> str:
    """Text of bytes that are UTF-8, else latin-1."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


class _Recoded:
    """A stream of UTF-8 bytes with LF from text in another encoding."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file

    def read(self, size: int) -> bytes:
        return self.file.read(size).encode()

    def readline(self) -> bytes:
        return self.file.readline().encode()


def line_blocks(path: Path, skip: int) -> Iterator[bytes]:
    """Whole lines of a file in pieces of some megabytes, without the first `skip`; the last one ends with a line feed.

    The next piece is read and decompressed in a thread while the caller works on this one.

    Raises
    ------
    UserError
        If the file is no text, or its compressed stream is truncated or corrupt.
    """
    content = look_at_text(path)
    with (
        readable(content.path),
        _open_layers(content.path, content.layers) as packed,
        ThreadPoolExecutor(1) as reader,
    ):
        file = _Recoded(_wrapped(packed, content)) if content.recoded else packed
        if not content.recoded:
            file.read(content.bom)
        for _ in range(skip):
            file.readline()
        rest: list[bytes] = []
        coming = reader.submit(file.read, PIECE)
        while piece := coming.result():
            coming = reader.submit(file.read, PIECE)
            cut = piece.rfind(b"\n") + 1
            if cut:
                yield _lines(b"".join([*rest, piece[:cut]]))
                rest = []
            rest.append(piece[cut:])
        if last := b"".join(rest):
            yield _lines(last + b"\n")


def _lines(piece: bytes) -> bytes:
    """Lines with LF or CR LF: a CR alone ends a line as well."""
    alone = b"\r" in piece and piece.count(b"\r") != piece.count(b"\r\n")
    return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if alone else piece
