"""Check a row of the dataset sheet and its files, and show what would enter a study. Nothing is downloaded or kept.

Usage: python tools/check_dataset.py NAME [--configfile STUDY.yaml] [--config KEY=VALUE ...] [--data-root FOLDER]
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


def setting(item: str) -> dict:
    """``KEY=VALUE`` as Snakemake takes it.

    Raises
    ------
    UserError
        If it is none.
    """
    key, equals, value = item.partition("=")
    if not equals or not key:
        raise UserError(f"{item!r} is not KEY=VALUE", where="--config", remedy="e.g. --config data_root=FOLDER")
    try:
        return {key: yaml.safe_load(value)}
    except yaml.YAMLError as error:
        raise UserError(f"{value!r} is no value", where=f"--config {key}", remedy="put it in quotes") from error


def merge(config: dict, own: dict, where: str) -> None:
    """Put a study's keys over the defaults.

    Raises
    ------
    UserError
        If a map is given where the default is a single value, or the other way round.
    """
    for key, value in own.items():
        if isinstance(config.get(key), dict) and not isinstance(value, dict):
            raise UserError(
                f"{key!r} holds keys of its own, and {value!r} is given", where=where, remedy="see config/README.md"
            )
    try:
        update_config(config, own)
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"cannot be merged with the defaults: {error}", where=where, remedy="see config/README.md"
        ) from error


def main() -> int:
    """Print what would enter, or what is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("dataset", help="a name in the sheet")
    parser.add_argument("--configfile", type=Path, help="study whose prepare settings apply (default: the defaults)")
    parser.add_argument(
        "--config", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="as for Snakemake"
    )
    parser.add_argument("--data-root", help="replaces {data_root} in the sheet")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    try:
        config: dict = {"study": "check"}
        if options.configfile:
            merge(config, study.read_study(options.configfile), str(options.configfile))
        for item in options.config:
            merge(config, setting(item), "--config")
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
