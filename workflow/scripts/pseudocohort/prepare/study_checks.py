"""What can only be checked across the datasets of a study: the same donors twice, labels, sources. Warnings only."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from .batch import single_source, sources_table
from .cell_lines import pair_lines
from .identity import annotate_lines, compare_datasets, donor_means, identity_report
from .log_scale import log2_expression
from .sanity import suspicious_labels
from .source_signal import source_signal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StudyChecks:
    """Report (JSON-able) and tables of the study's checks.

    Attributes
    ----------
    report : dict
        ``identity``, ``labels``, ``sources`` (what is confounded), ``harmonisation``.
    conditions, lines, identity, sources, signal : DataFrame
        Profiles and donors of each condition and level; lines by dataset; donors against themselves; sources of each
        condition; how well sources are told apart.
    """

    report: dict[str, Any]
    conditions: pd.DataFrame
    lines: pd.DataFrame
    identity: pd.DataFrame
    sources: pd.DataFrame
    signal: pd.DataFrame


def check_study(
    datasets: Sequence[ad.AnnData],
    harmonised: ad.AnnData,
    quality: dict[str, dict[str, Any]],
    donors: pd.DataFrame,
    *,
    seed: int,
) -> StudyChecks:
    """Compare the datasets of a study with each other.

    Parameters
    ----------
    datasets : sequence of AnnData
        Prepared profiles, one dataset each; ``X`` may stay in the files.
    harmonised : AnnData
        The same profiles in one gene space.
    quality : dict
        Quality reports by dataset.
    donors : DataFrame
        ``donor, dataset, split``.
    seed : int
        Of cross-validation.
    """
    means, annotation, before = {}, {}, []
    method = harmonised.uns["pseudocohort"]["harmonisation"]["method"]
    # A donor of one dataset cannot be compared with itself: its mean is of no use, and all of them fill the memory.
    seen = Counter(donor for data in datasets for donor in data.obs["donor"].astype(str).unique())
    several = {donor for donor, count in seen.items() if count > 1}
    for data in datasets:
        name = str(data.uns["pseudocohort"]["dataset"])
        means[name], annotation[name] = donor_means(data, several), data.obs
        if method != "none":
            before.append(log2_expression(data, data.var_names.get_indexer(harmonised.var_names)))
    identity = compare_datasets(means)
    x, obs = np.asarray(harmonised.X), harmonised.obs
    sources = sources_table(obs)
    signal = source_signal(np.concatenate(before) if before else x, obs, seed=seed)
    if before:
        after = source_signal(x, obs, seed=seed)
        keys = ["level", "condition", "source", "other_source"]
        values = ["pc1_auc", "classifier_auc", "shift"]
        signal = signal.merge(after[keys + values], on=keys, suffixes=("", "_after"))
    confounded = single_source(sources)
    for row in confounded:
        log.warning("%s: %s; their difference includes that of the sources", row["where"], row["what"])
    report = {
        "identity": identity_report(identity, means),
        "labels": labels_across(x, obs, quality),
        "sources": {"confounded": confounded},
        "harmonisation": dict(harmonised.uns["pseudocohort"]["harmonisation"]),
    }
    table = conditions_table(obs, set(donors.loc[donors["split"] == "test", "donor"].astype(str)))
    return StudyChecks(report, table, annotate_lines(pair_lines(annotation), identity), identity, sources, signal)


def conditions_table(obs: pd.DataFrame, held_out: set[str]) -> pd.DataFrame:
    """``condition level profiles donors held_out`` (held-out donors), sorted by condition and level."""
    frame = obs[["condition", "level", "donor"]].astype(str)
    frame["held"] = frame["donor"].where(frame["donor"].isin(held_out))
    grouped = frame.groupby(["condition", "level"])
    return grouped.agg(
        profiles=("donor", "size"), donors=("donor", "nunique"), held_out=("held", "nunique")
    ).reset_index()


def labels_across(x: np.ndarray, obs: pd.DataFrame, quality: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Labels of datasets that could not check their own, as each level has a single condition: one file per cohort.

    They are compared with the conditions of the other datasets (see :func:`.sanity.suspicious_labels`). What a
    laboratory adds to all samples of its dataset makes them look alike, so this finds fewer errors than a check within
    one dataset.

    Returns
    -------
    dict
        As :func:`.sanity.suspicious_labels`, with the datasets that were judged (``datasets``).
    """
    unchecked = sorted(
        name for name, report in quality.items() if report.get("samples", {}).get("labels", {}).get("checked") == 0
    )
    dataset = obs["dataset"].astype(str)
    rows = dataset.isin(unchecked).to_numpy()
    if not rows.any():
        bulk = any("labels" in report.get("samples", {}) for report in quality.values())
        why = "each dataset checks its own" if bulk else "there are no bulk samples"
        return {"checked": 0, "disagree": 0, "samples": [], "datasets": [], "why_none": why}
    levels = obs["level"].astype(str)
    part = levels.isin(set(levels[rows])).to_numpy()
    found = suspicious_labels(x[part], obs[part], only=rows[part])
    if found["disagree"]:
        log.warning(
            "%d of %d samples are closer to a condition of another dataset than to their own",
            found["disagree"], found["checked"],
        )  # fmt: skip
    return found | {"datasets": unchecked}
