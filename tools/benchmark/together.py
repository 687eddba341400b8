"""Seconds of training one small training set, and of training many of them as one.

A line per generator: seconds of one set, of all together, their ratio, and how many times faster that is than one by
one; first of the training alone, then of the training job of the workflow, a process that reads the profiles, trains,
and stores the models. The medians of three runs of one set are taken. ``--width`` replaces the generators' own.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from common import alone, cohort, row, seconds, trained_generators

RUNS = 3


def add_options(parser) -> None:
    trained = trained_generators()
    parser.set_defaults(threads=2)
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--profiles", type=int, default=50)
    parser.add_argument("--genes", type=int, default=978)
    parser.add_argument("--width", type=int, default=0)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--generators", nargs="+", default=trained, choices=trained)
    parser.add_argument("--without-jobs", action="store_true", help="the training alone")


def fit(name: str, parts: list, settings: dict, device: str) -> None:
    """Train on each part."""
    from pseudocohort.generators.base import registry

    registry.get(name).fit_together(parts, settings=settings, seeds=range(len(parts)), device=device)


def write_parts(parts: list, folder: Path) -> None:
    """Store what a training job reads: the profiles, on a log2 scale, and who is in which training set."""
    import anndata as ad
    import pandas as pd

    whole = ad.concat(parts)
    whole.X = whole.X + 8
    whole.write_h5ad(folder / "profiles.h5ad")
    members = pd.concat(
        pd.DataFrame({
            "training_set": f"set{i}", "sample_id": part.obs_names, "role": "train", "condition": part.obs["condition"],
        })
        for i, part in enumerate(parts)
    )  # fmt: skip
    members.to_parquet(folder / "members.parquet")


def job(name: str, sets: int, settings: dict, device: str, folder: Path) -> None:
    """What a training job does."""
    import anndata as ad
    import pandas as pd

    from pseudocohort.generators.fit.batch import train_batch

    members = pd.read_parquet(folder / "members.parquet")
    names = [f"set{i}" for i in range(sets)]
    with tempfile.TemporaryDirectory(dir=folder) as out:
        train_batch(
            ad.read_h5ad(folder / "profiles.h5ad"), members[members["training_set"].isin(names)], names,
            Path(out) / "models", generator=name, settings=settings, seed=1, device=device,
            checkpoints=Path(out) / "checkpoints", checkpoint_minutes=5, together=sets,
        )  # fmt: skip


def job_alone(*arguments) -> None:
    """:func:`job` in a process of its own."""
    alone(job, *arguments)


def run(options) -> None:
    from pseudocohort.generators.base.device import choose_device

    print(f"device {choose_device(options.device)}, {options.threads} thread(s), {options.sets} sets")
    columns = ("one s", "together s", "ratio", "faster")
    row("generator", *columns, *(f"job: {column}" for column in columns))
    parts = [cohort(options.profiles, options.genes, seed) for seed in range(options.sets)]
    settings = {"width": options.width} if options.width else {}
    with tempfile.TemporaryDirectory() as folder:
        write_parts(parts, Path(folder))
        for name in options.generators:
            fit(name, parts[:2], settings | {"steps": 3, "max_epochs": 3}, options.device)  # what is done once
            timed = []
            for way, one, all_of_them in (
                (fit, (parts[:1], settings, options.device), (parts, settings, options.device)),
                (job_alone, *((n, settings, options.device, Path(folder)) for n in (1, options.sets))),
            )[: 1 if options.without_jobs else 2]:
                single = statistics.median(seconds(way, name, *one) for _ in range(RUNS))
                together = seconds(way, name, *all_of_them)
                timed += [f"{single:.2f}", f"{together:.2f}", f"{together / single:.1f}"]
                timed += [f"{single * options.sets / together:.1f}"]
            row(name, *timed)
