"""Feed the readers random and damaged files: no traceback, no hang, nothing half-written, and no wrong value.

Usage: python tools/fuzz_readers.py [--inputs 21000] [--readers delimited gct ...] [--seed 1]

Each input is a small dataset in one format, written in one of the ways that people write it (separators at line ends,
encodings, compressions, comments, quotes), and then damaged or not. A reader refuses it with an error for people, or
its values are those of an independent reading: pandas, scipy.io, anndata or Python's csv.
"""

from __future__ import annotations

import argparse
import bz2
import csv
import functools
import gzip
import io
import itertools
import logging
import lzma
import random
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from scipy import io as scipy_io
from scipy import sparse

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow/scripts"), str(ROOT / "tools")]

from pseudocohort import configuration, study
from pseudocohort.core.errors import UserError
from pseudocohort.ingest.dataset import ingest_to_file
from pseudocohort.ingest.delimited import MISSING, open_delimited
from pseudocohort.ingest.gct import open_gct
from pseudocohort.ingest.h5ad import H5adRows
from pseudocohort.ingest.matrix import read_all
from pseudocohort.ingest.samples import read_samples
from pseudocohort.ingest.tenx import TenxEntries
from pseudocohort.ingest.tenx_hdf5 import TenxHdf5
from pseudocohort.prepare.cell_lines import read_line_names

#: Seconds after which an input is called a hang: of computing, so that a busy machine is none, and of waiting.
HANG, WAIT = 60, 1200
TOKENS = [
    b"\t", b",", b"\n", b"\r", b"\r\n", b'"', b'""', b"#", b" ", b"\0", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b"NA",
    b"-", b"nan", b"1e999", b"-inf", b"0x1", b"1_0", b"3.5", b"1,5", b"%", b";", b":", b"{", b"[", b"&a", b"*a", b"!!",
    b"null",
    b"\xe2\x80\xa8", b"\x1f\x8b", b"PK\x03\x04", b"1e5", b"\xf0\x9f\xa7\xac", b"'", b"=", b"@x:(", b"..", b"/",
]  # fmt: skip
SCHEMAS = ROOT / "workflow/schemas"


class Wrong(AssertionError):
    """A reader accepted a file and gave other values than an independent reading."""


@contextmanager
def no_hang() -> Iterator[None]:
    """Raise after :data:`HANG` seconds of computing or :data:`WAIT` in all."""

    def stop(*_: object) -> None:
        raise Wrong(f"an input takes more than {HANG} s of computing, or {WAIT} s")

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, HANG), signal.SIGALRM: (signal.ITIMER_REAL, WAIT)}
    before = {name: signal.signal(name, stop) for name in timers}
    for timer, seconds in timers.values():
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for name, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(name, before[name])


def damaged(raw: bytes, rng: random.Random) -> bytes:
    """Bytes with some cut, doubled, changed or inserted."""
    for _ in range(rng.choice([0, 0, 1, 1, 2, 4])):
        at = rng.randrange(len(raw) + 1)
        end = min(at + rng.choice([1, 1, 3, 20]), len(raw))
        match rng.randrange(6):
            case 0:
                raw = raw[:at] + raw[end:]
            case 1:
                raw = raw[:end] + raw[at:end] + raw[end:]
            case 2 if raw:
                at = min(at, len(raw) - 1)
                raw = raw[:at] + bytes([rng.randrange(256)]) + raw[at + 1 :]
            case 3:
                raw = raw[:at]
            case 4:
                lines = raw.split(b"\n")
                rng.shuffle(lines)
                raw = b"\n".join(lines) if rng.random() < 0.2 else raw
            case _:
                raw = raw[:at] + rng.choice(TOKENS) + raw[at:]
    return raw


def packed(raw: bytes, rng: random.Random) -> bytes:
    """Bytes in one of the compressions, sometimes in two, sometimes cut."""
    layers = rng.choice([0, 0, 0, 1, 1, 2])
    for _ in range(layers):
        raw = rng.choice([lambda b: gzip.compress(b, 1), gzip.compress, bz2.compress])(raw)
        raw = lzma.compress(raw, preset=0) if rng.random() < 0.05 else raw
    return raw[: rng.randrange(1, len(raw) + 1)] if layers and rng.random() < 0.05 else raw


def encoded(text: str, rng: random.Random) -> bytes:
    """Text in one of the encodings and with one of the line ends."""
    text = text.replace("\n", rng.choice(["\n", "\n", "\n", "\r\n", "\r"]))
    encoding = rng.choice(["utf-8"] * 5 + ["utf-8-sig", "utf-16", "latin-1", "utf-16-le"])
    return text.encode(encoding, "replace")


def number(rng: random.Random) -> str:
    """A number as files spell it."""
    return rng.choice(
        [str(rng.randrange(0, 300)), f"{rng.random() * 1000:.4g}", f"{rng.gauss(0, 9):.6f}", "0", f"{rng.random():.3e}"]
    )


def names(rng: random.Random, prefix: str, count: int) -> list[str]:
    """Ids of some kind."""
    style = rng.choice(["{}{}", "{}-{}", "{} {}", "TCGA-{}-{}", "{}é{}"])
    return [style.format(prefix, i) for i in range(count)]


def table_text(rng: random.Random, header: list[str], rows: list[list[str]], separator: str) -> str:
    """A delimited table with or without comments, the name of its first column, quotes and separators at line ends."""
    head = header if rng.random() < 0.7 else header[1:]
    quote = rng.random() < 0.2
    line = lambda cells: separator.join(f'"{c}"' if quote and c else c for c in cells)  # noqa: E731
    ends = rng.choice(["", "", "", "all", "data", "some"])
    out = ["# made by a program"] * rng.choice([0, 0, 0, 1]) + ["##  two"] * rng.choice([0, 0, 0, 1])
    out.append(line(head) + (separator if ends == "all" else ""))
    for cells in rows:
        extra = ends in ("all", "data") or (ends == "some" and rng.random() < 0.5)
        out.append(line(cells) + (separator if extra else ""))
    return "\n".join(out) + rng.choice(["\n", "", "\n\n"])


def unpacked(raw: bytes) -> bytes:
    """Bytes without any layer of compression, by the standard library."""
    while True:
        for magic, undo in (
            (b"\x1f\x8b", gzip.decompress),
            (b"BZh", bz2.decompress),
            (b"\xfd7zXZ\x00", lzma.decompress),
        ):
            if raw.startswith(magic):
                raw = undo(raw)
                break
        else:
            return raw


def text_of(raw: bytes) -> str:
    """Text of bytes as the readers are to understand them; a mark within it has no width."""
    return _decoded(raw).replace("\ufeff", "")


def _decoded(raw: bytes) -> str:
    raw = unpacked(raw)
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if raw.startswith(mark):
            try:
                return raw.decode(encoding, "strict" if encoding == "utf-8-sig" else "replace")
            except UnicodeDecodeError:
                return raw[3:].decode("latin-1")
    if b"\0" in raw:
        big = raw[0::2].count(0) > raw[1::2].count(0)
        return raw.decode("utf-16-be" if big else "utf-16-le", "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def rows_of(text: str, separator: str) -> list[list[str]]:
    """Fields by Python's csv, without blank lines and comments at the top."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    rows = list(csv.reader([line for line in lines if line.strip()], delimiter=separator))
    while rows and rows[0] and (rows[0][0].startswith("##") or rows[0][0].startswith("# ") or rows[0][0] == "#"):
        rows.pop(0)
    return rows


def value_of(cell: str) -> float:
    """A number by Python's float; words for missing ones are NaN."""
    cell = cell.strip().strip('"').strip()
    return np.nan if cell.lower() in MISSING else float(cell)


def odd_quotes(text: str, separator: str) -> bool:
    """Whether a text has quotes that do not enclose a field: what they mean is open."""
    whole = rf'(?m)(?:(?<=^)|(?<={separator}))"[^"\r\n]*"(?={separator}|\r|$)'
    return '"' in re.sub(whole, "", text)


def open_question(text: str, separator: str) -> bool:
    """Whether a text has odd quotes, or a line at its top that may be a comment or a header."""
    lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
    top = itertools.takewhile(lambda line: line.startswith("#"), lines)
    return odd_quotes(text, separator) or any(separator in line for line in top)


def same(ours: np.ndarray, theirs: np.ndarray, what: str) -> None:
    """Refuse any difference beyond the rounding to float32."""
    with np.errstate(over="ignore"):
        theirs = np.asarray(theirs, dtype=np.float64).astype(np.float32)
        ours = np.asarray(ours, dtype=np.float64).astype(np.float32)
    if ours.shape != theirs.shape or not np.array_equal(ours, theirs, equal_nan=True):
        raise Wrong(f"{what}: other values\n{ours}\n{theirs}")


def fuzz_delimited(rng: random.Random, folder: Path) -> str:
    """A matrix of text."""
    n, p, format = rng.randrange(1, 6), rng.randrange(1, 6), rng.choice(["tsv", "csv"])
    separator = "\t" if format == "tsv" else ","
    samples, genes = names(rng, "s", n), names(rng, "G", p)
    text = table_text(rng, ["gene", *samples], [[g, *(number(rng) for _ in samples)] for g in genes], separator)
    path = folder / f"m.{format}"
    path.write_bytes(packed(damaged(encoded(text, rng), rng), rng))
    matrix = read_all(open_delimited(path, format=format, orientation="genes_by_samples", exact=True))
    text = text_of(path.read_bytes())
    if open_question(text, separator):
        return "read, not compared"
    rows = rows_of(text, separator)
    first = next(i for i, row in enumerate(rows) if len(row) > 1)
    body = rows[first + 1 :]
    width = len(matrix.samples)
    if [row[0].strip() for row in body] != list(matrix.genes):
        raise Wrong(f"other genes: {list(matrix.genes)} {[row[0] for row in body]}")
    header = [cell.strip() for cell in rows[first] if cell.strip()]
    if header[-width:] != list(matrix.samples):
        raise Wrong(f"other samples: {list(matrix.samples)} {header}")
    if any(cell.strip() for row in body for cell in row[width + 1 :]):
        raise Wrong("fields were left out")
    same(matrix.x.T, [[value_of(cell) for cell in row[1 : width + 1]] for row in body], "delimited")
    return "read"


def fuzz_pandas(rng: random.Random, folder: Path) -> str:
    """A clean matrix that pandas reads as it is, either way round."""
    n, p, format = rng.randrange(1, 7), rng.randrange(1, 7), rng.choice(["tsv", "csv"])
    frame = pd.DataFrame(
        [[float(number(rng)) for _ in range(p)] for _ in range(n)], index=names(rng, "s", n), columns=names(rng, "G", p)
    )
    turned = rng.random() < 0.5
    path = folder / "m"
    text = (frame.T if turned else frame).to_csv(sep="\t" if format == "tsv" else ",")
    path.write_bytes(packed(text.encode(), rng))
    orientation = "genes_by_samples" if turned else "samples_by_genes"
    matrix = read_all(open_delimited(path, format=format, orientation=orientation, exact=True))
    theirs = pd.read_csv(
        io.StringIO(text), sep="\t" if format == "tsv" else ",", index_col=0, float_precision="round_trip"
    )
    same(matrix.x, (theirs.T if turned else theirs).to_numpy(), "pandas")
    if list(matrix.samples) != list(frame.index) or list(matrix.genes) != list(frame.columns):
        raise Wrong("other ids than pandas'")
    return "read"


def fuzz_gct(rng: random.Random, folder: Path) -> str:
    """GCT 1.2 and 1.3."""
    n, p = rng.randrange(1, 5), rng.randrange(1, 5)
    samples, genes = names(rng, "s", n), names(rng, "G", p)
    values = [[number(rng) for _ in samples] for _ in genes]
    end = rng.choice(["", "", "\t", "\t\t"])
    if rng.random() < 0.6:
        lead = ["id"] if rng.random() < 0.3 else []
        head = [*lead, rng.choice(["Name", "NAME"]), rng.choice(["Description", "DESCRIPTION"]), *samples]
        lines = [f"#1.2{end}", f"{p}\t{n}{end}", "\t".join(head)]
        lines += [
            "\t".join([*(str(j) for _ in lead), g, f"d{j}", *v])
            for j, (g, v) in enumerate(zip(genes, values, strict=True))
        ]
        skip = len(lead)
    else:
        lines = ["#1.3", f"{p}\t{n}\t1\t1", "\t".join(["id", "desc", *samples]), "\t".join(["kind", "na", *("x" * n)])]
        lines += ["\t".join([g, f"d{j}", *v]) for j, (g, v) in enumerate(zip(genes, values, strict=True))]
        skip = 0
    path = folder / "m.gct"
    path.write_bytes(packed(damaged(encoded("\n".join(lines) + "\n", rng), rng), rng))
    matrix = read_all(open_gct(path, exact=True))
    text = text_of(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
    if odd_quotes(text, "\t"):
        return "read, not compared"
    body = [line.split("\t") for line in text.split("\n") if line.strip()]
    body = [[cell.strip().strip('"') for cell in row] for row in body[4 if body[0][0].startswith("#1.3") else 3 :]]
    skip = 0 if text.startswith("#1.3") else skip
    lead = skip + 2
    if [row[skip] for row in body] != list(matrix.genes):
        raise Wrong(f"other genes: {list(matrix.genes)} {[row[skip] for row in body]}")
    same(matrix.x.T, [[value_of(cell) for cell in row[lead : lead + len(matrix.samples)]] for row in body], "gct")
    return "read"


def fuzz_tenx(rng: random.Random, folder: Path) -> str:
    """A 10x folder."""
    n, p = rng.randrange(1, 6), rng.randrange(1, 6)
    dense = np.array([[rng.choice([0, 0, 1, 5]) for _ in range(p)] for _ in range(n)])
    turned = rng.random() < 0.3
    matrix = dense if turned else dense.T
    entries = [
        (i + 1, j + 1, int(matrix[i, j]))
        for j in range(matrix.shape[1])
        for i in range(matrix.shape[0])
        if matrix[i, j]
    ]
    if rng.random() < 0.2:
        rng.shuffle(entries)
    blank, kind = rng.choice([" ", " ", "\t", "  "]), rng.choice(["integer", "real"])
    head = f"%%MatrixMarket matrix coordinate {kind} general\n%\n{matrix.shape[0]} {matrix.shape[1]} {len(entries)}\n"
    text = head + "".join(blank.join(map(str, e)) + rng.choice(["\n", "\n", " \n"]) for e in entries)
    types = [rng.choice(["Gene Expression"] * 4 + ["Antibody Capture"]) for _ in range(p)]
    features = "".join(f"ENSG{j:011d}\tG{j}\t{types[j]}\n" for j in range(p))
    barcodes = "".join(f"AAAC{i}-1\n" for i in range(n))
    for name, content in (("matrix.mtx", text), ("features.tsv", features), ("barcodes.tsv", barcodes)):
        raw = content.encode()
        raw = damaged(raw, rng) if rng.random() < 0.4 else raw
        (folder / name).write_bytes(packed(raw, rng))
    orientation = "samples_by_genes" if turned else "genes_by_samples"
    ours = read_all(TenxEntries(folder, orientation=orientation, exact=True))
    plain = unpacked((folder / "matrix.mtx").read_bytes()).decode("utf-8", "replace")
    try:
        theirs = scipy_io.mmread(io.StringIO(plain.replace("\t", " "))).toarray()
    except (ValueError, OverflowError):
        lines = [line.split() for line in plain.split("\n") if line.strip() and not line.startswith("%")]
        theirs = np.zeros((int(lines[0][0]), int(lines[0][1])))
        for row, column, value in lines[1:]:
            theirs[int(float(row)) - 1, int(float(column)) - 1] += float(value)
    listed = (
        text_of((folder / "features.tsv").read_bytes())
        .replace("\r\n", "\n")
        .replace("\r", "\n")
        .rstrip("\n \t")
        .split("\n")
    )
    kinds = [[*line.split("\t"), "", ""][2].strip().strip('"').lower() for line in listed]
    typed = "gene expression" in kinds
    keep = [kind == "gene expression" if typed else kind != "antibody capture" for kind in kinds]
    theirs = theirs if turned else theirs.T
    same(ours.x.toarray(), theirs[:, keep], "tenx")
    return "read"


def hurt(file: h5py.File, rng: random.Random) -> None:
    """Remove, cut or overwrite an element of an open HDF5 file."""
    keys: list[str] = []
    file.visit(keys.append)
    key = rng.choice(keys or ["none"])
    if key not in file:
        return
    values = file[key][...] if isinstance(file[key], h5py.Dataset) else None
    match rng.randrange(3):
        case 0:
            del file[key]
        case 1 if values is not None and values.shape:
            del file[key]
            file[key] = values[: len(values) // 2]
        case 2 if values is not None and values.shape and values.dtype.kind in "iuf":
            file[key][rng.randrange(len(values)) if len(values) else ...] = rng.choice([-1, 0, 99])


def fuzz_tenx_hdf5(rng: random.Random, folder: Path) -> str:
    """Cell Ranger's HDF5 file, elements of which are removed, cut or overwritten."""
    n, p, path = rng.randrange(1, 6), rng.randrange(1, 6), folder / "m.h5"
    dense = np.array([[rng.choice([0, 0, 1, 5]) for _ in range(p)] for _ in range(n)], dtype=rng.choice(["i4", "f4"]))
    x = sparse.csr_matrix(dense)
    types = [rng.choice(["Gene Expression"] * 4 + ["Antibody Capture"]) for _ in range(p)]
    old = rng.random() < 0.3
    with h5py.File(path, "w") as file:
        group = file.create_group(rng.choice(["GRCh38", "mm10"]) if old else "matrix")
        group["data"], group["indices"], group["indptr"], group["shape"] = x.data, x.indices, x.indptr, (p, n)
        group["barcodes"] = np.array([f"AAAC{i}-1" for i in range(n)], "S")
        group["genes" if old else "features/id"] = np.array([f"ENSG{j:011d}" for j in range(p)], "S")
        group["gene_names" if old else "features/name"] = np.array([f"G{j}" for j in range(p)], "S")
        if not old:
            group["features/feature_type"] = np.array(types, "S")
        before = {key: group[key][...] for key in ("data", "indices", "indptr")}
        for _ in range(rng.choice([0, 0, 1, 2])):
            hurt(file, rng)
    if rng.random() < 0.1:
        path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])
    if rng.random() < 0.05:
        path.write_bytes(packed(path.read_bytes(), rng))
    ours = read_all(TenxHdf5(path, exact=True))
    with h5py.File(path, "r") as file:
        group = next(iter(file.values()))
        now = {key: group[key][...] for key in before}
        kinds = (
            [kind.decode() for kind in group["features/feature_type"][...]] if "features/feature_type" in group else []
        )
    theirs = sparse.csr_matrix(tuple(now.values()), shape=(n, p)).toarray()
    keep = [kind == "Gene Expression" for kind in kinds] if "Gene Expression" in kinds else [True] * p
    same(ours.x.toarray(), theirs[:, keep], "tenx_hdf5")
    return "read"


def fuzz_series(rng: random.Random, folder: Path) -> str:
    """The samples of a series matrix of GEO."""
    n, path = rng.randrange(1, 6), folder / "series.txt"
    titles = [rng.choice(["a", "é, b", "", "1001", "x: y"]) + str(i) for i in range(n)]
    tissues = [rng.choice(["breast", "lung", "T: cell", "NA"]) for _ in range(n)]
    lines = [
        ["!Sample_title", *titles], ["!Sample_geo_accession", *(f"GSM{i}" for i in range(n))],
        ["!Sample_characteristics_ch1", *(f"tissue: {t}" for t in tissues)],
    ]  # fmt: skip
    text = '!Series_title\t"A study"\n\n' + "".join(
        "\t".join([name, *(f'"{cell}"' for cell in cells)]) + rng.choice(["\n", "\r\n"]) for name, *cells in lines
    )
    raw = encoded(text + '!series_matrix_table_begin\n"ID_REF"\n!series_matrix_table_end\n', rng)
    hurt_text = damaged(raw, rng) if rng.random() < 0.6 else raw
    path.write_bytes(packed(hurt_text, rng))
    table = read_samples(path)
    if hurt_text != raw:
        return "read, not compared"
    if table[["title", "tissue"]].to_numpy().tolist() != [list(pair) for pair in zip(titles, tissues, strict=True)]:
        raise Wrong(f"other samples: {table.to_numpy().tolist()}")
    return "read"


@functools.cache
def _h5ad_file(number: int) -> bytes:
    rng = random.Random(number)
    n, p = rng.randrange(1, 6), rng.randrange(1, 6)
    dense = np.array(
        [[rng.choice([0, 0, 1.5, 7]) for _ in range(p)] for _ in range(n)], dtype=rng.choice(["f4", "f8", "i8"])
    )
    x = rng.choice([np.asarray, sparse.csr_matrix, sparse.csc_matrix])(dense)
    columns: dict[str, Any] = {
        "line": pd.Categorical([rng.choice(["a", "b", None]) for _ in range(n)]),
        "age": pd.array([rng.choice([1, 2, None]) for _ in range(n)], dtype="Int64"),
        "ok": pd.array([rng.choice([True, False, None]) for _ in range(n)], dtype="boolean"),
    }
    obs = pd.DataFrame(columns, index=names(rng, "c", n))
    data = ad.AnnData(x, obs=obs, var=pd.DataFrame({"symbol": names(rng, "S", p)}, index=names(rng, "G", p)))
    data.layers["counts"] = sparse.csr_matrix(dense + 1)
    with tempfile.TemporaryDirectory() as folder:
        data.write_h5ad(Path(folder) / "m.h5ad")
        return (Path(folder) / "m.h5ad").read_bytes()


def fuzz_h5ad(rng: random.Random, folder: Path) -> str:
    """An AnnData file, elements of which are removed, renamed, reshaped or cut."""
    path, layer = folder / "m.h5ad", rng.choice(["X", "X", "X", "counts", "raw", "nothing"])
    path.write_bytes(_h5ad_file(rng.randrange(40)))
    with h5py.File(path, "r+") as file:
        keys: list[str] = []
        file.visit(keys.append)
        for _ in range(rng.choice([0, 0, 1, 1, 2])):
            key = rng.choice(keys)
            if key not in file:
                continue
            match rng.randrange(5):
                case 0:
                    del file[key]
                case 1:
                    file[key].attrs["encoding-type"] = rng.choice(["future-thing", "csr_matrix", "array", "dataframe"])
                case 2:
                    for name in list(file[key].attrs)[:1]:
                        del file[key].attrs[name]
                case 3 if isinstance(file[key], h5py.Dataset) and file[key].shape:
                    values = file[key][...]
                    del file[key]
                    file[key] = values[: len(values) // 2]
                case 4 if isinstance(file[key], h5py.Dataset) and file[key].shape and file[key].dtype.kind in "iuf":
                    file[key][...] = rng.choice([-1, 0, 99])
    if rng.random() < 0.1:
        raw = path.read_bytes()
        path.write_bytes(raw[: rng.randrange(len(raw))])
    if rng.random() < 0.05:
        path.write_bytes(packed(path.read_bytes(), rng))
    ours = read_all(H5adRows(path, exact=True, layer=layer))
    with h5py.File(path, "r") as file:
        element = file[{"X": "X", "raw": "raw/X"}.get(layer, f"layers/{layer}")]
        if isinstance(element, h5py.Group):
            shape = tuple(element.attrs.get("shape", element.attrs.get("h5sparse_shape")))
            parts = tuple(element[name][...] for name in ("data", "indices", "indptr"))
            made = sparse.csc_matrix if "csc" in str(element.attrs.get("encoding-type")) else sparse.csr_matrix
            theirs = made(parts, shape=shape).toarray()
        else:
            theirs = element[...]
    same(ours.x.toarray() if sparse.issparse(ours.x) else ours.x, theirs, "h5ad")
    for words in ours.obs.to_numpy().ravel():
        if words in ("<NA>", "nan", "NaN", "None", "NaT"):
            raise Wrong(f"{words!r} stands for a missing value")
    return "read"


def fuzz_samples(rng: random.Random, folder: Path) -> str:
    """A sample table."""
    n, separator = rng.randrange(1, 6), rng.choice("\t,")
    header = ["sample", "patient", "type"]
    words = ["LumA", "Basal", "NA", "", "[Not Available]", "a, b", "x\ty", "1001", "é"]
    words = [w for w in words if separator not in w]
    rows = [[s, f"p{i}", rng.choice(words)] for i, s in enumerate(names(rng, "s", n))]
    path = folder / ("s.csv" if separator == "," else "s.tsv")
    path.write_bytes(packed(damaged(encoded(table_text(rng, header, rows, separator), rng), rng), rng))
    table = read_samples(path)
    text = text_of(path.read_bytes())
    if open_question(text, separator):
        return "read, not compared"
    body = rows_of(text, separator)
    first = next(i for i, row in enumerate(body) if len(row) > 1)
    theirs = [[cell.strip() for cell in row] for row in body[first + 1 :] if any(cell.strip() for cell in row)]
    width = table.shape[1]
    theirs = [(row + [""] * width)[:width] for row in theirs]
    if table.to_numpy().tolist() != theirs:
        raise Wrong(f"other cells: {table.to_numpy().tolist()} {theirs}")
    return "read"


ROW = {
    "dataset": "x", "kind": "bulk", "format": "tsv", "orientation": "genes_by_samples", "source": "m.tsv",
    "samples": "s.tsv", "gene_ids": "symbol", "unit": "tpm", "log_offset": "", "sample_column": "sample",
    "donor_column": "patient", "condition_column": "type", "technology": "bulk", "aggregation": "bulk",
    "context": "tumour", "citation": "Müller et al., 2020",
}  # fmt: skip


def fuzz_sheet(rng: random.Random, folder: Path) -> str:
    """A dataset sheet."""
    header = list(ROW)
    rows = [[*ROW.values()], ["y", *list(ROW.values())[1:]]]
    path = folder / "sheet.tsv"
    text = table_text(random.Random(rng.choice([3, 5, 8])), header, rows, "\t")
    path.write_bytes(damaged(encoded(text, rng), rng))
    chosen = study.read_datasets({"datasets_sheet": str(path), "datasets": ["x"]}, SCHEMAS / "datasets.schema.yaml")
    if chosen["x"]["dataset"] != "x":
        raise Wrong("another row")
    return "read"


def fuzz_study(rng: random.Random, folder: Path) -> str:
    """A study file."""
    source = rng.choice(sorted((ROOT / "config").glob("*.yaml")))
    path = folder / "study.yaml"
    path.write_bytes(damaged(encoded(source.read_text(), rng), rng))
    content = study.read_study(path)
    if content != (yaml.safe_load(text_of(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")) or {}):
        raise Wrong("other keys than PyYAML's")
    configuration.validate_configuration(configuration.complete(content, SCHEMAS), SCHEMAS)
    return "read"


def fuzz_aliases(rng: random.Random, folder: Path) -> str:
    """A table of cell lines."""
    rows = [[f"LINE{i}", rng.choice(["L-1", "a;b", "", "é", "a, b"])] for i in range(rng.randrange(1, 5))]
    text = "name,aliases\n" + "".join(f'{a},"{b}"\n' for a, b in rows)
    path = folder / "aliases.csv"
    path.write_bytes(packed(damaged(encoded(text, rng), rng), rng))
    read_line_names(path)
    return "read"


def fuzz_ingest(rng: random.Random, folder: Path) -> str:
    """A dataset from its files to the ingested profiles."""
    n, p = rng.randrange(2, 7), rng.randrange(1, 6)
    samples = names(rng, "s", n)
    matrix = table_text(
        rng, ["gene", *samples], [[g, *(str(rng.randrange(99)) for _ in samples)] for g in names(rng, "G", p)], "\t"
    )
    words = ["A", "A", "B", "0", "NA", "+", "<NA>", "None", "肿瘤", "é b"]
    table = "sample\tpatient\ttype\n" + "".join(
        f"{s}\t{1000 + i}\t{rng.choice(words)}\n" for i, s in enumerate(samples)
    )
    (folder / "m.tsv").write_bytes(packed(damaged(encoded(matrix, rng), rng), rng))
    (folder / "s.tsv").write_bytes(damaged(encoded(table, rng), rng))
    row = {key: value for key, value in ROW.items() if value}
    row |= {
        "source": str(folder / "m.tsv"),
        "samples": str(folder / "s.tsv"),
        "unit": rng.choice(["counts", "tpm", "rsem"]),
    }
    if rng.random() < 0.3:
        row["missing"] = rng.choice(["drop_gene", "zero"])
    out = folder / "out.h5ad"
    conditions = {"min_donors": 1, "map": rng.choice([{}, {0: "zero"}, {True: "yes"}, {"+": "plus"}])}
    try:
        ingest_to_file(row, out, conditions=conditions)
    except UserError:
        if out.exists():
            raise Wrong("a refused dataset left a file") from None
        raise
    finally:
        if [path for path in folder.iterdir() if ".tmp" in path.name]:
            raise Wrong("something half-written is left")
    profiles = ad.read_h5ad(out)
    if set(profiles.obs["condition"].astype(str)) & {"NA", "nan", "None", ""}:
        raise Wrong("a missing label became a condition")
    return "read"


READERS: dict[str, Callable[[random.Random, Path], str]] = {
    "delimited": fuzz_delimited, "pandas": fuzz_pandas, "gct": fuzz_gct, "tenx": fuzz_tenx,
    "tenx_hdf5": fuzz_tenx_hdf5, "h5ad": fuzz_h5ad, "samples": fuzz_samples, "series": fuzz_series,
    "sheet": fuzz_sheet, "study": fuzz_study, "aliases": fuzz_aliases, "ingest": fuzz_ingest,
}  # fmt: skip
#: How often each is fed: the quick ones more.
SHARES = {
    "delimited": 6, "pandas": 2, "gct": 3, "tenx": 2, "tenx_hdf5": 1, "h5ad": 1, "samples": 5, "series": 1, "sheet": 1,
    "study": 1, "aliases": 2, "ingest": 1,
}  # fmt: skip


def run(name: str, inputs: int, seed: int, folder: Path) -> Counter[str]:
    """Feed one reader; how many inputs it read and refused.

    Raises
    ------
    Exception
        Whatever else than a :class:`UserError` an input led to; hypothesis names the number that makes it again.
    """
    outcomes: Counter[str] = Counter()

    @hypothesis_seed(seed)
    @settings(
        max_examples=inputs, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )  # fmt: skip
    @given(st.integers(0, 2**48))
    def feed(number: int) -> None:
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        try:
            with no_hang():
                outcomes[READERS[name](random.Random(number), folder)] += 1
        except UserError as error:
            if not error.what or not error.where or not error.remedy:
                raise Wrong(f"an error without place or remedy: {error}") from error
            outcomes["refused"] += 1

    feed()
    return outcomes


def main() -> None:
    """Print what became of the inputs of each reader."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=21_000, help="in all")
    parser.add_argument("--readers", nargs="+", choices=list(READERS), default=list(READERS))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    whole = sum(SHARES[name] for name in options.readers)
    print("reader\tinputs\toutcomes", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.readers:
            outcomes = run(name, -(-options.inputs * SHARES[name] // whole), options.seed, Path(folder))
            print(f"{name}\t{sum(outcomes.values())}\t{dict(outcomes)}", flush=True)


if __name__ == "__main__":
    main()
