"""Scores TRANSLATE on patients of whom tumour and normal were both profiled.

The score is on the normal, beyond the mean normal of the class, and not on the change from tumour to normal: that
change contains the known tumour, so that the same mean normal for everyone already correlates with it (r .746 on six
cancers). Folds are by patient, and the patient is the unit of repetition.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold

from ...core.errors import UserError
from ...core.io import evaluation_table
from ...core.seeds import derive, generator
from ...generators.fit.batch import fit
from ...intervene.translation import (
    MIN_OF_CLASS,
    MIN_PAIRS,
    Identity,
    Pairs,
    Translation,
    centred,
    own_rank,
    pairs_of,
    transport,
)
from ..privacy.attacks import ATTACKS, CannotRun, attack_space, chosen
from ..shared.statistics import row_correlation

FOLDS = 10
#: Numbers of pairs of the learning curve.
CURVE = (12, 24, 48, 96, 192)
CURVE_DRAWS = 3
#: Times that tumours are dealt in or out of the cohort that is attacked.
COINS = 10
ALL = "all"


def score(profiles: ad.AnnData, *, study: str, seed: int, flow: dict[str, Any] | None = None) -> pd.DataFrame:
    """Evaluation table of TRANSLATE and its baselines.

    Parameters
    ----------
    flow : dict, optional
        Settings of a flow, whose inversion is a further baseline; None: none.

    Returns
    -------
    DataFrame
        Long table; generator = predictor, regime = condition or all, repeat = patient. ``r2`` is the variance of the
        normals around the class mean that is explained, as the patients' pseudo-values of the jackknife (Efron and
        Tibshirani 1993, section 11.5), whose mean and spread are those of the pooled figure; ``r`` the correlation
        over genes, ``r_gain_over_plain_shift`` its paired difference; ``own_rank`` and ``own_first`` say how well the
        own normal is found among those of the condition, from the tumour (``identity``) or from its translation.
        Tasks: ``translate`` (folds by patient), ``translate_curve`` (with ``n_real`` pairs to learn from),
        ``translate_unseen`` (no pair of the condition), ``translate_attacked`` (membership attacks on translated
        profiles, see :func:`attacked`).

    Raises
    ------
    UserError
        If there are fewer than :data:`.MIN_PAIRS` pairs of conditions with :data:`.MIN_OF_CLASS` or more.
    """
    pairs = pairs_of(profiles).common()
    if len(pairs) < MIN_PAIRS:
        raise UserError(
            f"{len(pairs)} patients have both a tumour and a normal profile, of conditions with {MIN_OF_CLASS} or more "
            f"such patients; {MIN_PAIRS} are needed",
            where="interventions.truths",
            remedy="leave the truth of kind pairs out; the class-mean normal is the answer without pairs",
        )
    keys = {"study": study, "seed": seed}
    folds = list(KFold(FOLDS, shuffle=True, random_state=derive(seed, "folds")).split(pairs.donors))
    made = cross_fitted(pairs, folds, seed=seed)
    if flow is not None:
        made["flow_inversion"] = inverted(pairs, folds, flow, seed=seed)
    truth = made.pop("truth")
    rows = _scored(pairs, truth, made, keys | {"task": "translate"})
    profiles_made = made["translate"] + pairs.normal - truth
    rows += [
        keys | {"task": "translate_attacked", "generator": "translate", "regime": ALL} | row
        for row in attacked(pairs, profiles_made, seed=seed)
    ]
    found = {"identity": identified(pairs, folds), "translate": linked(pairs, truth, made["translate"])}
    for (predictor, rank), name in product(found.items(), (ALL, *np.unique(pairs.classes))):
        for i in np.flatnonzero((pairs.classes == name) | (name == ALL)):
            one = {**keys, "task": "translate", "generator": predictor, "regime": name, "repeat": int(i)}
            rows += [
                one | {"metric": "own_rank", "value": rank[i]},
                one | {"metric": "own_first", "value": rank[i] == 1},
            ]
    for n in [k for k in CURVE if k < 0.8 * len(pairs)]:
        draws = []
        for draw in range(CURVE_DRAWS):
            rng = generator(seed, "curve", n, draw)
            some = [(rng.permutation(train)[:n], train, test) for train, test in folds]
            draws.append(_translated(pairs, some, seed=seed)[1])
        values = np.mean([pseudo_r2(truth, d) for d in draws], axis=0)
        one = {**keys, "task": "translate_curve", "generator": "translate", "regime": ALL, "n_real": n, "metric": "r2"}
        rows += [one | {"repeat": i, "value": v} for i, v in enumerate(values)]
    if len(np.unique(pairs.classes)) > 1:
        others = [(train[pairs.classes[train] != c], train, test[pairs.classes[test] == c])
                  for c in np.unique(pairs.classes) for train, test in folds]  # fmt: skip
        truth, unseen = _translated(pairs, [f for f in others if len(f[2])], seed=seed)
        rows += _scored(pairs, truth, {"translate": unseen}, keys | {"task": "translate_unseen"})
    return evaluation_table([row | {"level": "normal"} for row in rows])


def cross_fitted(pairs: Pairs, folds: list[tuple[np.ndarray, np.ndarray]], *, seed: int) -> dict[str, np.ndarray]:
    """Normals of all patients less their class mean (n, G): ``truth`` and what predictors that saw none of them say."""
    truth, translated = _translated(pairs, [(train, train, test) for train, test in folds], seed=seed)
    out = {"truth": truth, "translate": translated, "class_mean": np.zeros_like(truth)}
    out |= {name: np.zeros_like(truth) for name in ("plain_shift", "bures")}
    for train, test in folds:
        tumour, normal = pairs.take(train).means()
        out["plain_shift"][test] = centred(pairs.tumour[test], pairs.classes[test], tumour)
        for c in np.unique(pairs.classes[test]):
            here, known = test[pairs.classes[test] == c], train[pairs.classes[train] == c]
            out["bures"][here] = transport(pairs.tumour[known], pairs.normal[known], pairs.tumour[here]) - normal[c]
    return out


def inverted(
    pairs: Pairs, folds: list[tuple[np.ndarray, np.ndarray]], settings: dict[str, Any], *, seed: int
) -> np.ndarray:
    """Normals of all patients less their class mean (n, G), by the inversion of flows that saw none of them.

    The flow gets tumours and normals without being told which belong together, as where there are no pairs: what it
    gives is one possible normal of a tumour, not the patient's.
    """
    from ...generators.models.flow.translation import translated  # torch takes seconds to import

    out = np.zeros_like(pairs.normal)
    for number, (train, test) in enumerate(folds):
        own = pairs.take(train)
        x = np.concatenate([own.tumour, own.normal]).astype(np.float32)
        data = ad.AnnData(x, obs=pd.concat([_annotated(own, level) for level in ("tumour", "normal")]))
        members = pd.DataFrame({"sample_id": data.obs_names, "condition": data.obs["condition"].to_numpy()})
        fitted = fit(
            data, members.assign(training_set="pairs", role="train"), ["pairs"], generator="flow", settings=settings,
            seed=derive(seed, "flow", number), device="cpu",
        )[0]  # fmt: skip
        asked = pairs.take(test)
        obs, wanted = (_annotated(asked, level) for level in ("tumour", "normal"))
        made = fitted.log2(translated(fitted.model, fitted.standardised(asked.tumour, obs), obs, wanted), wanted)
        out[test] = centred(np.maximum(made, 0), asked.classes, own.means()[1])
    return out


def _annotated(pairs: Pairs, level: str) -> pd.DataFrame:
    """What a generator is told of the profiles of one level."""
    about = {"donor": pairs.donors, "condition": pairs.classes, "technology": "bulk", "aggregation": "bulk"}
    names = [f"{donor}|{condition}|{level}" for donor, condition in zip(pairs.donors, pairs.classes, strict=True)]
    return pd.DataFrame(about | {"context": level, "level": level, "dataset": "pairs"}, index=names)


def attacked(pairs: Pairs, translated: np.ndarray, *, seed: int) -> list[dict[str, Any]]:
    """AUC of membership attacks: was the tumour of a patient, whose normal the attacker holds, among those translated?

    Each patient's tumour is in the cohort by a coin; the predictor is the same for both sides and saw neither profile
    of the patient. A fifth of the normals is the attacker's reference. What is found is due to the translated profile.

    Parameters
    ----------
    translated : ndarray (n, G)
        Predicted normal of each pair, log2 units.
    """
    rows = []
    for coin in range(COINS):
        rng = generator(seed, "attacked", coin)
        reference = rng.random(len(pairs)) < 0.2
        member = ~reference & (rng.random(len(pairs)) < 0.5)
        candidate = ~reference
        space = attack_space(
            pairs.normal[candidate], pairs.normal[reference], translated[member],
            pairs.classes[candidate], pairs.classes[reference], pairs.classes[member],
        )  # fmt: skip
        for name in chosen([]):
            try:
                scores = ATTACKS[name](space, seed=derive(seed, "attacked", coin, name))
            except CannotRun:
                continue
            auc = float(roc_auc_score(member[candidate], scores))
            rows.append({"estimator": name, "metric": "auc", "repeat": coin, "value": auc})
    return rows


def identified(pairs: Pairs, folds: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Rank (n,) of each patient's own normal among all of the condition, by what the pairs of others teach."""
    rank = np.full(len(pairs), np.nan)
    for train, test in folds:
        means = pairs.take(train).means()
        a, b = (centred(x, pairs.classes, m) for x, m in zip((pairs.tumour, pairs.normal), means, strict=True))
        model = Identity.fit(a[train], b[train])
        for c in np.unique(pairs.classes[test]):
            here, every = test[pairs.classes[test] == c], np.flatnonzero(pairs.classes == c)
            rank[here] = own_rank(model.similarity(a[here], b[every]), np.searchsorted(every, here))
    return rank


def linked(pairs: Pairs, truth: np.ndarray, translated: np.ndarray) -> np.ndarray:
    """Rank (n,) of each patient's own normal among all of the condition, by its correlation with the translated one."""
    rank = np.full(len(pairs), np.nan)
    for c in np.unique(pairs.classes):
        here = np.flatnonzero(pairs.classes == c)
        rank[here] = own_rank(
            np.corrcoef(translated[here], truth[here])[: len(here), len(here) :], np.arange(len(here))
        )
    return rank


def pseudo_r2(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Pseudo-values of the explained variance (n,), one for each row left out."""
    error, total = ((truth - predicted) ** 2).sum(1), (truth**2).sum(1)
    every, without = 1 - error.sum() / total.sum(), 1 - (error.sum() - error) / (total.sum() - total)
    return len(truth) * every - (len(truth) - 1) * without


def _translated(
    pairs: Pairs, folds: list[tuple[np.ndarray, np.ndarray, np.ndarray]], *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Truth and predictions (n, G) of the last rows of each fold, learned from the pairs of its first rows.

    The second rows are those whose class means are known: for these, no pairs are needed.
    """
    truth, made = np.zeros_like(pairs.normal), np.zeros_like(pairs.normal)
    for number, (learned, known, test) in enumerate(folds):
        fit, means = pairs.take(learned), pairs.take(known).means()
        own = means if set(fit.classes) <= set(means[0]) else fit.means()
        a, b = (centred(x, fit.classes, m) for x, m in zip((fit.tumour, fit.normal), own, strict=True))
        model = Translation.fit(a, b, seed=derive(seed, "penalty", number))
        truth[test] = centred(pairs.normal[test], pairs.classes[test], means[1])
        made[test] = model.change(centred(pairs.tumour[test], pairs.classes[test], means[0]))
    return truth, made


def _scored(pairs: Pairs, truth: np.ndarray, made: dict[str, np.ndarray], keys: dict[str, Any]) -> list[dict[str, Any]]:
    correlation = {name: row_correlation(truth, predicted) for name, predicted in made.items()}
    rows = []
    for name, predicted in made.items():
        for condition in (ALL, *np.unique(pairs.classes)):
            here = np.flatnonzero((pairs.classes == condition) | (condition == ALL))
            values = {"r2": pseudo_r2(truth[here], predicted[here]), "r": correlation[name][here]}
            if "plain_shift" in made and name != "plain_shift":
                values["r_gain_over_plain_shift"] = (correlation[name] - correlation["plain_shift"])[here]
            one = {**keys, "generator": name, "regime": condition}
            rows += [
                one | {"repeat": int(i), "metric": metric, "value": float(v)}
                for metric, found in values.items()
                for i, v in zip(here, found, strict=True)
            ]
    return rows
