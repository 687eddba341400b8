"""Time and memory of parts of the project.

Usage: python tools/benchmark SUBJECT [options]; python tools/benchmark SUBJECT --help says what is measured.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from pathlib import Path

# After the folder of this file: the scripts of rules have the names of subjects.
sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "workflow/scripts"))
SUBJECTS = ("attacks", "generators", "gpu", "ingest", "prdc", "prepare", "small_cohort", "together")


def main() -> None:
    """Run the benchmark of one subject; each is a module beside this one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subject", choices=SUBJECTS)
    subject = parser.parse_args(sys.argv[1:2]).subject
    module = importlib.import_module(subject)
    parser = argparse.ArgumentParser(
        prog=f"benchmark {subject}", description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    module.add_options(parser)
    options = parser.parse_args(sys.argv[2:])
    for library in ("OMP", "OPENBLAS", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = str(options.threads)
    logging.disable(logging.WARNING)
    sys.exit(module.run(options))


if __name__ == "__main__":
    main()
