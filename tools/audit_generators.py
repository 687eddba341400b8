"""Audit generators of a study in one process: what their cohorts teach, what attacks find, what the gate says.

Usage: python tools/audit_generators.py --configfile config/privacy.yaml [--results results/privacy]
                                        [--generators NAME ...] [--coins 5] [--attacks NAME ...]

The study has to be planned: snakemake --configfile config/privacy.yaml results/privacy/plan/members/privacy.parquet
Training sets, settings, attacks and judgement are those of the workflow, whose `privacy.tsv` has the same numbers;
only noise of private models, which nobody can repeat, differs. Prints one row per generator, as docs/privacy.md shows
them, and the paired differences of private generators to those of epsilon 0.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

import pandas as pd
import yaml

from pseudocohort.configuration import complete
from pseudocohort.core import contracts, io
from pseudocohort.core.words import between, number, words
from pseudocohort.experiments.privacy.evidence import Bounds, evidence, judge
from pseudocohort.experiments.privacy.score import privacy
from pseudocohort.experiments.shared.inputs import ScoreInputs
from pseudocohort.experiments.shared.statistics import interval
from pseudocohort.generators.base.registry import get, kind_of, settings_of
from pseudocohort.generators.fit.batch import train_batch
from pseudocohort.generators.fit.inference import sample_batch, signals_batch
from pseudocohort.plan.requests import request


def audited(name: str, config: dict, results: Path, sets: pd.DataFrame) -> pd.DataFrame:
    """Long privacy table of one generator."""
    profiles = io.read_profiles(results / "prepared/harmonised.h5ad", contracts.HARMONISED)
    members = io.read_table(results / "plan/members/privacy.parquet", contracts.MEMBERS_COLUMNS)
    kind, names = kind_of(config, name), list(sets["training_set"])
    own = sets.assign(generators=name)
    private = get(kind).capabilities.private
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        train_batch(
            profiles, members[members["training_set"].isin(names)], names, models, generator=kind,
            settings=settings_of(config, name), seed=config["seed"], device="cpu",
            checkpoints=Path(folder) / "checkpoints", checkpoint_minutes=60,
        )  # fmt: skip
        rows = own.set_index("training_set", drop=False)
        requests = {
            one: request(
                rows.loc[one].to_dict(), members[members["training_set"] == one], profiles.obs, config, private=private
            )
            for one in names
        }
        made = sample_batch(
            models, requests, profiles.var, generator=kind, name=name, seeds=rows["seed"].to_dict(), device="cpu"
        )
        ledgers = {}
        if private:
            ledgers = signals_batch(models, profiles, members, names, generator=kind, device="cpu")[1]
    synthetic = {one: made[(made.obs["training_set"] == one).to_numpy()] for one in names}
    return privacy(ScoreInputs(
        profiles, synthetic, own, members, study=config["study"], generator=name,
        settings=config["privacy"] | {"release_sizes": []}, seed=config["seed"],
    ), ledgers=ledgers)  # fmt: skip


def row(table: pd.DataFrame, name: str) -> tuple[dict[str, str], pd.Series]:
    """What is printed of a generator, and its balanced accuracy by coin."""
    found = evidence(table, name)
    use = table[(table["metric"] == "tstr_balanced_accuracy") & (table["regime"] == "audit")].set_index("repeat")[
        "value"
    ]
    best = max(found.attacks, key=lambda attack: attack.audit.auc)
    most = max((a for a in found.attacks if a.found.auc == a.found.auc), key=lambda attack: attack.found.auc)
    condition = max(found.conditions, key=lambda entry: entry[2].auc, default=None)
    objections = judge(found, Bounds())
    shown = interval(use)
    return {
        "generator": name,
        "balanced accuracy": number(shown.mean) + between(shown.low, shown.high, number),
        "strongest attack": f"{best.audit} ({words(best.name)})",
        "without members": number(best.control.auc),
        "found at 1 %": f"{number(most.found.auc, 3)} ({words(most.name)})",
        "within a condition": f"{number(condition[2].auc)} ({condition[0]})" if condition else "n/a",
        "AUC proved": "" if found.auc_bound is None else number(found.auc_bound),
        "epsilon shown": number(max(bound for bound, _ in found.epsilon)),
        "copies": str(found.copies),
        "gate": "passes" if not objections else f"refuses ({len(objections)})",
    }, use


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", type=Path, required=True)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--generators", nargs="+")
    parser.add_argument("--coins", type=int)
    parser.add_argument("--attacks", nargs="+")
    options = parser.parse_args()
    config = complete(yaml.safe_load(options.configfile.read_text()), ROOT / "workflow/schemas")
    if options.attacks:
        config["privacy"]["attacks"] = options.attacks
    results = options.results or Path("results") / config["study"]
    sets = io.read_table(results / "plan/training_sets.tsv")
    sets = sets[
        sets["training_set"].str.match(r"priv(neg)?-c\d+$") & sets["regime"].isin(["audit", "negative_control"])
    ]
    sets = sets[sets["repeat"].astype(int) < (options.coins or config["privacy"]["coins"])]
    uses, printed = {}, False
    for name in options.generators or config["generators"]:
        shown, uses[name] = row(audited(name, config, results, sets), name)
        if not printed:
            print("| " + " | ".join(shown) + " |\n|" + "---|" * len(shown), flush=True)
            printed = True
        print("| " + " | ".join(shown.values()) + " |", flush=True)
    for base in [name for name in uses if name.endswith("_e0") or name == "public_profiles"]:
        for name in uses:
            if name != base and name.startswith("dp_") and not name.endswith("_e0"):
                gain = interval(uses[name] - uses[base])
                print(f"{name} less {base}: {number(gain.mean)}{between(gain.low, gain.high, number)}", flush=True)


if __name__ == "__main__":
    main()
