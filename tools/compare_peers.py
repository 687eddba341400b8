"""This project's generators and other people's, on the same matrices, splits and scores: docs/comparison.md.

Usage: python tools/compare_peers.py --data_root FOLDER [--datasets tcga-brca paired gtex tcga-brca-100] [--splits 3]
                                     [--methods NAME ...] [--out results/peers] [--environments FOLDER] [--install]
                                     [--limit SECONDS] [--page docs/comparison.md]

Peers are in tools/peers, a file each; each runs in an environment of its own, which ``--install`` makes with venv and
pip from tools/peers/requirements. Splits are by donor. Each fit is a process of one thread; what is done is kept under
``--out`` and not done again. All numbers go to ``--out``/numbers.tsv, and the tables of ``--page`` are made from it.
With ``--page_only`` nothing is computed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

TOOLS = Path(__file__).resolve().parent
ROOT = TOOLS.parent
warnings.filterwarnings("ignore", message="Precision loss occurred")
sys.path[:0] = [str(ROOT / "workflow/scripts"), str(TOOLS)]

import numpy as np
import pandas as pd
from peers import _data, _page, _process, _score
from tqdm import tqdm

from pseudocohort.core.io import atomic
from pseudocohort.core.seeds import derive

REAL = "real"
OURS = ("mvn", "copula", "ddpm", "flow", "unclip", "wgan_gp", "mvn_camda")
PEERS = (
    "sdv_copula", "sdv_copula_per_class", "sdv_tvae", "smote", "avatar", "kernel_density", "arf", "syng_bts",
    "forest_diffusion",
)  # fmt: skip
METHODS = (REAL, *(f"ours:{name}" for name in OURS), *PEERS)
KEYS = ["dataset", "split", "method", "floors", "metric", "value"]


def stored(path: Path, compute: Callable[[], Any]) -> Any:
    """What a JSON file holds, computed and written if it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as part:
            part.write_text(json.dumps(compute()))
    return json.loads(path.read_text())


def score(folder: Path, parts: dict, sets: np.ndarray | None, seed: int, *, real: bool, floors: bool) -> dict:
    """Scores of what lies in a folder."""
    made = None
    if not real:
        with np.load(folder / "made.npz") as file:
            made = _score.synthetic(file["x"], file["classes"], parts["train"].genes)
        if floors:
            made = _score.with_floors(made, parts["train"])
    taught_by = stored(folder.parent / "teacher.json", lambda: _score.teacher(parts["train"], seed))
    return _score.scores(made, parts, seed, sets, taught_by, all_of_it=not floors)


def collect(out: Path) -> pd.DataFrame:
    """Everything that is stored under a folder, as one long table."""
    rows = []
    for folder in sorted(p.parent for p in out.glob("*/*/*/scores.json")):
        dataset, number, method = folder.parts[-3:]
        for file, floors in (("scores.json", 0), ("scores_floors.json", 1), ("cost.json", 0)):
            if (folder / file).exists():
                values = json.loads((folder / file).read_text())
                name = method.replace("ours-", "ours:")
                rows += [[dataset, int(number), name, floors, metric, value] for metric, value in values.items()]
    return pd.DataFrame(rows, columns=KEYS)


def failures(out: Path) -> list[tuple[str, str, str]]:
    """Data set, method and reason of what did not end."""
    found = {(*p.parts[-4:-3], p.parts[-2], p.read_text().strip()) for p in out.glob("*/*/*/failed.txt")}
    # A page names no folder of the machine that it was made on.
    return sorted((dataset, method, re.sub(r"\s*\(?/\S+", "", reason)) for dataset, method, reason in found)


def compare(options: argparse.Namespace) -> None:
    """Make and score what is not there."""
    gene_sets = options.gene_sets or options.data_root / "gene-sets/h.all.v6.1.symbols.gmt"
    tasks = [(d, n, m) for d in options.datasets for n in range(options.splits) for m in options.methods]
    at, bar = None, tqdm(tasks, unit="cohort")
    for dataset, number, method in bar:
        bar.set_postfix_str(f"{dataset} {number} {method}")
        folder = options.out / dataset / str(number) / method.replace(":", "-")
        peer = importlib.import_module(f"peers.{method.partition(':')[0]}") if method != REAL else None
        read, genes = _data.DATASETS[dataset]
        if peer is not None and genes > getattr(peer, "MOST_GENES", genes):
            continue
        if at != (dataset, number):
            matrices = _data.split(read(options.data_root), genes, number)
            parts = {role: _score.cohort(matrix, role) for role, matrix in matrices.items()}
            sets = _score.sets_of(matrices["train"], gene_sets if gene_sets.exists() else None)
            at, seed = (dataset, number), derive(number, dataset)
        if peer is not None:
            python = _process.interpreter(peer, options.environments, options.install)
            if python is None:
                tqdm.write(f"{method}: no environment; --install makes it", file=sys.stderr)
                continue
            x, classes = matrices["train"].x, matrices["train"].classes
            limits = _process.Limits(wall=options.limit)
            reason = _process.make(method, folder, x, classes, python, seed % 2**31, limits)
            if reason:
                tqdm.write(f"{dataset} {number} {method}: {reason}", file=sys.stderr)
                continue
        for floors in (False, True)[: 1 + (method in options.floors)]:
            stored(
                folder / ("scores_floors.json" if floors else "scores.json"),
                partial(score, folder, parts, sets, seed, real=method == REAL, floors=floors),
            )
        collect(options.out).to_csv(options.out / "numbers.tsv", sep="\t", index=False, float_format="%.6g")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_root", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "results/peers")
    parser.add_argument("--datasets", nargs="+", default=list(_data.DATASETS), choices=list(_data.DATASETS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="NAME")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--environments", type=Path, help="default: OUT/environments")
    parser.add_argument("--install", action="store_true", help="make environments that are not there")
    parser.add_argument("--limit", type=float, default=900, help="seconds after which a fit is given up")
    parser.add_argument("--gene_sets", type=Path, help="GMT file; default: Hallmarks in the data root")
    parser.add_argument(
        "--floors", nargs="*", default=list(PEERS), metavar="NAME", help="peers given silent-gene floors"
    )
    parser.add_argument("--page", type=Path, help="page whose tables are written")
    parser.add_argument("--page_only", action="store_true")
    options = parser.parse_args()
    options.environments = options.environments or options.out / "environments"
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.page_only:
        compare(options)
    numbers = pd.read_csv(options.out / "numbers.tsv", sep="\t")
    if options.page:
        _page.write(options.page, numbers, failures(options.out), PEERS)


if __name__ == "__main__":
    main()
