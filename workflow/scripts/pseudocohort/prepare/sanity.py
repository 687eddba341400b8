"""Does a sample look like what its annotation says? Warnings only: nothing is relabelled or removed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

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


def _standard(x: np.ndarray) -> np.ndarray:
    """Rows with mean 0 and norm 1, so that a product is Pearson's correlation; constant rows become 0."""
    centred = x - x.mean(1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    return centred / np.where(norm > 0, norm, 1)


def suspicious_labels(x: np.ndarray, obs: pd.DataFrame) -> dict[str, Any]:
    """Samples that are closer to the centroid of another condition of their level than to that of their own.

    Centroids are of gene-centred log expression, by Pearson's correlation on the most variable genes (nearest centroid
    as in Sørlie et al. 2003, PNAS 100:8418). A sample is compared with centroids without its own donor, so that it does
    not vote for itself. Neighbouring subtypes overlap: the list is where to look first, not what is wrong.

    Parameters
    ----------
    x : ndarray
        log2 expression (n × genes).
    obs : DataFrame
        ``donor``, ``condition``, ``level``; index: ids.

    Returns
    -------
    dict
        ``checked``, ``disagree`` (how many), and ``samples``, the clearest first: ``sample, label, nearest, own``
        (correlation with its own condition) and ``other`` (with the nearest).
    """
    rows: list[dict[str, Any]] = []
    checked = 0
    level = obs["level"].astype(str).to_numpy()
    for name in np.unique(level):
        inside = np.flatnonzero(level == name)
        label, donor = (obs[c].astype(str).to_numpy()[inside] for c in ("condition", "donor"))
        classes, code = np.unique(label, return_inverse=True)
        if len(classes) < 2:
            continue
        variance = x[inside].var(axis=0)
        genes = np.sort(np.argsort(-variance, kind="stable")[:GENES])
        part = x[np.ix_(inside, genes)].astype(np.float64)
        part -= part.mean(axis=0)
        one_hot = np.eye(len(classes))[code]
        sums, sizes = one_hot.T @ part, one_hot.sum(axis=0)
        for one in np.unique(donor):
            own = np.flatnonzero(donor == one)
            left = sizes - one_hot[own].sum(axis=0)
            centroids = (sums - one_hot[own].T @ part[own]) / np.maximum(left, 1)[:, None]
            correlation = _standard(part[own]) @ _standard(centroids).T
            correlation[:, left == 0] = -np.inf
            for at, row in zip(own, correlation, strict=True):
                if left[code[at]] == 0:
                    continue
                checked += 1
                nearest = int(row.argmax())
                if nearest != code[at]:
                    rows.append(
                        {
                            "sample": str(obs.index[inside[at]]), "label": str(label[at]),
                            "nearest": str(classes[nearest]), "own": round(float(row[code[at]]), 3),
                            "other": round(float(row[nearest]), 3),
                        }
                    )  # fmt: skip
    rows.sort(key=lambda r: (r["own"] - r["other"], r["sample"]))
    return {"checked": checked, "disagree": len(rows), "samples": rows[:LISTED]}


def repeated_samples(x: np.ndarray, obs: pd.DataFrame) -> dict[str, Any]:
    """Samples with the very same values, and donors with several samples of one condition and level.

    Returns
    -------
    dict
        ``identical`` (groups of ids) and ``donors_with_several`` (how many donors, condition by condition and level).
    """
    groups: dict[bytes, list[str]] = {}
    for sample, values in zip(obs.index, x, strict=True):
        groups.setdefault(np.ascontiguousarray(values).tobytes(), []).append(str(sample))
    several = obs.astype({"donor": str, "condition": str, "level": str}).groupby(["donor", "condition", "level"]).size()
    return {
        "identical": [ids for ids in groups.values() if len(ids) > 1][:LISTED],
        "donors_with_several": int((several > 1).sum()),
    }


def wrong_sex(x: np.ndarray, obs: pd.DataFrame, genes: pd.Index) -> dict[str, Any]:
    """Samples whose sex genes contradict their annotation.

    XIST above RPS4Y1 is female, the other way round male; samples where neither is on are left out. In tumours both
    can be lost, so a contradiction in a tumour weighs less than one in normal tissue.

    Returns
    -------
    dict
        ``column`` (empty where sex is not known, or the genes are not measured), ``checked``, and ``samples``:
        ``sample, sex, xist, rps4y1``.
    """
    column = next((c for c in SEX_COLUMNS if c in obs), "")
    if not column or XIST not in genes or RPS4Y1 not in genes:
        return {"column": "", "checked": 0, "samples": []}
    words = obs[column].astype(str).str.strip().str.lower().str.removesuffix(".0")
    declared = np.where(words.isin(FEMALE), "female", np.where(words.isin(MALE), "male", ""))
    xist, rps4y1 = (x[:, genes.get_loc(gene)] for gene in (XIST, RPS4Y1))
    found = np.where(xist > rps4y1, "female", "male")
    known = (declared != "") & (np.maximum(xist, rps4y1) > SEX_GENE_ON)
    wrong = np.flatnonzero(known & (found != declared))
    samples = [
        {"sample": str(obs.index[i]), "sex": str(declared[i]), "xist": round(float(xist[i]), 2),
         "rps4y1": round(float(rps4y1[i]), 2)}
        for i in wrong
    ]  # fmt: skip
    return {"column": column, "checked": int(known.sum()), "samples": samples[:LISTED]}


def sanity(x: np.ndarray, obs: pd.DataFrame, genes: pd.Index) -> dict[str, Any]:
    """All of the above: ``labels``, ``repeated``, ``sex``; JSON-able."""
    return {
        "labels": suspicious_labels(x, obs),
        "repeated": repeated_samples(x, obs),
        "sex": wrong_sex(x, obs, genes),
    }
