"""Print what a study found about privacy: what cohorts teach, what attacks find, what the gate says.

Usage: python tools/privacy_table.py results/privacy [--generators NAME ...] [--attacks NAME]

One row per generator, as docs/privacy-results.md shows them, from `tables/privacy.tsv`; then the paired differences,
coin by coin, of private generators to those of epsilon 0. With --attacks one row per attack on a generator instead.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

import pandas as pd

from pseudocohort.core import io
from pseudocohort.core.words import between, number, words
from pseudocohort.experiments.privacy.evidence import Bounds, evidence, judge
from pseudocohort.experiments.shared.statistics import interval


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


def print_attacks(table: pd.DataFrame, name: str) -> None:
    """Areas of all attacks on a generator's cohorts, the weakest first, and of its negative control."""
    print("| attack | AUC | without members | found at 1 % |\n|---|---|---|---|")
    for attack in sorted(evidence(table, name).attacks, key=lambda attack: attack.audit.auc):
        if attack.control.auc == attack.control.auc:  # shadow attacks and larger releases have none
            shown = (words(attack.name), attack.audit, number(attack.control.auc), number(attack.found.auc, 3))
            print("| " + " | ".join(map(str, shown)) + " |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--generators", nargs="+")
    parser.add_argument("--attacks", metavar="NAME")
    options = parser.parse_args()
    table = io.read_table(options.results / "tables/privacy.tsv")
    if options.attacks:
        print_attacks(table, options.attacks)
        return
    uses: dict[str, pd.Series] = {}
    for name in options.generators or table["generator"].unique():
        shown, uses[name] = row(table[table["generator"] == name], name)
        if len(uses) == 1:
            print("| " + " | ".join(shown) + " |\n|" + "---|" * len(shown))
        print("| " + " | ".join(shown.values()) + " |")
    for base in [name for name in uses if name.endswith("_e0") or name == "public_profiles"]:
        for name in uses:
            if name != base and name.startswith("dp_") and not name.endswith("_e0"):
                gain = interval(uses[name] - uses[base])
                print(f"{name} less {base}: {number(gain.mean)}{between(gain.low, gain.high, number)}")


if __name__ == "__main__":
    main()
