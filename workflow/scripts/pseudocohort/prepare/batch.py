"""Sources of the profiles: which condition is from which, whether they can be told apart, and a declared harmonisation.

The source of a profile is its dataset, or what ``prepare.sources`` says. Sources are compared and harmonised within a
*scope*: bulk tissue, bulk of lines, pseudo-bulks, single cells. Within a scope a *group* is what should look alike
whatever its source: a condition and context of tissue, one line and condition of cultured cells.
"""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components

from ..core.errors import UserError
from ..core.levels import MIXTURE
from ..core.words import some

log = logging.getLogger(__name__)

METHODS = ("none", "location_scale", "linear")
#: Donors that two sources must share (the fewer of both, summed over their shared groups) to be compared.
MIN_SHARED = 3
#: Profiles whose weight the variance over all sources has in a source's own (moderated, as in Smyth 2004).
PRIOR = 10.0
#: Genes that are fitted at a time: bounds the memory that float64 takes.
GENES_AT_A_TIME = 2_000


def source_of(obs: pd.DataFrame, sources: Mapping[str, str]) -> pd.Series:
    """Source of each profile of one or several datasets.

    Parameters
    ----------
    obs : DataFrame
        ``dataset``, and the columns that `sources` names.
    sources : mapping of str
        Dataset, or pattern of datasets (``tcga_*``), to the name of their source; ``@column`` reads it from a column
        that the dataset sheet keeps. The first that fits counts; datasets without one are their own source.

    Raises
    ------
    UserError
        If a column is not there, or has empty values.
    """
    datasets = obs["dataset"].astype(str)
    out = datasets.copy()
    for name in datasets.unique():
        pattern = next((p for p in sources if fnmatch.fnmatchcase(name, p)), None)
        if pattern is None:
            continue
        said, rows = sources[pattern], datasets == name
        if not said.startswith("@"):
            out[rows] = said
            continue
        column, where = said[1:], f"prepare.sources.{pattern}"
        if column not in obs:
            raise UserError(
                f"dataset {name!r} keeps no column {column!r}", where=where,
                remedy="name it under covariates in the dataset sheet, or give the source itself",
            )  # fmt: skip
        values = obs.loc[rows, column].astype(str).str.strip()
        if (empty := values.isin(["", "nan", "None", "<NA>"])).any():
            raise UserError(
                f"{int(empty.sum())} samples of dataset {name!r} have no {column!r}; the first is "
                f"{empty.index[empty.to_numpy()][0]!r}",
                where=where,
                remedy="fill the column, or give the source itself",
            )
        out[rows] = values
    return out


def scope_of(obs: pd.DataFrame) -> np.ndarray:
    """Scope of each profile: ``tissue``, or its cell level (``line_bulk``, ``pseudobulk``, ``cell``)."""
    level = obs["level"].astype(str).to_numpy()
    return np.where(np.isin(level, ["tumour", "normal"]), "tissue", level)


def group_of(obs: pd.DataFrame) -> np.ndarray:
    """What should look alike whatever its source: ``condition, level`` of tissue, ``condition, donor`` of lines."""
    tissue, donor = scope_of(obs) == "tissue", obs["donor"].astype(str)
    # Mixtures of lines are numbered in each dataset: those of two datasets are not the same cells.
    donor = donor.where(~donor.str.startswith(MIXTURE), obs["dataset"].astype(str) + " " + donor)
    within = np.where(tissue, obs["level"].astype(str), donor)
    return (obs["condition"].astype(str).to_numpy(dtype=object) + ", " + within).astype(str)


def shared_donors(obs: pd.DataFrame, source: np.ndarray) -> pd.DataFrame:
    """Sources × sources: donors that can be compared, the fewer of both in each group, summed over shared groups."""
    frame = pd.DataFrame({"group": group_of(obs), "source": source, "donor": obs["donor"].astype(str).to_numpy()})
    counts = frame.groupby(["group", "source"])["donor"].nunique().unstack(fill_value=0)
    names = counts.columns
    both = [[int(np.minimum(counts[a], counts[b]).sum()) for b in names] for a in names]
    return pd.DataFrame(both, index=names, columns=names)


def components(shared: pd.DataFrame) -> list[list[str]]:
    """Sources that are linked by shared donors, directly or through others."""
    count, label = connected_components(shared.to_numpy() >= MIN_SHARED, directed=False)
    return [list(shared.index[label == part]) for part in range(count)]


@dataclass(frozen=True)
class Adjustment:
    """Affine change of the profiles of one source: ``centre + (x - centre - shift) * factor``, gene by gene.

    It does not look at the condition of a profile, so that no label leaks into held-out profiles.

    Attributes
    ----------
    centre : ndarray (genes,)
        Mean of the shared groups, without the sources' shifts.
    shift : ndarray (genes,)
        What the source adds, log2 units; sources' shifts sum to 0.
    factor : ndarray (genes,)
        Pooled standard deviation within groups over that of the source; 1 for ``linear``.
    """

    centre: np.ndarray
    shift: np.ndarray
    factor: np.ndarray

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Adjusted profiles (n × genes)."""
        return self.centre + (x - self.centre - self.shift) * self.factor


def fit_sources(x: np.ndarray, group: np.ndarray, source: np.ndarray, method: str) -> dict[str, Adjustment]:
    """Adjustment of each source, estimated within the groups that several sources share.

    ``linear`` fits ``x = group + source`` by least squares, the sources' terms summing to zero, and takes the source's
    term away: limma's ``removeBatchEffect`` with the groups as design (Ritchie et al. 2015, Nucleic Acids Research
    43:e47). ``location_scale`` also brings the spread within groups to the pooled one, as ComBat does (Johnson et al.
    2007, Biostatistics 8:118), with a moderated variance in the place of its empirical Bayes.

    Parameters
    ----------
    x : ndarray (training profiles × genes)
        log2 expression, of linked sources.
    group, source : ndarray of str (training profiles,)
        See :func:`group_of` and :func:`source_of`.
    method : str
        ``linear`` or ``location_scale``.

    Returns
    -------
    dict of Adjustment
        By source.
    """
    frame = pd.DataFrame({"group": group, "source": source})
    several = frame.groupby("group")["source"].transform("nunique").to_numpy() > 1
    x, group, source = np.asarray(x[several], dtype=np.float64), group[several], source[several]
    groups, g = np.unique(group, return_inverse=True)
    names, s = np.unique(source, return_inverse=True)
    contrasts = np.vstack([np.eye(len(names) - 1), -np.ones(len(names) - 1)])
    design = np.hstack([np.eye(len(groups))[g], contrasts[s]])
    coefficients = np.linalg.lstsq(design.T @ design, design.T @ x, rcond=None)[0]
    means, shifts = coefficients[: len(groups)], contrasts @ coefficients[len(groups) :]
    centre = means.mean(axis=0)
    factor = np.ones((len(names), x.shape[1]))
    if method == "location_scale":
        squares = (x - design @ coefficients) ** 2
        freedom = 1 - design.shape[1] / len(x)  # of the residuals, per profile
        pooled = squares.sum(axis=0) / (len(x) * freedom)
        for i in range(len(names)):
            own, n = squares[s == i].sum(axis=0) / freedom, (s == i).sum()
            variance = (own + PRIOR * pooled) / (n + PRIOR)
            factor[i] = np.sqrt(pooled / np.where(variance > 0, variance, 1))
            factor[i][(variance <= 0) | (pooled <= 0)] = 1
    return {str(name): Adjustment(centre, shifts[i], factor[i]) for i, name in enumerate(names)}


def _refuse(scope: str, parts: list[list[str]], method: str) -> None:
    alone, others = parts[-1], [s for part in parts[:-1] for s in part]
    raise UserError(
        f"source {', '.join(alone)} shares no group of {MIN_SHARED} training donors with {', '.join(others)} "
        f"({'conditions' if scope == 'tissue' else 'lines'} of the level {scope}): the difference of sources cannot be "
        "told from that of conditions",
        where=f"prepare.harmonisation: {method}",
        remedy="give conditions that are the same tissue one name (prepare.conditions.dataset_maps), name the sources "
        "as one in prepare.sources, or set it to none",
    )


def harmonise_sources(
    x: np.ndarray, obs: pd.DataFrame, train: np.ndarray, method: str
) -> tuple[np.ndarray, dict[str, Any]]:
    """Profiles whose sources are brought together, and what was done.

    Fitted on profiles of training donors. Values stay at 0 or above. A scope with one source is left alone.

    Parameters
    ----------
    x : ndarray (profiles × genes)
        log2 expression.
    obs : DataFrame
        ``source``, ``donor``, ``condition``, ``level``.
    train : ndarray of bool (profiles,)
        Profiles of training donors.
    method : str
        One of :data:`METHODS`.

    Returns
    -------
    x : ndarray
        A copy where something was done.
    report : dict
        ``method``, and by scope ``sources``, ``training_profiles``, ``mean_shift`` (mean absolute shift, log2 units),
        ``cut`` (share of values that were cut at 0).

    Raises
    ------
    UserError
        If the sources of a scope share no group, so that a source is confounded with a condition.
    """
    report: dict[str, Any] = {"method": method, "scopes": {}}
    if method == "none":
        return x, report
    scope, source = scope_of(obs), obs["source"].astype(str).to_numpy()
    group, out = group_of(obs), x
    for name in np.unique(scope):
        inside = scope == name
        fitted_on = inside & train
        parts = components(shared_donors(obs[fitted_on], source[fitted_on]))
        unseen = sorted(set(source[inside]) - set(source[fitted_on]))
        parts += [[s] for s in unseen]
        if len(set(source[inside])) < 2:
            continue
        if len(parts) > 1:
            _refuse(str(name), parts, method)
        out = out.copy() if out is x else out
        shift, cut = dict.fromkeys(sorted(set(source[inside])), 0.0), 0
        for start in range(0, x.shape[1], GENES_AT_A_TIME):
            genes = slice(start, start + GENES_AT_A_TIME)
            fitted = fit_sources(x[fitted_on, genes], group[fitted_on], source[fitted_on], method)
            for one, adjustment in fitted.items():
                rows = inside & (source == one)
                values = adjustment.apply(x[rows, genes])
                cut += int((values < 0).sum())
                out[rows, genes] = np.maximum(values, 0).astype(x.dtype)
                shift[one] += float(np.abs(adjustment.shift).sum())
        report["scopes"][str(name)] = {
            "sources": list(shift), "training_profiles": int(fitted_on.sum()),
            "mean_shift": {one: round(total / x.shape[1], 4) for one, total in shift.items()},
            "cut": round(cut / (int(inside.sum()) * x.shape[1]), 6),
        }  # fmt: skip
        log.info("%s: %d sources harmonised (%s)", name, len(shift), method)
    if not report["scopes"]:
        raise UserError(
            "no level has profiles of several sources: there is nothing to harmonise",
            where=f"prepare.harmonisation: {method}",
            remedy="set it to none, or say in prepare.sources what the sources are",
        )
    return out, report


def sources_table(obs: pd.DataFrame) -> pd.DataFrame:
    """Which condition and level is from which source: ``level condition source donors profiles``, sorted."""
    keys = ["level", "condition", "source"]
    frame = obs[[*keys, "donor"]].astype(str)
    return frame.groupby(keys)["donor"].agg(donors="nunique", profiles="size").reset_index()


def single_source(table: pd.DataFrame) -> list[dict[str, str]]:
    """Where the difference of two classes is also one of sources.

    Parameters
    ----------
    table : DataFrame
        :func:`sources_table`.

    Returns
    -------
    list of dict
        ``kind`` (``conditions``: conditions of a level that has several sources, but share none; ``contexts``: tumours
        and normals of a condition that have no source in common), ``where`` and ``what``.
    """
    out: list[dict[str, str]] = []
    for level, rows in table.groupby("level"):
        by_condition = rows.groupby("condition")["source"].agg(frozenset)
        if len(by_condition) < 2 or rows["source"].nunique() < 2:
            continue
        by_source = by_condition.groupby(by_condition).groups
        out += [
            {
                "kind": "conditions", "where": str(level),
                "what": f"{some(sorted(by_source[a]), 4)} ({', '.join(sorted(a))}) and {some(sorted(by_source[b]), 4)} "
                f"({', '.join(sorted(b))}) have no source in common",
            }
            for a, b in combinations(by_source, 2)
            if not a & b
        ]  # fmt: skip
    tissue = table[table["level"].isin(["tumour", "normal"])]
    for condition, rows in tissue.groupby("condition"):
        parts = rows.groupby("level")["source"].agg(set)
        if len(parts) == 2 and not parts["tumour"] & parts["normal"]:
            out.append(
                {
                    "kind": "contexts", "where": str(condition),
                    "what": f"tumours are from {', '.join(sorted(parts['tumour']))}, normals from "
                    f"{', '.join(sorted(parts['normal']))}",
                }
            )  # fmt: skip
    return out
