"""An equal budget of random settings for each network, scored on training donors that are held out for it.

Usage: python tools/tune_generators.py STUDY [--space resources/tuning.yaml] [--generators NAME ...] [--profiles 200]
                                         [--jobs 2]

STUDY is the name of a study whose profiles are prepared (`snakemake --until harmonise --configfile ...`). Its held-out
donors are never read: half of its training donors is for scoring, the others for training, in several splits. The
first trial of a network are its defaults. The score of a trial is the mean of coverage, accuracy of a classifier
trained on synthetic profiles (both over what real profiles in their place reach) and twice 1 - AUC of a forest that
tells them from real ones, each at most 1; less by how many more of them than of the real ones lie nearer to the
training donors than to as many others.

All trials are in results/STUDY/tuning.tsv; what is there already is not repeated. Printed are, for each network, the
score of its defaults and their rank, that of the best trial, its gain in each split, and what it set.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

KEYS = ["generator", "trial", "split"]
#: What makes two rows the same training.
SAME = ["generator", "split", "settings", "profiles"]
METRICS = ["coverage", "tstr_balanced_accuracy", "discriminator_auc", "closer_to_train_share"]
#: Share of the training donors that trials are scored on.
HELD_OUT = 0.5


@dataclass(frozen=True)
class Trial:
    """One training of a generator, or with the name ``real`` the ceiling of a split."""

    generator: str
    number: int
    split: int
    settings: str  # JSON


def trials(space: dict[str, dict[str, list[Any]]], count: int, splits: int, seed: int) -> Iterator[Trial]:
    """The ceilings, then `count` trials of each network in each split: its defaults, and different random settings."""
    from pseudocohort.core.errors import UserError
    from pseudocohort.core.seeds import generator as random_generator

    for split in range(splits):
        yield Trial("real", 0, split, "{}")
    for name, values in space.items():
        rng = random_generator(seed, "tuning", name)
        settings: list[dict[str, Any]] = [{}]
        if math.prod(map(len, values.values())) < count - 1:
            raise UserError(
                f"{name} has fewer than {count - 1} different settings to try",
                where=f"space.{name}",
                remedy="give it more values, or all networks fewer trials",
            )
        while len(settings) < count:
            drawn = {key: value[int(rng.integers(len(value)))] for key, value in values.items()}
            if drawn not in settings:
                settings.append(drawn)
        for number, one in enumerate(settings):
            for split in range(splits):
                yield Trial(name, number, split, json.dumps(one))


def split_donors(folder: Path, split: int, most: int, seed: int):
    """Standardised tissue profiles of a study's training donors: at most `most` to train on, and those of others."""
    import numpy as np
    import pandas as pd

    from pseudocohort.core import contracts
    from pseudocohort.core.io import read_profiles
    from pseudocohort.core.levels import TISSUE_LEVELS
    from pseudocohort.core.seeds import derive
    from pseudocohort.core.seeds import generator as random_generator
    from pseudocohort.prepare.donors import assign_donors
    from pseudocohort.prepare.scale import Scaler

    donors = pd.read_csv(folder / "prepared/donors.tsv", sep="\t", dtype=str)
    of_training = donors.loc[donors["split"] == "train", "donor"]
    profiles = read_profiles(folder / "prepared/harmonised.h5ad", contracts.HARMONISED)
    inside = profiles.obs["donor"].isin(of_training) & profiles.obs["level"].isin(TISSUE_LEVELS)
    profiles = profiles[inside.to_numpy()].copy()
    dealt = assign_donors({"training donors": profiles.obs}, test_share=HELD_OUT, seed=derive(seed, "tuning", split))
    for_scoring = set(dealt.loc[dealt["split"] == "test", "donor"])
    scored = profiles.obs["donor"].isin(for_scoring).to_numpy()
    rows = random_generator(seed, "tuning", split).permutation(np.flatnonzero(~scored))[: most or None]
    train, held_out = profiles[np.sort(rows)].copy(), profiles[scored].copy()
    scaler = Scaler(by_level=True).fit(np.asarray(train.X), train.obs)
    held_out = held_out[held_out.obs["condition"].isin(set(train.obs["condition"])).to_numpy()].copy()
    for part in (train, held_out):
        part.X = scaler.transform(np.asarray(part.X), part.obs)
    return train, held_out


def run(trial: Trial, folder: Path, most: int, seed: int) -> dict[str, Any]:
    """Train, sample and score one trial; its row of the table."""
    import numpy as np

    from pseudocohort.core.seeds import derive
    from pseudocohort.experiments.fidelity.score import Profiles, likeness
    from pseudocohort.generators.base.registry import get
    from pseudocohort.generators.fit.batch import lengthened

    def scored(x: np.ndarray, obs) -> Profiles:
        condition = obs["condition"].to_numpy(dtype=str)
        classes = np.char.add(np.char.add(condition, "|"), obs["level"].to_numpy(dtype=str))
        donor = obs["donor"].to_numpy(dtype=str) if "donor" in obs else np.arange(len(obs)).astype(str)
        return Profiles(np.asarray(x), classes, condition, donor, obs)

    train, held_out = split_donors(folder, trial.split, most, seed)
    made, seconds = None, 0.0
    if trial.generator != "real":
        kind, settings = get(trial.generator), json.loads(trial.settings)
        length = settings.pop("length", 1)
        start = time.perf_counter()
        own = derive(seed, "tuning", trial.split, "fit")
        model = kind().fit(train, settings=lengthened(kind, settings, length), seed=own)
        seconds = time.perf_counter() - start
        wanted = held_out.obs.drop(columns="donor")
        made = scored(model.sample(wanted, seed=derive(own, "sample")), wanted)
    values = likeness(
        scored(train.X, train.obs), scored(held_out.X, held_out.obs), made, k=5, seed=derive(seed, "tuning", "score")
    )
    found = {metric: values[None, metric] for metric in METRICS}
    row = dict(zip([*KEYS, "settings"], (trial.generator, trial.number, trial.split, trial.settings), strict=True))
    row["profiles"] = most
    return row | found | {"seconds": round(seconds, 1)}


def score(found, ceiling):
    """Score of rows of the table, given the rows of real profiles for the same splits."""
    parts = [
        found["coverage"] / ceiling["coverage"],
        found["tstr_balanced_accuracy"] / ceiling["tstr_balanced_accuracy"],
        2 * (1 - found["discriminator_auc"]),
    ]
    copied = (found["closer_to_train_share"] - ceiling["closer_to_train_share"]).clip(lower=0)
    return sum(part.clip(upper=1) for part in parts) / 3 - copied


def summary(table):
    """For each network its defaults and its best trial: scores, their difference over splits, and what it set."""
    import pandas as pd

    ceiling = table[table["generator"] == "real"].set_index("split")[METRICS]
    made = table[table["generator"] != "real"].copy()
    made["score"] = score(made[METRICS], ceiling.loc[made["split"]].set_index(made.index))
    rows = []
    for name, own in made.groupby("generator", sort=False):
        by_split = own.pivot_table(index="trial", columns="split", values="score")
        mean = by_split.mean(axis=1)
        best = mean.idxmax()
        gain = by_split.loc[best] - by_split.loc[0]
        rows.append(
            {
                "generator": name,
                "trials": len(mean),
                "defaults": mean[0],
                "rank": int((mean > mean[0]).sum()) + 1,
                "best": mean[best],
                "gain by split": ", ".join(f"{value:+.3f}" for value in gain),
                "median": mean.median(),
                "s": own.loc[own["trial"] == 0, "seconds"].mean(),
                "best settings": own.loc[own["trial"] == best, "settings"].iloc[0],
            }
        )
    return pd.DataFrame(rows)


def main() -> int:
    """Run what is missing, and print the summary."""
    import pandas as pd

    from pseudocohort.core.errors import UserError
    from pseudocohort.core.io import write_table
    from pseudocohort.core.logs import progress

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("--space", type=Path, default=ROOT / "resources/tuning.yaml")
    parser.add_argument("--generators", nargs="+", help="of the networks in the space")
    parser.add_argument("--profiles", type=int, help="most training profiles, instead of the space's; 0: all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    budget, folder = yaml.safe_load(options.space.read_text()), Path("results") / options.study
    if options.profiles is not None:
        budget["profiles"] = options.profiles
    try:
        if not (folder / "prepared/harmonised.h5ad").is_file():
            raise UserError(
                "its profiles are not prepared",
                where=str(folder),
                remedy=f"run snakemake --cores 2 --until harmonise --configfile config/{options.study}.yaml",
            )
        unknown = set(options.generators or ()) - set(budget["space"])
        if unknown:
            raise UserError(
                f"{sorted(unknown)[0]!r} has no settings to try", where=str(options.space), remedy="add them to `space`"
            )
        space = {n: v for n, v in budget["space"].items() if n in (options.generators or budget["space"])}
        wanted = list(trials(space, budget["trials"], budget["splits"], options.seed))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1

    def identity(trial: Trial) -> tuple:
        return trial.generator, trial.split, trial.settings, budget["profiles"]

    path = folder / "tuning.tsv"
    rows = pd.read_csv(path, sep="\t").to_dict("records") if path.is_file() else []
    done = {tuple(row[key] for key in SAME) for row in rows}
    missing = [trial for trial in wanted if identity(trial) not in done]
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(run, trial, folder, budget["profiles"], options.seed) for trial in missing]
        for one in progress(as_completed(running), desc="tuning", unit="training", total=len(running)):
            rows.append(one.result())
            write_table(pd.DataFrame(rows).sort_values(KEYS), path)
    table = pd.DataFrame(rows)
    table = table[pd.MultiIndex.from_frame(table[SAME]).isin([identity(trial) for trial in wanted])]
    print(summary(table).to_string(index=False, float_format="{:.3f}".format))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
