"""Fit a generator on the profiles of a file, and store it in a folder, from which ``pseudocohort sample`` draws.

Files are read as the workflow reads them: h5ad, GCT, TSV and CSV (plain, gzip, bzip2, xz), 10x folders. The sample
table is a TSV or CSV; an h5ad has one of its own. All genes enter.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from ..core.errors import UserError
from ..core.levels import LEVELS
from ..core.survival import EVENT, TIME
from ..core.words import some
from .project import settings_of

EXAMPLE = (
    "pseudocohort fit expression.tsv.gz --samples samples.tsv --condition pam50 --donor patient \\\n"
    "      --unit counts --generator ddpm --set steps=2000 --out brca-ddpm"
)
_FORMATS = {".gct": "gct", ".h5ad": "h5ad", ".csv": "csv", ".tsv": "tsv", ".txt": "tsv", ".h5": "mtx"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("profiles", type=Path, help="file of profiles, or a 10x folder or .h5")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--generator", required=True, help="see docs/generators")
    parser.add_argument("--condition", required=True, metavar="COLUMN", help="condition of each profile, e.g. subtype")
    parser.add_argument("--samples", metavar="TABLE", help="sample table: TSV or CSV")
    parser.add_argument("--sample-column", metavar="COLUMN", help="ids in the sample table (default: the first column)")
    parser.add_argument("--donor", metavar="COLUMN", help="donor of each profile (default: each its own)")
    parser.add_argument("--level", default="tumour", help=f"{', '.join(LEVELS)}, or a column (default: tumour)")
    parser.add_argument(
        "--covariates", nargs="+", default=[], metavar="COLUMN=KIND", help="numeric or categorical: age=numeric"
    )
    parser.add_argument(
        "--survival", nargs=2, metavar=("TIME", "EVENT"),
        help="columns of the follow-up: times, and whether the event ended them (1 or 0)",
    )  # fmt: skip
    parser.add_argument("--unit", default="log2", help="log2 (of x + 1), counts, tpm, ... (default: log2)")
    parser.add_argument("--log-offset", type=float, help="values are log2(unit + offset)")
    parser.add_argument(
        "--orientation", choices=["genes_by_samples", "samples_by_genes"], default="genes_by_samples",
        help="of text files (default: genes_by_samples)",
    )  # fmt: skip
    parser.add_argument("--layer", default="X", help="layer of an h5ad (default: X)")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="settings of the generator"
    )
    parser.add_argument(
        "--random-state", type=int, default=0, metavar="SEED", help="seed of all random choices (default: 0)"
    )
    parser.add_argument(
        "--device", default="auto", choices=["auto", "cpu", "cuda"], help="where networks are trained (default: auto)"
    )


def read_profiles(options: argparse.Namespace) -> ad.AnnData:
    """Profiles of the file, with their sample table.

    Raises
    ------
    UserError
        If a file cannot be read, or the two do not match.
    """
    from ..api.inputs import ALSO
    from ..ingest.dataset import open_matrix, sample_table
    from ..ingest.matrix import read_all
    from ..prepare.gene_ids import NO_GENES

    suffixes = [s for s in options.profiles.suffixes if s in _FORMATS]
    if not options.profiles.exists():
        raise UserError("file not found", where=str(options.profiles), remedy="give the path of the profiles")
    if not suffixes and not options.profiles.is_dir():
        raise UserError(
            f"unknown kind of file {options.profiles.suffix!r}",
            where=str(options.profiles),
            remedy=f"its name must say what it is: {', '.join(_FORMATS)} (and .gz, .bz2, .xz)",
        )
    row: dict[str, Any] = {
        "dataset": options.profiles.name,
        "source": str(options.profiles),
        "format": _FORMATS[suffixes[-1]] if suffixes else "mtx",
        "orientation": options.orientation,
        "unit": options.unit,
        "layer": options.layer,
    }
    row |= {"samples": options.samples} if options.samples else {}
    row |= {"sample_column": options.sample_column} if options.sample_column else {}
    source = open_matrix(row)
    table, _ = sample_table(source, row)
    # Columns that are no samples (Chr, Length, gene_name) may hold what they like.
    matrix = read_all(source, np.sort(source.samples.get_indexer(table.index)))
    genes = ~pd.Series(matrix.genes, dtype=str).str.strip().str.match(NO_GENES).to_numpy()
    if not genes.all():
        print(f"{(~genes).sum()} rows set aside as no genes: {some(matrix.genes[~genes], 5)}", file=sys.stderr)
    symbols = None if matrix.symbols is None else matrix.symbols[genes]
    matrix = replace(matrix, x=matrix.x[:, genes], genes=matrix.genes[genes], symbols=symbols)
    out = ad.AnnData(matrix.x, obs=table.loc[matrix.samples].set_axis(matrix.samples.astype(str)))
    out.var_names = matrix.genes.astype(str)
    out.uns[ALSO] = list(getattr(source, "others", ()))
    if matrix.symbols is not None:
        out.var["symbol"] = matrix.symbols.astype(str)
    return out


def with_labels(profiles: ad.AnnData, options: argparse.Namespace) -> ad.AnnData:
    """Profiles that have a condition and a donor, as in a study; the others are counted on stderr."""
    from ..ingest.h5ad import as_text
    from ..ingest.missing import is_absent

    labels = [c for c in (options.condition, options.donor) if c in profiles.obs]
    absent = np.zeros(profiles.n_obs, dtype=bool)
    for column in labels:
        absent |= is_absent(as_text(profiles.obs[column]), donors=column == options.donor).to_numpy()
    if absent.all() or not absent.any():
        return profiles
    ids = some(profiles.obs_names[absent], 5)
    print(f"{absent.sum()} without {' or '.join(labels)}, left out: {ids}", file=sys.stderr)
    return profiles[~absent].copy()


def run(options: argparse.Namespace) -> None:
    """Read, fit, store."""
    from ..api.cohort import check_place
    from ..api.fit import fit

    check_place(options.out)  # before the work, not after it
    profiles = with_labels(read_profiles(options), options)
    print(f"{profiles.n_obs} profiles x {profiles.n_vars} genes", file=sys.stderr)
    cohort = fit(
        profiles,
        options.condition,
        generator=options.generator,
        donor=options.donor,
        level=options.level,
        covariates={key: str(kind) for key, kind in settings_of(options.covariates, "--covariates").items()},
        survival=dict(zip((TIME, EVENT), options.survival, strict=True)) if options.survival else None,
        settings=settings_of(options.set, "--set"),
        random_state=options.random_state,
        unit=options.unit,
        log_offset=options.log_offset,
        device=options.device,
        verbose=True,
    )
    cohort.save(options.out)
    print(f"{cohort}\n{options.out}")
