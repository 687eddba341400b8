"""Draw synthetic profiles from a cohort that ``pseudocohort fit`` has stored.

The file is what its name says: h5ad, or a table (TSV, CSV, parquet; .gz) of profiles × genes, whose first columns are
the profile, its condition and, where patients had one, its follow-up.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import anndata as ad
import pandas as pd

from ..core.errors import UserError
from ..core.io import atomic
from ..core.survival import follow_up

EXAMPLE = "pseudocohort sample brca-ddpm LumA=100 Basal=50 --out synthetic.h5ad"
_FORMATS = (".h5ad", ".tsv", ".csv", ".parquet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("cohort", type=Path, help="folder that pseudocohort fit wrote")
    parser.add_argument("wanted", nargs="*", metavar="CONDITION=N", help="profiles of each condition")
    parser.add_argument(
        "--n", type=int, help="number of profiles, with conditions in the proportions of the training profiles"
    )
    parser.add_argument("--out", type=Path, required=True, help=f"file to write: {', '.join(_FORMATS)}")
    parser.add_argument("--level", help="level of the profiles, if the training profiles have several")
    parser.add_argument(
        "--counts", action="store_true", help="integer counts: a layer of an h5ad, or the table's values"
    )
    parser.add_argument("--random-state", type=int, metavar="SEED", help="(default: that of the fit)")


def wanted_of(words: list[str]) -> dict[str, int]:
    """Number of profiles of each condition.

    Raises
    ------
    UserError
        If a word is no ``CONDITION=N``, or a condition is named twice.
    """
    out: dict[str, int] = {}
    for word in words:
        name, _, number = word.rpartition("=")
        if not name or not number.isdecimal() or name in out:
            raise UserError(
                f"{word!r} is not CONDITION=N" if name not in out else f"{name!r} is given twice",
                where="conditions", remedy="e.g. LumA=100 Basal=50",
            )  # fmt: skip
        out[name] = int(number)
    return out


def format_of(path: Path) -> str:
    """What a file is to be, by the end of its name; tables of text may be packed."""
    packed = path.suffix == ".gz" and Path(path.stem).suffix in (".tsv", ".csv")
    suffix = Path(path.stem).suffix if packed else path.suffix
    if suffix not in _FORMATS:
        raise UserError(
            f"unknown kind of file {suffix!r}",
            where="--out",
            remedy=f"one of: {', '.join(_FORMATS)}, .tsv.gz, .csv.gz",
        )
    return suffix


def write(profiles: ad.AnnData, path: Path, annotation: Sequence[str], *, counts: bool) -> None:
    """Write profiles in one rename, in the format of the file's name; a table begins with `annotation`."""
    suffix = format_of(path)
    with atomic(path) as temporary:
        if suffix == ".h5ad":
            profiles.write_h5ad(temporary, compression="gzip")
            return
        table = profiles.to_df(layer="counts" if counts else None)
        table = pd.concat([profiles.obs[list(annotation)], table], axis=1)
        if suffix == ".parquet":
            table.to_parquet(temporary)
        else:
            packed = "gzip" if path.suffix == ".gz" else None
            table.to_csv(temporary, sep="," if suffix == ".csv" else "\t", index_label="profile", compression=packed)


def run(options: argparse.Namespace) -> None:
    """Load, sample, write."""
    from ..api.cohort import load

    format_of(options.out)
    if options.wanted and options.n is not None:
        raise UserError("both --n and conditions are given", where="arguments", remedy="give one of them")
    wanted = wanted_of(options.wanted) if options.wanted else options.n
    cohort = load(options.cohort)
    made = cohort.sample(
        wanted, level=options.level, counts=options.counts, random_state=options.random_state,
    )  # fmt: skip
    annotation = [cohort.about["condition"], *(follow_up(cohort.about["covariates"]) or ())]
    write(made, options.out, annotation, counts=options.counts)
    print(f"{made.n_obs} profiles x {made.n_vars} genes\n{options.out}")
