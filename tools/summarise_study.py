"""What a study would download and train, from its configuration alone: no network, no data.

Usage: python tools/summarise_study.py STUDY.yaml [--data-root FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

from pseudocohort import configuration
from pseudocohort.acquire import sources
from pseudocohort.core.errors import UserError
from pseudocohort.plan.summary import summarise


def main() -> int:
    """Print the summary, or what is wrong with the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--data-root", help="replaces {data_root} in the sheet")
    options = parser.parse_args()
    try:
        if not options.study.is_file():
            raise UserError("no such file", where=str(options.study), remedy="give the study's file")
        config = yaml.safe_load(options.study.read_text())
        if options.data_root:
            config["data_root"] = options.data_root
        config = configuration.complete(config, ROOT / "workflow/schemas")
        datasets = sources.check(configuration.check_study(config, ROOT / "workflow/schemas", ROOT))
        print(summarise(config, datasets, Path.cwd()))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
