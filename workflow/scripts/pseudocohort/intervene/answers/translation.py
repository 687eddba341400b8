"""A tumour as normal tissue."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from ...core.errors import UserError
from ...core.seeds import derive
from ..questions import Question
from ..study import Study
from ..translation import MIN_OF_CLASS, MIN_PAIRS, Identity, Pairs, Translation, centred, own_rank, pairs_of
from .base import ASSUMPTIONS, NOT_FOR, Answer


def translated(question: Question, study: Study) -> Answer:
    """Tumours as normal tissue: each patient's own where pairs teach it, else the mean normal."""
    out = Answer(question, assumptions=[ASSUMPTIONS["translate"]], not_for=NOT_FOR["translate"])
    conditions = [question.condition] if question.condition else sorted(set(study.condition))
    able = [
        c for c in conditions
        if all(((study.condition == c) & (study.level == v)).any() for v in ("tumour", "normal"))
    ]  # fmt: skip
    if not able:
        raise UserError(
            f"no normal profile of {question.condition or 'any condition'}",
            remedy="add normals of the tissue, e.g. GTEx; without them there is no normal to translate to",
        )
    every = np.isin(study.condition, able) & (study.level == "tumour")
    if question.donors:
        every &= np.isin(study.donor, question.donors)
    rows = np.flatnonzero(every)
    if not len(rows):
        raise UserError("none of the donors has a tumour profile", remedy="name donors as in the sample table")
    means = {
        level: {c: study.x[(study.condition == c) & (study.level == level)].mean(0) for c in able}
        for level in ("tumour", "normal")
    }
    conditions = study.condition[rows]
    paired = np.zeros(len(rows), bool)
    try:
        pairs = pairs_of(study.profiles).common()
        n_pairs = len(pairs)
    except UserError:
        n_pairs = 0
    out.facts = {
        "Pairs": f"{n_pairs} patients with tumour and normal, of conditions with {MIN_OF_CLASS} or more of them",
        "Unit": "log2 expression",
    }
    table = pd.DataFrame({"gene": study.genes, "symbol": study.symbols})
    table["normal_mean"] = _mean_of(means["normal"], conditions)
    if n_pairs < MIN_PAIRS:
        out.status = "refused"
        reason = (
            f"{n_pairs} pairs of tumour and normal, of conditions with {MIN_OF_CLASS} or more; {MIN_PAIRS} are needed "
            "to tell a patient's normal from the mean"
        )
        out.refusals.append({
            "operator": "TRANSLATE", "gene": "", "reason": reason,
            "alternative": "the class-mean normal, which is in the table; any one normal would be a guess",
        })  # fmt: skip
        out.words = [f"Refused: {reason}. The table holds the class-mean normal."]
        out.table = table
        return out
    seed = derive(study.seed, "translate")
    own_means = pairs.means()
    a, b = (centred(x, pairs.classes, m) for x, m in zip((pairs.tumour, pairs.normal), own_means, strict=True))
    model, identity_weight = Translation.fit(a, b, seed=seed), Identity.fit(a, b).weights
    del a
    b, cross, rank = _cross_fitted(pairs, seed)
    position = {(d, c): i for i, (d, c) in enumerate(zip(pairs.donors, pairs.classes, strict=True))}
    lines = {}
    predicted = np.empty((len(rows), len(study.genes)), np.float32)
    sums = {"tumour": np.zeros(len(study.genes)), "predicted": np.zeros(len(study.genes))}
    for c in np.unique(conditions):  # one condition at a time: all tumours of a large study are many
        here = np.flatnonzero(conditions == c)
        x = study.x[rows[here]]
        fresh = model.change(x - means["tumour"][c])
        for i, change in zip(here, fresh, strict=True):
            at = position.get((study.donor[rows[i]], c))
            # Profiles of a pair are predicted, and their class means taken, without this patient.
            base = means["normal"][c] if at is None else pairs.normal[at] - b[at]
            if at is not None:
                change[:] = cross[at]
            line = {
                "donor": study.donor[rows[i]], "condition": c, "pair": at is not None,
                "size_of_own_part": float(np.sqrt(np.mean(change**2))),
            }  # fmt: skip
            if at is not None:
                paired[i] = True
                error, total = float(((b[at] - change) ** 2).sum()), float((b[at] ** 2).sum())
                line |= {"r2_over_class_mean": 1 - error / total, "r": float(np.corrcoef(b[at], change)[0, 1]),
                         "own_normal_rank": float(rank[at])}  # fmt: skip
            lines[i] = line
            change += base
        predicted[here] = fresh
        sums["tumour"] += x.sum(0)
        sums["predicted"] += fresh.sum(0)
    asked = np.isin(pairs.classes, able)
    total = (b[asked] ** 2).sum(1)
    error = ((b - cross)[asked] ** 2).sum(1)
    draws = np.random.default_rng(seed).integers(0, asked.sum(), (2000, asked.sum()))
    boot = 1 - error[draws].sum(1) / total[draws].sum(1)
    r2 = 1 - error.sum() / total.sum()
    low, high = np.percentile(boot, [2.5, 97.5])
    table["tumour_mean"], table["predicted_mean"] = sums["tumour"] / len(rows), sums["predicted"] / len(rows)
    table["sd_of_error"] = np.sqrt(((b - cross) ** 2).mean(0))
    table["variance_explained"] = 1 - ((b - cross)[asked] ** 2).sum(0) / np.maximum((b[asked] ** 2).sum(0), 1e-9)
    table["identity_weight"] = identity_weight
    out.table = table.sort_values("variance_explained", ascending=False, ignore_index=True)
    patients = pd.DataFrame([lines[i] for i in range(len(rows))])
    out.extra["patients"] = patients
    profiles = pd.DataFrame(predicted.round(4).T, columns=study.profiles.obs_names[rows])
    for column in ("symbol", "gene"):
        profiles.insert(0, column, table[column].to_numpy())
    out.extra["patients_profiles"] = profiles
    named = ", ".join(able)
    out.words = [
        f"{len(rows)} tumours of {named} were translated; {int(paired.sum())} of them have their own normal to compare "
        "with, and were predicted by models that saw neither.",
        f"Beyond the class-mean normal {100 * r2:.1f} % of the variance is explained "
        f"[{100 * low:.1f}, {100 * high:.1f}]" + ("." if low > 0 else ": no better than the class mean, so use that."),
        f"From the tumour alone the patient's own normal is found at mean rank {np.nanmean(rank[asked]):.2f} of the "
        f"condition's normals, first in {100 * np.mean(rank[asked] == 1):.0f} %: these profiles are personal data.",
    ]
    if low <= 0:
        out.status = "no better than the class mean"
    out.facts |= {
        "Interval": "bootstrap over patients; a gene's error has the standard deviation sd_of_error",
        "Personal data": "the files named patients: not for release",
    }
    shown = np.argsort(-(b[asked] ** 2).sum(0))[:40]
    first = next((i for i in range(len(rows)) if paired[i]), None)
    if first is not None:
        at = position[(study.donor[rows[first]], study.condition[rows[first]])]
        out.figures = {
            "kind": "translate", "symbols": study.symbols[shown].tolist(),
            "tumour": study.x[rows[first]][shown].tolist(),
            "predicted": predicted[first][shown].tolist(), "mean": (pairs.normal[at] - b[at])[shown].tolist(),
            "own": pairs.normal[at][shown].tolist(), "ranks": rank[asked].tolist(),
        }  # fmt: skip
    return out


def _mean_of(means: dict[str, np.ndarray], conditions: np.ndarray) -> np.ndarray:
    """Mean (G,) over profiles of the mean of their condition."""
    names, counts = np.unique(conditions, return_counts=True)
    return np.average([means[name] for name in names], axis=0, weights=counts)


def _cross_fitted(pairs: Pairs, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normals (n, G) less their class mean, what is predicted of that, and the rank of the own normal.

    Neither means nor models saw the patient.
    """
    truth, made, rank = np.zeros_like(pairs.normal), np.zeros_like(pairs.normal), np.full(len(pairs), np.nan)
    for train, test in KFold(10, shuffle=True, random_state=seed).split(truth):
        means = pairs.take(train).means()
        a, b = (centred(x, pairs.classes, m) for x, m in zip((pairs.tumour, pairs.normal), means, strict=True))
        truth[test] = b[test]
        made[test] = Translation.fit(a[train], b[train], seed=seed).change(a[test])
        identity = Identity.fit(a[train], b[train])
        for c in np.unique(pairs.classes[test]):
            here, candidates = test[pairs.classes[test] == c], np.flatnonzero(pairs.classes == c)
            rank[here] = own_rank(identity.similarity(a[here], b[candidates]), np.searchsorted(candidates, here))
    return truth, made, rank
