"""Is a donor that is in two datasets the same one in both? Each is compared with itself, and with the others."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Set
from itertools import combinations
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from ..core.levels import MIXTURE
from .log_scale import log2_expression
from .sanity import standard_rows

log = logging.getLogger(__name__)

#: Fewer common donors say nothing: with two, gene-centred profiles are each other's opposite.
MIN_COMMON = 3
#: Mean log2 expression that a gene needs in both datasets; below it a pseudo-bulk is mostly sampling noise.
EXPRESSED = 1.0
#: With fewer expressed genes, all genes that vary are used.
MIN_GENES = 50
#: Correlation with itself from which a profile counts as the very same measurement, entered twice.
SAME = 0.999
COLUMNS = (
    "dataset", "other_dataset", "donor", "context", "compared", "genes", "r_own", "nearest", "r_nearest", "rank",
    "verdict",
)  # fmt: skip
#: Verdicts in the order of the table, the clearest first.
EXCHANGED, ANOTHER, ITSELF = "exchanged", "nearer to another", "itself"


def donor_means(profiles: ad.AnnData, donors: Set[str] | None = None) -> pd.DataFrame:
    """Mean log2 expression of each donor and context: ``(donor, context)`` × genes.

    Pseudo-bulks count with the one that sums all cells of a line; single cells and mixtures of lines are left out.

    Parameters
    ----------
    profiles : AnnData
        Prepared profiles of one dataset, on the unit of their source; ``X`` in memory or in the file.
    donors : set of str, optional
        Donors that are wanted; all, if it is not given.
    """
    obs = profiles.obs
    usable = ~obs["donor"].astype(str).str.startswith(MIXTURE).to_numpy()
    usable &= (obs["aggregation"].astype(str) != "cell").to_numpy()
    if "bootstrap" in obs:
        usable &= obs["bootstrap"].eq(0).to_numpy()
    if donors is not None:
        usable &= obs["donor"].astype(str).isin(donors).to_numpy()
    frame = pd.DataFrame(log2_expression(profiles, rows=usable), columns=profiles.var_names)
    keys = [obs.loc[usable, c].astype(str).to_numpy() for c in ("donor", "context")]
    return frame.groupby(keys).mean().rename_axis(["donor", "context"])


def compare_pair(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Correlation of each common donor with itself, and with the other common donors of the other dataset.

    Profiles are centred gene by gene over the common donors of each dataset, which takes away what its technology adds
    to all of them, then compared by Pearson's correlation. `rank` is the position of a donor's own profile among all
    common ones, the worse of both directions (1: each finds the other first). Two donors that find each other, and not
    themselves, are exchanged.

    Parameters
    ----------
    first, second : DataFrame
        Donors of one context × genes, log2 scale.

    Returns
    -------
    DataFrame
        ``donor compared genes r_own nearest r_nearest rank verdict``; empty with fewer than three common donors.
    """
    donors = first.index.intersection(second.index).sort_values()
    columns = [c for c in COLUMNS if c not in ("dataset", "other_dataset", "context")]
    genes = first.columns.intersection(second.columns)
    if len(donors) < MIN_COMMON or genes.empty:
        return pd.DataFrame(columns=columns)
    a, b = (part.loc[donors, genes].to_numpy(dtype=np.float64) for part in (first, second))
    varies = (a.std(axis=0) > 0) & (b.std(axis=0) > 0)
    expressed = varies & (a.mean(axis=0) > EXPRESSED) & (b.mean(axis=0) > EXPRESSED)
    kept = expressed if expressed.sum() >= MIN_GENES else varies
    first_rows, second_rows = (standard_rows(part[:, kept] - part[:, kept].mean(axis=0)) for part in (a, b))
    r = first_rows @ second_rows.T
    own = r.diagonal()
    better = np.maximum((r > own[:, None]).sum(axis=1), (r > own[None, :]).sum(axis=0))
    others = r - 2 * np.eye(len(donors)) * (1 + np.abs(own))  # below every correlation
    # The clearest rival in either direction.
    forward, backward = others.argmax(axis=1), others.argmax(axis=0)
    index = np.arange(len(donors))
    nearest = np.where(others[index, forward] >= others[backward, index], forward, backward)
    finds = np.where(others[index, forward] > own, forward, index)
    swapped = (finds != index) & (finds[finds] == index)
    verdict = np.where(better == 0, ITSELF, np.where(swapped, EXCHANGED, ANOTHER))
    return pd.DataFrame(
        {
            "donor": donors, "compared": len(donors), "genes": int(kept.sum()), "r_own": own.round(3),
            "nearest": donors[np.where(swapped, finds, nearest)],
            "r_nearest": np.maximum(others[index, forward], others[backward, index]).round(3),
            "rank": better + 1, "verdict": verdict,
        },
        columns=columns,
    )  # fmt: skip


def compare_datasets(means: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """All pairs of datasets with three or more common donors, context by context; the clearest contradictions first.

    Parameters
    ----------
    means : mapping of DataFrame
        :func:`donor_means` by dataset.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`.
    """
    parts = []
    for (name, first), (other, second) in combinations(means.items(), 2):
        contexts = first.index.unique("context").intersection(second.index.unique("context"))
        for context in sorted(contexts):
            pair = compare_pair(first.xs(context, level="context"), second.xs(context, level="context"))
            if len(pair):
                parts.append(pair.assign(dataset=name, other_dataset=other, context=context))
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    table = pd.concat(parts)[list(COLUMNS)]
    order = table["verdict"].map({EXCHANGED: 0, ANOTHER: 1, ITSELF: 2})
    lead = table["r_own"] - table["r_nearest"]
    table = table.assign(order=order, lead=lead).sort_values(["order", "lead", "donor"], ignore_index=True)
    return table.drop(columns=["order", "lead"])


def identity_report(table: pd.DataFrame, means: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """What :func:`compare_datasets` found, in short, and why nothing was compared where that is so; JSON-able."""
    pairs = [
        {"dataset": name, "other_dataset": other, "context": context, "compared": len(rows),
         "itself": int((rows["verdict"] == ITSELF).sum()), "same_profile": int((rows["r_own"] >= SAME).sum())}
        for (name, other, context), rows in table.groupby(["dataset", "other_dataset", "context"], sort=True)
    ]  # fmt: skip
    wrong = table[table["verdict"] != ITSELF]
    for row in wrong.to_dict("records"):
        log.warning(
            "%s %r of %s and of %s: r = %.2f with itself, %.2f with %r (%s)",
            "line" if row["context"] == "in_vitro" else "donor", row["donor"], row["dataset"], row["other_dataset"],
            row["r_own"], row["r_nearest"], row["nearest"], row["verdict"],
        )  # fmt: skip
    why = ""
    if not pairs:
        why = (
            "the study has one dataset"
            if len(means) < 2
            else f"no two datasets share {MIN_COMMON} donors of one context"
        )
    return {
        "pairs": pairs, "compared": len(table), "itself": int((table["verdict"] == ITSELF).sum()),
        "doubtful": wrong.to_dict("records"), "why_none": why,
    }  # fmt: skip


def annotate_lines(lines: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """``lines.tsv`` with what comparing each line with itself found.

    Adds ``compared`` (datasets that the line was compared with), ``found_itself`` (in how many it is nearest to
    itself), and ``nearer_to`` (``dataset:line``, where it is not).
    """
    cultured = table[table["context"] == "in_vitro"]
    both = pd.concat(
        [cultured, cultured.rename(columns={"dataset": "other_dataset", "other_dataset": "dataset"})]
    )  # every pair, seen from each of its datasets
    out = lines.copy()
    seen = dict(iter(both.groupby(["donor", "dataset"])))
    empty = both.iloc[:0]
    rows = [seen.get(key, empty) for key in zip(lines["line"], lines["dataset"], strict=True)]
    out["compared"] = [len(r) for r in rows]
    out["found_itself"] = [int((r["verdict"] == ITSELF).sum()) for r in rows]
    out["nearer_to"] = [
        "; ".join(sorted((w["other_dataset"] + ":" + w["nearest"]).tolist()))
        for w in (r[r["verdict"] != ITSELF] for r in rows)
    ]
    return out
