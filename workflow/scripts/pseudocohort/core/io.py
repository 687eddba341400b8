"""Reading and writing of the files that stages hand over: checked, and never half-written."""

from __future__ import annotations

import errno
import glob
import gzip
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .contracts import ProfilesContract, check_evaluation, evaluation_columns
from .errors import ContractError, UserError

if TYPE_CHECKING:
    import anndata as ad
    from scipy import sparse


#: Columns that are text even where all their values are numbers.
TEXT = ("donor", "sample_id", "condition", "line")


@contextmanager
def full_disk_said(path: str | Path, kept: str = "nothing half-written is left") -> Iterator[None]:
    """Turn "no space left" (or a quota that is used up) while writing `path` into an error for people.

    Raises
    ------
    UserError
        If the disk is full; says `kept` of what had been written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"the disk is full ({os.strerror(error.errno)}): {kept}",
            where=str(path),
            remedy="free some space, or put the folder on a larger disk (a symbolic link will do), and run again",
        ) from error


@contextmanager
def _unwritable_said(path: Path) -> Iterator[None]:
    """Turn an error of the file system about a path to write into an error for people."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot be written: {os.strerror(error.errno or errno.EIO)}",
            where=str(path),
            remedy="give a path in a folder that you may write to, and where nothing else stands",
        ) from error


def check_writable(path: str | Path) -> None:
    """Make the folder that `path` shall lie in, and see whether one can write there: before long work, not after it."""
    path = Path(path)
    with _unwritable_said(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.name:
            raise IsADirectoryError(errno.EISDIR, "")
        with suppress(FileNotFoundError):
            _temporary(path).lstat()  # a name may be too long
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, "")


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove what killed processes have left of `path`, which may have filled the disk; a living one keeps its own."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        pid = left.name.split(".")[-2]
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            _remove(left)
        except PermissionError:
            pass  # another user's, so it lives


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Temporary path beside `path`, renamed onto it when the block ends well and removed when it does not.

    Raises
    ------
    UserError
        If the disk is full, or `path` cannot be written.
    """
    path = Path(path)
    check_writable(path)
    _sweep(path)
    temporary = _temporary(path)
    try:
        with full_disk_said(path):
            yield temporary
        if temporary.is_dir() and path.is_dir():
            shutil.rmtree(path)
        with _unwritable_said(path):
            temporary.replace(path)
    finally:
        _remove(temporary)


def _anndata() -> ModuleType:
    """anndata, imported late: it is half of the start of a job that reads tables alone."""
    import anndata

    # pandas' nullable strings are written as such only when allowed; plain object columns are what we write.
    anndata.settings.allow_write_nullable_strings = True
    return anndata


def read_profiles(path: str | Path, contract: ProfilesContract, *, backed: bool = False) -> ad.AnnData:
    """Profiles of an h5ad file, checked against `contract`; with `backed`, ``X`` stays in the file.

    Raises
    ------
    ContractError
        If the file is missing, is no h5ad or breaks the contract.
    """
    try:
        profiles = _anndata().read_h5ad(path, backed="r" if backed else None)
    except (OSError, KeyError, ValueError) as error:
        raise ContractError(
            f"cannot be read as h5ad: {error}", where=str(path), remedy="delete the file and run the rule again"
        ) from error
    contract.check(profiles, str(path))
    return profiles


def write_profiles(
    profiles: ad.AnnData, path: str | Path, contract: ProfilesContract, *, compressed: bool = True
) -> None:
    """Check `profiles` against `contract` and write them, gzip-compressed, in one rename.

    Single rows are read fast from a file that is not `compressed`.
    """
    contract.check(profiles, str(path))
    _anndata()
    with atomic(path) as temporary:
        profiles.write_h5ad(temporary, **{"compression": "gzip", "compression_opts": 1} if compressed else {})


def write_blocks(
    blocks: Iterable[np.ndarray | sparse.csr_matrix],
    obs: pd.DataFrame,
    var: pd.DataFrame,
    uns: dict[str, Any],
    path: str | Path,
    contract: ProfilesContract,
    *,
    dense: bool = False,
) -> None:
    """Write profiles that come in blocks of rows, sparse or `dense` ones, checked against `contract`, in one rename."""
    import h5py

    from .blocks import RowWriter, SparseWriter, write_annotation

    contract.check_annotation(_anndata().AnnData(obs=obs, var=var, uns=uns), str(path))
    with atomic(path) as temporary, h5py.File(temporary, "w") as file:
        writer = RowWriter(file, len(obs), len(var)) if dense else SparseWriter(file, len(var))
        for block in blocks:
            contract.check_values(block, str(path))
            writer.add(block)
        writer.close()
        write_annotation(file, obs, var, uns)


def read_table(path: str | Path, columns: tuple[str, ...] = ()) -> pd.DataFrame:
    """Table from TSV (± gz) or parquet, by the file's name; `columns` must be there, and ids stay text."""
    path = Path(path)
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
    else:
        table = pd.read_csv(path, sep="\t", low_memory=False, dtype=dict.fromkeys(TEXT, str))
    missing = [c for c in columns if c not in table]
    if missing:
        raise ContractError(f"missing column(s): {', '.join(missing)}", where=str(path))
    return table


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as TSV (± gz) or parquet, by the file's name, in one rename."""
    path = Path(path)
    with atomic(path) as temporary:
        if path.suffix == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            text = table.to_csv(sep="\t", index=False, na_rep="NA").encode()
            # No time stamp and no file name in the header: the same table gives the same bytes.
            temporary.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def evaluation_table(rows: list[dict[str, Any]], *, summary: bool = False) -> pd.DataFrame:
    """Tidy long evaluation table from dictionaries of keys, ``metric`` and ``value``; absent keys become NA.

    Values are numbers: what is true or false is written as 1 or 0, so that its mean is a share.
    """
    columns = evaluation_columns(summary)
    unknown = {name for row in rows for name in row} - set(columns)
    if unknown:
        raise ContractError(f"unknown evaluation key(s): {', '.join(sorted(unknown))}")
    return pd.DataFrame(rows, columns=columns).astype({"value": np.float64})


def write_evaluation(table: pd.DataFrame, path: str | Path, *, summary: bool = False) -> None:
    """Check and write an evaluation table."""
    check_evaluation(table, str(path), summary=summary)
    write_table(table, path)


def write_json(content: Any, path: str | Path) -> None:
    """Write JSON, indented, keys sorted, in one rename."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Content of a JSON file."""
    return json.loads(Path(path).read_text())
