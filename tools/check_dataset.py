"""Check a row of the dataset sheet and its files, and show what would enter a study. Nothing is downloaded or kept.

Usage: python tools/check_dataset.py NAME [--configfile STUDY.yaml] [--data-root FOLDER]
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import yaml
from snakemake.utils import update_config

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

from pseudocohort import configuration, study
from pseudocohort.acquire import sources
from pseudocohort.core.errors import UserError
from pseudocohort.prepare.cell_lines import LineNames, read_line_names
from pseudocohort.prepare.gene_table import load_gene_table
from pseudocohort.prepare.preview import preview


def local_row(name: str, config: dict) -> dict:
    """The dataset's row, its downloaded sources replaced by the files that they became.

    Raises
    ------
    UserError
        If the row is wrong, or a file is not here yet.
    """
    rows = study.read_datasets(config, ROOT / "workflow/schemas/datasets.schema.yaml")
    row = dict(sources.check(rows)[name])
    for column in ("source", "samples", "more_samples"):
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


def main() -> int:
    """Print what would enter, or what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help="a name in the sheet")
    parser.add_argument("--configfile", type=Path, help="study whose prepare settings apply (default: the defaults)")
    parser.add_argument("--data-root", help="replaces {data_root} in the sheet")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    try:
        config: dict = {"study": "check"}
        if options.configfile:
            if not options.configfile.is_file():
                raise UserError("no such file", where=str(options.configfile), remedy="correct --configfile")
            update_config(config, yaml.safe_load(options.configfile.read_text()))
        if options.data_root:
            config["data_root"] = options.data_root
        config = configuration.complete(config | {"datasets": [options.dataset]}, ROOT / "workflow/schemas")
        configuration.validate_configuration(config, ROOT / "workflow/schemas")
        aliases = config["prepare"]["line_aliases"].replace("{data_root}", study.data_root(config).rstrip("/"))
        lines = read_line_names(aliases) if aliases else LineNames()
        genes = load_gene_table(ROOT / "resources/genes.tsv.gz")
        prepare = config["prepare"] | {"conditions": study.conditions_of(config, options.dataset)}
        print(preview(local_row(options.dataset, config), prepare, genes, lines, config["seed"]))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
