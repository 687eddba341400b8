"""Check a row of the dataset sheet and its files, and show what would enter a study. Nothing is downloaded or kept."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from .. import configuration, study
from ..acquire import sources
from ..core.errors import UserError
from ..core.paths import in_data_root
from ..prepare.cell_lines import LineNames, read_line_names
from ..prepare.gene_table import load_gene_table
from ..prepare.preview import preview
from .project import ROOT, add_config, read_config, schemas

EXAMPLE = "pseudocohort check mine --configfile mine.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("dataset", help="a name in the sheet")
    parser.add_argument("--configfile", type=Path, help="study whose prepare settings apply (default: the defaults)")
    add_config(parser)


def local_row(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """The dataset's row, its downloaded sources replaced by the files that they became.

    Raises
    ------
    UserError
        If the row is wrong, or a file is not here yet.
    """
    rows = study.read_datasets(config, schemas() / "datasets.schema.yaml")
    row = dict(sources.check(rows)[name])
    for column in sources.COLUMNS:
        source = row.get(column, "")
        if sources.is_downloaded(source):
            row[column] = sources.destination(name, column, source)
            if not Path(row[column]).exists():
                raise UserError(
                    f"{source} is not downloaded yet",
                    where=f"dataset {name!r}, column {column!r}",
                    remedy=f"fetch it first: snakemake --cores 1 {row[column]}, with a study that names the dataset",
                )
    return row


def run(options: argparse.Namespace) -> None:
    """Print what would enter."""
    logging.disable(logging.WARNING)
    try:
        config = read_config([options.configfile] if options.configfile else [], options)
        config |= {"study": config.get("study", "check"), "datasets": [options.dataset]}
        configuration.validate_configuration(config, schemas())
        aliases = in_data_root(config["prepare"]["line_aliases"], config)
        lines = read_line_names(aliases) if aliases else LineNames()
        prepare = config["prepare"] | {"conditions": study.conditions_of(config, options.dataset)}
        genes = load_gene_table(ROOT / "resources/genes.tsv.gz")
        print(preview(local_row(options.dataset, config), prepare, genes, lines, config["seed"]))
    finally:
        logging.disable(logging.NOTSET)
