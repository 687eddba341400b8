"""Does a sample look like what its annotation says? Warnings only: nothing is relabelled or removed."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd

#: Genes whose variance is computed at once.
AT_A_TIME = 2_000
#: Genes with the largest variance that labels are judged on.
GENES = 2_000
#: Transcripts of one sex: XIST of the inactive X chromosome, RPS4Y1 of the Y.
XIST, RPS4Y1 = "ENSG00000229807", "ENSG00000129824"
#: A sex gene below this (log2 units) is off.
SEX_GENE_ON = 1.0
SEX_COLUMNS = ("sex", "gender", "SEX", "Sex", "Gender")
#: Words for the sexes; 1 and 2 are GTEx's.
FEMALE, MALE = {"female", "f", "woman", "2"}, {"male", "m", "man", "1"}
#: Longest list in a report.
LISTED = 50
#: Other donors that a condition needs to be a centroid: one donor is no class.
MIN_DONORS = 2
#: A suspect is clear from this share of the other condition's members on that are less typical of it.
CLEAR = 0.5


def standard_rows(x: np.ndarray) -> np.ndarray:
    """Rows with mean 0 and norm 1, so that a product is Pearson's correlation; constant rows become 0."""
    centred = x - x.mean(1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    return centred / np.where(norm > 0, norm, 1)


def _variances(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Variance of each gene among some rows, some genes at a time: no copy of a matrix of full size."""
    steps = range(0, x.shape[1], AT_A_TIME)
    return np.concatenate([x[rows, start : start + AT_A_TIME].var(axis=0) for start in steps])


def suspicious_labels(x: np.ndarray, obs: pd.DataFrame, only: np.ndarray | None = None) -> dict[str, Any]:
    """Samples that are closer to the centroid of another condition of their level than to that of their own.

    Centroids are of gene-centred log expression, by Pearson's correlation on the most variable genes (nearest centroid
    as in Sørlie et al. 2003, PNAS 100:8418). A sample is compared with centroids without its own donor, so that it does
    not vote for itself; a condition with fewer than two other donors is none. Neighbouring subtypes overlap, so
    suspects are sorted by how typical they are of the other condition: ``typical`` is the share of its own members that
    are less clearly its members. From .5 on a suspect is ``clear``: it looks more like a member of the other condition
    than half of those do.

    Parameters
    ----------
    x : ndarray
        log2 expression (n × genes).
    obs : DataFrame
        ``donor``, ``condition``, ``level``; index: ids.
    only : ndarray of bool, optional
        Samples that are judged; the others only make centroids.

    Returns
    -------
    dict
        ``checked``, ``disagree`` (how many), ``clear`` (how many of them), ``why_none`` (where none was checked), and
        ``samples``, the clearest first: ``sample, level, label, nearest, own`` (correlation with its own condition),
        ``other`` (with the nearest) and ``typical``.
    """
    judged: list[dict[str, Any]] = []
    reasons: dict[str, str] = {}
    only = np.ones(len(x), dtype=bool) if only is None else only
    level = obs["level"].astype(str).to_numpy()
    for name in np.unique(level[only]):
        inside = np.flatnonzero(level == name)
        label, donor = (obs[c].astype(str).to_numpy()[inside] for c in ("condition", "donor"))
        classes, code = np.unique(label, return_inverse=True)
        if len(classes) < 2:
            reasons[str(name)] = f"every {name} sample has one condition, {classes[0]}"
            continue
        variance = _variances(x, inside)
        genes = np.sort(np.argsort(-variance, kind="stable")[:GENES])
        part = x[np.ix_(inside, genes)].astype(np.float64)
        part -= part.mean(axis=0)
        one_hot = np.eye(len(classes))[code]
        sums, sizes = one_hot.T @ part, one_hot.sum(axis=0)
        donors = np.array([len(np.unique(donor[code == c])) for c in range(len(classes))])
        before = len(judged)
        for one in np.unique(donor):
            own = np.flatnonzero(donor == one)
            taken = one_hot[own].sum(axis=0)
            left, others = sizes - taken, donors - (taken > 0)
            centroids = (sums - one_hot[own].T @ part[own]) / np.maximum(left, 1)[:, None]
            correlation = standard_rows(part[own]) @ standard_rows(centroids).T
            correlation[:, others < MIN_DONORS] = -np.inf
            for at, row in zip(own, correlation, strict=True):
                if others[code[at]] < MIN_DONORS or (others >= MIN_DONORS).sum() < 2:
                    continue
                best = int(row.argmax())
                rival = int(np.where(np.arange(len(row)) == code[at], -np.inf, row).argmax())
                judged.append(
                    {
                        "sample": str(obs.index[inside[at]]), "level": str(name), "label": str(label[at]),
                        "nearest": str(classes[best]), "own": float(row[code[at]]), "other": float(row[rival]),
                        "judge": bool(only[inside[at]]),
                    }
                )  # fmt: skip
        if len(judged) == before:
            reasons[str(name)] = f"no two conditions of level {name} have {MIN_DONORS} other donors"
    table = pd.DataFrame(judged, columns=["sample", "level", "label", "nearest", "own", "other", "judge"])
    table["margin"] = (table["own"] - table["other"]).abs()
    agrees = table["label"] == table["nearest"]
    members = {key: np.sort(rows["margin"]) for key, rows in table[agrees].groupby(["level", "nearest"])}
    suspects = table[~agrees & table["judge"].astype(bool)].copy()
    suspects["typical"] = [
        float(np.searchsorted(members[key], margin) / len(members[key])) if key in members else 0.0
        for *key_, margin in suspects[["level", "nearest", "margin"]].itertuples(index=False)
        for key in [tuple(key_)]
    ]
    suspects = suspects.sort_values(["typical", "margin", "sample"], ascending=[False, False, True])
    columns = ["sample", "level", "label", "nearest", "own", "other", "typical"]
    checked = int(table["judge"].sum())
    return {
        "checked": checked,
        "disagree": len(suspects),
        "clear": int((suspects["typical"] >= CLEAR).sum()),
        "why_none": "" if checked else "; ".join(reasons.values()) or "there are no samples",
        "samples": suspects[columns].round({"own": 3, "other": 3, "typical": 3}).head(LISTED).to_dict("records"),
    }


def repeated_samples(x: np.ndarray, obs: pd.DataFrame) -> dict[str, Any]:
    """Samples with the very same values, and donors with several samples of one condition and level.

    Returns
    -------
    dict
        ``identical`` (groups of ids) and ``donors_with_several`` (how many donors, condition by condition and level).
    """
    groups: dict[bytes, list[str]] = {}
    for sample, values in zip(obs.index, x, strict=True):
        key = hashlib.sha256(np.ascontiguousarray(values)).digest()
        groups.setdefault(key, []).append(str(sample))
    several = obs.astype({"donor": str, "condition": str, "level": str}).groupby(["donor", "condition", "level"]).size()
    return {
        "identical": [ids for ids in groups.values() if len(ids) > 1][:LISTED],
        "donors_with_several": int((several > 1).sum()),
    }


def wrong_sex(x: np.ndarray, obs: pd.DataFrame, genes: pd.Index) -> dict[str, Any]:
    """Samples whose sex genes contradict their annotation.

    XIST above RPS4Y1 is female, the other way round male; samples where neither is on are left out. In tumours both
    can be lost, so a contradiction in a tumour weighs less than one in normal tissue: normal tissue comes first, then
    the larger difference of the two genes.

    Returns
    -------
    dict
        ``column`` (empty where sex is not known), ``checked``, ``disagree`` (how many), ``why_none`` (where none was
        checked), and ``samples``: ``sample, level, sex, xist, rps4y1``.
    """
    column = next((c for c in SEX_COLUMNS if c in obs), "")
    missing = [name for name, gene in (("XIST", XIST), ("RPS4Y1", RPS4Y1)) if gene not in genes]
    why = "no column of the sample table is kept as sex (covariates of the dataset sheet)" if not column else ""
    if missing:
        why = "; ".join(filter(None, (why, f"{' and '.join(missing)} not measured")))
    if why:
        return {"column": column, "checked": 0, "disagree": 0, "why_none": why, "samples": []}
    words = obs[column].astype(str).str.strip().str.lower().str.removesuffix(".0")
    declared = np.where(words.isin(FEMALE), "female", np.where(words.isin(MALE), "male", ""))
    xist, rps4y1 = (x[:, genes.get_loc(gene)] for gene in (XIST, RPS4Y1))
    found = np.where(xist > rps4y1, "female", "male")
    known = (declared != "") & (np.maximum(xist, rps4y1) > SEX_GENE_ON)
    level = obs["level"].astype(str).to_numpy()
    wrong = np.flatnonzero(known & (found != declared))
    wrong = wrong[np.lexsort((-np.abs(xist - rps4y1)[wrong], level[wrong] != "normal"))]
    samples = [
        {"sample": str(obs.index[i]), "level": str(level[i]), "sex": str(declared[i]),
         "xist": round(float(xist[i]), 2), "rps4y1": round(float(rps4y1[i]), 2)}
        for i in wrong
    ]  # fmt: skip
    if not (declared != "").any():
        why = f"no value of column {column!r} is a sex; the first is {obs[column].iloc[0]!r}"
    elif not known.any():
        why = "neither XIST nor RPS4Y1 is on in any sample of known sex"
    return {
        "column": column, "checked": int(known.sum()), "disagree": len(wrong), "why_none": why,
        "samples": samples[:LISTED],
    }  # fmt: skip


def sanity(x: np.ndarray, obs: pd.DataFrame, genes: pd.Index) -> dict[str, Any]:
    """All of the above: ``labels``, ``repeated``, ``sex``; JSON-able."""
    return {
        "labels": suspicious_labels(x, obs),
        "repeated": repeated_samples(x, obs),
        "sex": wrong_sex(x, obs, genes),
    }
