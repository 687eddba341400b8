"""Answers to the users' questions, as sentences made from the tables: each number beside its baseline.

Choosing the best of several generators and then quoting its interval would overstate it: intervals and p-values of the
best are corrected for the number of generators (Bonferroni), those of the tables are not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..combination.score import BASELINES
from .statistics import interval

#: Generators that are controls; a trained generator has to beat them.
CONTROLS = ("copy", "jitter", "mixup", "independent", "mvn", "mvn_camda")
#: Differences that a gain from the cell level is judged by.
PAIRED = ("both_minus_permuted", "gain_over_real_only", "gain_over_stacking", "gain_over_level_shift")
#: Regimes in which the generator saw what a user with n patients has.
HONEST = ("same_n", "unlabeled", "transfer")
WORDS = {
    "same_n": "trained on the same profiles",
    "unlabeled": "trained on them and on unlabelled profiles",
    "transfer": "trained on them and on other conditions and levels",
    "oracle": "trained on all training donors",
}
QUESTIONS = {
    "augmentation": "Do synthetic profiles improve prediction when few patients are at hand?",
    "privacy": "Can the synthetic cohort be shared instead of the patients' data?",
    "interventions": "What happens when a gene is perturbed?",
    "combination": "Is the cell level worth anything for tissues?",
    "held_out_level": "Can a condition be generated at a level where it was never seen?",
    "camda": "How do the generators do in the protocol of the CAMDA challenge?",
    "lacan": "How do they do by the metrics of Lacan et al., and are those enough?",
    "fidelity": "Do synthetic profiles look like patients never seen?",
}
#: What a generated condition is compared by, in words.
_HELD_OUT = {
    "centroid_r": "correlation of its centroid with the real one",
    "detection_auc": "AUC of a detector trained on it",
    "mmd": "distance of distributions (MMD)",
}
NOT_RUN = {"status": "not_run", "answer": "Not part of this study.", "points": []}


def number(value: float, digits: int = 2) -> str:
    """Number without a leading zero, with a real minus sign."""
    if not np.isfinite(value):
        return "n/a"
    text = f"{abs(value):.{digits}f}"
    text = text[1:] if text.startswith("0.") else text
    return f"−{text}" if value < 0 and float(f"{value:.{digits}f}") != 0 else text


def words(name: str) -> str:
    """Name of an attack or operator in words."""
    return " ".join(
        {"gaussian": "Gaussian", "pca": "PCA", "logan": "LOGAN", "domias": "DOMIAS"}.get(w, w) for w in name.split("_")
    )


def points(value: float) -> str:
    """Difference of two shares in percentage points, with its sign."""
    return f"{'+' if value >= 0 else '−'}{abs(100 * value):.1f}"


def between(low: float, high: float, form: Callable[[float], str]) -> str:
    """Interval in brackets; empty where it is not defined."""
    return f" [{form(low)}, {form(high)}]" if np.isfinite(low) and np.isfinite(high) else ""


def _with(table: pd.DataFrame, **keys: Any) -> pd.DataFrame:
    """Rows with the given keys; None asks for an empty key."""
    keep = np.ones(len(table), dtype=bool)
    for key, value in keys.items():
        keep &= (table[key].isna() if value is None else table[key] == value).to_numpy()
    return table[keep]


def _profiles(n: float) -> str:
    return {0: "one real profile per class", -1: "all real profiles"}.get(int(n), f"{int(n)} real profiles")


def augmentation(table: pd.DataFrame, titles: dict[str, str]) -> dict[str, Any]:
    """Verdict on augmentation from the long table (one value per repeat)."""
    classifier = table["estimator"].dropna().iloc[0]
    table = table[(table["estimator"] == classifier) | table["estimator"].isna()]
    gains = table[table["metric"] == "balanced_accuracy_gain"]
    plain = table[table["metric"] == "balanced_accuracy"]
    sentences, wins, losses, tried = [], [], [], 0
    for task in dict.fromkeys(table["task"].dropna()):
        ceiling = _with(plain, task=task, regime="ceiling")["value"].mean()
        for n in sorted(set(_with(gains, task=task)["n_real"])):
            none = _with(plain, task=task, regime="none", n_real=n)["value"].mean()
            text = f"{titles.get(task, task)}, {_profiles(n)}: {number(none)} alone, {number(ceiling)} with all."
            for regime in ("same_n", "unlabeled", "transfer"):
                best = _best(_with(gains, task=task, n_real=n, regime=regime))
                if best is None:
                    continue
                tried += 1
                text += (
                    f" {WORDS[regime].capitalize()}, the best of {best['candidates']} generators is "
                    f"{best['generator']} (+{best['m']} profiles): {points(best['mean'])} points"
                    f"{between(best['low'], best['high'], points)}"
                    f"{'' if best['clear'] else ', not clear of 0 for the best of so many'}."
                )
                (wins if best["clear"] else losses).append((best["mean"], regime, task, n, best))
            stacking = interval(_with(gains, task=task, n_real=n, regime="stacking")["value"])
            if stacking.n:
                text += f" The source profiles themselves, added at weight .1: {points(stacking.mean)}"
                text += f"{between(stacking.low, stacking.high, points)}."
            oracle = _best(_with(gains, task=task, n_real=n, regime="oracle"))
            if oracle is not None:
                text += (
                    f" A generator that has seen all training donors ({oracle['generator']}): {points(oracle['mean'])};"
                    " that is what headline gains in the literature measure, not what few patients can give."
                )
            sentences.append(text)
    if not tried:
        return {
            "status": "unclear",
            "answer": "No regime that a user with few patients could use was run.",
            "points": sentences,
        }
    if wins:
        mean, regime, task, n, best = max(wins, key=lambda w: w[0])
        answer = (
            f"In {len(wins)} of {tried} settings, yes. Largest gain: {best['generator']}, {WORDS[regime]}, adds "
            f"{points(mean)} points{between(best['low'], best['high'], points)} of balanced accuracy to "
            f"{_profiles(n)} ({titles.get(task, task)})."
        )
        control, value = best["control"]
        if control and best["generator"] not in CONTROLS:
            answer += f" The best control, {control}, adds {points(value)} there."
        stacked = (
            _with(gains, task=task, n_real=n, regime="stacking")["value"].mean() if regime == "transfer" else np.nan
        )
        if np.isfinite(stacked):
            answer += f" Adding the source profiles themselves gives {points(stacked)}, without any generator."
        if not any(w[1] == "same_n" for w in wins) and any(w[1] == "same_n" for w in losses):
            answer += " From the few patients alone, nothing adds anything that can be told from 0."
        # A gain here and there, or one that the source profiles give without any generator, is no plain yes.
        plain_yes = 2 * len(wins) > tried and not stacked > mean
        return {"status": "yes" if plain_yes else "unclear", "answer": answer, "points": sentences}
    mean, regime, task, n, best = max(losses, key=lambda w: w[0])
    answer = (
        f"No gain that can be told from 0 in any of {tried} settings, the choice of the best of {best['candidates']} "
        f"generators allowed for. The largest mean is {points(mean)} points"
        f"{between(best['low'], best['high'], points)} "
        f"({best['generator']}, {WORDS[regime]}, {_profiles(n)}, {titles.get(task, task)})."
    )
    return {"status": "no", "answer": answer, "points": sentences}


def _best(gains: pd.DataFrame) -> dict[str, Any] | None:
    """Generator with the highest mean gain at the largest number of synthetic profiles.

    The number is fixed beforehand; the interval allows for the choice among the generators (Bonferroni), and `clear`
    says that it lies above 0.
    """
    if gains.empty:
        return None
    m = gains["n_synthetic"].max()
    groups = gains[gains["n_synthetic"] == m].groupby("generator")["value"]
    means = groups.mean()
    chosen = interval(groups.get_group(means.idxmax()), confidence=1 - 0.05 / len(groups))
    controls = means[[g in CONTROLS for g in means.index]]
    return {
        "control": (controls.idxmax(), controls.max()) if len(controls) else (None, np.nan),
        "generator": means.idxmax(), "m": int(m), "candidates": len(groups),
        "mean": chosen.mean, "low": chosen.low, "high": chosen.high, "clear": bool(chosen.low > 0),
    }  # fmt: skip


def privacy(table: pd.DataFrame, titles: dict[str, str]) -> dict[str, Any]:
    """Verdict on sharing from the long table."""
    auc = table[table["metric"] == "auc"]
    battery = table[table["estimator"] == "battery"]
    leaking, silent, sentences = [], [], []
    coins = max(battery["repeat"].nunique(), 1)
    for generator in dict.fromkeys(auc["generator"]):
        audit = _with(auc, generator=generator, regime="audit")
        means = audit.groupby("estimator")["value"].mean()
        attack, value = means.idxmax(), means.max()
        control = _with(auc, generator=generator, regime="negative_control", estimator=attack)["value"].mean()
        p = min(1.0, coins * _with(battery, generator=generator, regime="audit", metric="p_corrected")["value"].min())
        nearest = means.get("nearest_neighbour", np.nan)
        low = np.sqrt(
            np.mean(_with(table, generator=generator, regime="audit", estimator=attack, metric="auc_se")["value"] ** 2)
        )
        entry = (generator, attack, value, p, low)
        (leaking if p < 0.05 else silent).append(entry)
        sentences.append(
            f"{generator}: {'members are found' if p < 0.05 else 'no attack succeeds'}; best attack {words(attack)}, "
            f"AUC {number(value)} (corrected p {'< .001' if p < 0.001 else '= ' + number(p, 3)}; the same attack "
            f"without members {number(control)}; nearest neighbour alone {number(nearest)})."
        )
    parts = []
    if leaking:
        worst = sorted(leaking, key=lambda e: -e[2])
        parts.append("Not from " + ", ".join(f"{g} (AUC {number(v)}, {words(a)})" for g, a, v, *_ in worst) + ".")
    if silent:
        largest = max(silent, key=lambda e: e[2])
        parts.append(
            f"No attack told members from others for {', '.join(e[0] for e in silent)} (largest AUC "
            f"{number(largest[2])}; with this many donors an AUC below about {number(0.5 + 1.96 * largest[4])} goes "
            "unnoticed). That is absence of evidence at this cohort size, not anonymity."
        )
    status = "no" if not silent else "unclear" if leaking else "yes"
    return {"status": status, "answer": " ".join(parts), "points": sentences}


def interventions(table: pd.DataFrame, titles: dict[str, str]) -> dict[str, Any]:
    """Verdict on perturbation predictions from the long table."""
    scores = table[table["metric"] == "pearson_delta"]
    labels = scores["generator"] + scores["estimator"].fillna("").map(lambda e: f" ({e} graph)" if e else "")
    by_operator = {name: interval(group["value"]) for name, group in scores.groupby(labels, sort=False)}
    ordered = sorted(by_operator.items(), key=lambda item: -item[1].mean)
    sentences = [
        f"{name}: correlation of predicted with true changes {number(v.mean)}{between(v.low, v.high, number)}."
        for name, v in ordered
    ]
    free = {n: v for n, v in by_operator.items() if "graph)" not in n}
    best_free = max(free, key=lambda n: free[n].mean)
    gains = table[table["metric"].str.startswith("pearson_delta_gain_over_")]
    base = f"pearson_delta_gain_over_{best_free}"
    given, corrupted = (by_operator.get(f"do_g ({kind} graph)") for kind in ("given", "corrupted"))
    if given is None:
        return {"status": "unclear", "answer": "No causal operator was run.", "points": sentences}
    advantage = {
        kind: interval(
            gains[(gains["metric"] == base) & (gains["generator"] == "do_g") & (gains["estimator"] == kind)]["value"]
        )
        for kind in ("given", "corrupted")
    }
    answer = (
        f"With the right regulatory graph DO|G predicts changes with correlation {number(given.mean)}"
        f"{between(given.low, given.high, number)}; without any graph the best ({best_free}) reaches "
        f"{number(free[best_free].mean)}."
    )
    status = "yes" if advantage["given"].low > 0 else "unclear"
    if corrupted is not None:
        holds = advantage["corrupted"].low > 0
        answer += f" With a corrupted graph it falls to {number(corrupted.mean)}, " + (
            "still better than that." if holds else "no better than that: the prediction is as good as the graph."
        )
        status = "yes" if status == "yes" and holds else "unclear"
    return {"status": status, "answer": answer, "points": sentences}


def combination(table: pd.DataFrame, titles: dict[str, str]) -> dict[str, Any]:
    """Verdict on the cell level from the long table."""
    accuracy = table[table["metric"] == "balanced_accuracy"]
    made = [g for g in dict.fromkeys(accuracy["generator"]) if g not in ("real", *BASELINES)]
    # Baselines have more draws than generators may have: means are compared over the same ones.
    draws = [set(accuracy.loc[accuracy["generator"] == g, "repeat"]) for g in made]
    ceiling = _with(accuracy, generator="real", regime="ceiling")["value"].mean()
    if made:
        accuracy = accuracy[accuracy["repeat"].isin(set.intersection(*draws))]
    sentences, wins, settings = [], [], 0
    for k in sorted(accuracy["n_real"].dropna().unique()):
        if k < 0:
            continue
        arm = "both" if k else "cell_only"
        at = accuracy[accuracy["n_real"] == k]
        real = _with(at, generator="real", regime="tissue_only")["value"].mean()
        text = (
            f"{int(k)} tissue profile{'s' if k > 1 else ''} per condition: {number(real)} alone"
            if k
            else "No tissue profile"
        )
        for name in BASELINES:
            value = _with(at, generator=name, regime=arm)["value"].mean()
            text += f", {name.replace('_', ' ')} {number(value)}"
        for g in made:
            both = interval(_with(at, generator=g, regime=arm)["value"])
            permuted = _with(at, generator=g, regime="permuted")["value"].mean()
            text += f", {g} {number(both.mean)} (permuted {number(permuted)})"
            settings += 1
            differences = {}
            for metric in PAIRED:
                rows = _with(table[table["n_real"] == k], generator=g, regime=arm, metric=metric)
                differences[metric] = interval(rows["value"], confidence=1 - 0.05 / max(len(made), 1))
            control = differences["both_minus_permuted"].low > 0
            better = differences["gain_over_real_only" if k else "both_minus_permuted"].low > 0
            if control and better:
                wins.append((k, g, both, differences))
        sentences.append(text + ".")
    if np.isfinite(ceiling):
        sentences.append(f"All real tissue profiles: {number(ceiling)}.")
    if not wins:
        return {
            "status": "no",
            "answer": "No generator gains from the cell level more than from permuted lines.",
            "points": sentences,
        }
    with_tissue = [w for w in wins if w[0] > 0] or wins
    fewest = min(w[0] for w in with_tissue)
    k, g, both, differences = max((w for w in with_tissue if w[0] == fewest), key=lambda w: w[2].mean)
    if k:
        gain = differences["gain_over_real_only"]
        answer = (
            f"Yes: with {int(k)} tissue profile{'s' if k > 1 else ''} per condition, {g} trained on both levels adds "
            f"{points(gain.mean)} points{between(gain.low, gain.high, points)} to the real profiles alone; with the "
            f"lines' labels permuted accuracy is {100 * differences['both_minus_permuted'].mean:.1f} points lower."
        )
        for name, rival in (("stacking", "stacking the lines' profiles"), ("level_shift", "an additive level shift")):
            over = differences[f"gain_over_{name}"]
            if over.n:
                answer += f" Against {rival}: {points(over.mean)}{between(over.low, over.high, points)}."
    else:
        at = accuracy[accuracy["n_real"] == 0]
        permuted, stacked = (
            _with(at, generator=name, regime=regime)["value"].mean()
            for name, regime in ((g, "permuted"), ("stacking", "cell_only"))
        )
        answer = (
            f"Yes: without any tissue profile {g} reaches {number(both.mean)}, with the lines' labels permuted "
            f"{number(permuted)}. Training on the lines' profiles without any generator reaches {number(stacked)}."
        )
    baselines = _with(accuracy, n_real=k, regime="both" if k else "cell_only")
    baselines = baselines[~baselines["generator"].isin(["real", *made])].groupby("generator")["value"].mean()
    if len(baselines):
        best = baselines.idxmax()
        answer += (
            f" {g} reaches {number(both.mean)}; the best way to use the lines without a generator, {words(best)}, "
            f"{number(baselines[best])}{', which is better' if baselines[best] > both.mean else ''}."
        )
    last = max(w[0] for w in wins)
    answer += f" The gain is clear up to k = {int(last)}."
    saved = interval(
        _with(table, generator=g, n_real=k, metric="real_profiles_saved", regime="both" if k else "cell_only")["value"]
    )
    if saved.n:
        answer += (
            f" The cell level saves {number(saved.mean, 1)}"
            f"{between(saved.low, saved.high, lambda v: number(v, 1))} real profiles per condition there."
        )
    return {"status": "yes", "answer": answer, "points": sentences}


def held_out_level(table: pd.DataFrame, titles: dict[str, str]) -> dict[str, Any]:
    """Verdict on conditions generated at a level where they were never seen, over conditions."""
    table = table[table["task"].isna() & (table["regime"] == "combined")]
    baselines = ("real", "level_shift", "pan_mean", "ridge_map", "nearest_type", "coral", "standardised_cells")
    made = [g for g in dict.fromkeys(table["generator"]) if g not in baselines]
    tissue = "pseudobulk" not in set(table["level"]) or len(set(table["level"])) > 1
    sentences, wins, tried = [], [], 0
    for level in sorted(set(table["level"]), key=lambda name: name == "pseudobulk"):
        at = table[table["level"] == level]
        for metric, said in _HELD_OUT.items():
            means = _with(at, metric=metric).groupby("generator")["value"].mean()
            if "real" not in means:
                continue
            simple = means.drop(["real", *made], errors="ignore")
            best = simple.idxmin() if metric == "mmd" else simple.idxmax()
            text = (
                f"Hidden at level {level}, {said}: best baseline {words(best)} {number(simple[best])}, additive level "
                f"shift {number(means['level_shift'])}, real profiles of other donors {number(means['real'])}."
            )
            for g in made:
                over = interval(
                    _with(at, generator=g, metric=f"{metric}_over_level_shift")["value"],
                    confidence=1 - 0.05 / max(len(made), 1),
                )
                permuted = interval(_with(at, generator=g, metric=f"{metric}_over_permuted")["value"])
                text += (
                    f" {g}: {number(means[g])}, better than the level shift by {number(over.mean)}"
                    f"{between(over.low, over.high, number)}, than itself with permuted labels by "
                    f"{number(permuted.mean)}{between(permuted.low, permuted.high, number)}."
                )
                tried += 1
                # Without the labels a cautious guess can be close to everything: right labels have to find it, too.
                found = interval(_with(at, generator=g, metric="detection_auc_over_permuted")["value"]).low > 0
                if over.low > 0 and found:
                    wins.append((level, metric, g, means, over))
            sentences.append(text)
    if not made or not tried:
        return {
            "status": "unclear",
            "answer": "No generator was asked for a condition never seen.",
            "points": sentences,
        }
    conditions = int(_with(table, metric="centroid_r", generator="level_shift").groupby("level").size().max())
    tissue_wins = [w for w in wins if w[0] != "pseudobulk"] if tissue else wins
    if not tissue_wins:
        level = sorted(set(table["level"]), key=lambda name: name == "pseudobulk")[0]
        means = _with(table, level=level, metric="centroid_r").groupby("generator")["value"].mean()
        g = means[made].idxmax()
        return {
            "status": "no" if not wins else "unclear",
            "answer": f"Not better than an additive level shift, over {conditions} conditions: the centroid of a "
            f"condition never seen at level {level} correlates with the real one by {number(means[g])} ({g}), that of "
            f"the shift by {number(means['level_shift'])}, that of real profiles by {number(means['real'])}.",
            "points": sentences,
        }
    level, metric, g, means, over = tissue_wins[0]
    won = [_HELD_OUT[m] for at, m, name, *_ in tissue_wins if (at, name) == (level, g)]
    answer = (
        f"In part: over {conditions} conditions hidden at level {level} one by one, {g} beats the additive level shift "
        f"in {' and '.join(won)} ({number(means[g])} against {number(means['level_shift'])}, better by "
        f"{number(over.mean)}{between(over.low, over.high, number)}); real profiles reach {number(means['real'])}."
    )
    return {"status": "unclear", "answer": answer, "points": sentences}


#: Metrics compared with the Gaussians in the CAMDA track, in words; -1 where lower is better.
_CAMDA = {
    "coverage": ("coverage", 1),
    "correlation_score_within": ("within-condition γ", 1),
    "mmd": ("MMD", -1),
    "discriminator_auc": ("real-vs-synthetic AUC", -1),
}


def camda(table: pd.DataFrame, titles: dict[str, str]) -> dict[str, Any]:
    """Verdict on the CAMDA track, paired over folds: accuracy and likeness against the two Gaussians."""
    wide = table.pivot_table(index="repeat", columns=["generator", "metric"], values="value")
    names = list(dict.fromkeys(table["generator"]))
    deep = [g for g in names if g not in ("real", *CONTROLS)]
    real = wide["real", "accuracy"].mean()
    baseline = "mvn_camda" if "mvn_camda" in names else "mvn"
    sentences = []
    for g in [n for n in names if n != "real"]:
        mine = wide[g]
        text = (
            f"{g}: accuracy synthetic to real {number(mine['accuracy'].mean(), 3)} (real to real {number(real, 3)}), "
            f"coverage {number(mine['coverage'].mean())}, within-condition γ "
            f"{number(mine['correlation_score_within'].mean())}, real-vs-synthetic AUC "
            f"{number(mine['discriminator_auc'].mean())}, closer to training than to held-out profiles "
            f"{number(mine['closer_to_train_share'].mean())}."
        )
        if g in deep:
            for other in [o for o in ("mvn_camda", "mvn") if o in names]:
                gain = interval(mine["accuracy"] - wide[other, "accuracy"])
                text += f" Against {other}: accuracy {points(gain.mean)}{between(gain.low, gain.high, points)} points;"
                better = [
                    said
                    for metric, (said, sign) in _CAMDA.items()
                    if interval(sign * (mine[metric] - wide[other, metric])).low > 0
                ]
                text += f" better in {', '.join(better) or 'none'} of the four likenesses."
        sentences.append(text)
    if not deep or baseline not in names:
        return {
            "status": "unclear",
            "answer": "No trained generator, or no Gaussian to compare with.",
            "points": sentences,
        }
    best = max(deep, key=lambda g: wide[g, "accuracy"].mean())
    gain = interval(wide[best, "accuracy"] - wide[baseline, "accuracy"], confidence=1 - 0.05 / len(deep))
    reached = {g: number(wide[g, "accuracy"].mean(), 3) for g in (best, baseline)}
    answer = (
        f"Trained on synthetic profiles of {best}, a classifier is right in {reached[best]} of held-out patients, on "
        f"those of {baseline} in {reached[baseline]}, on real ones in {number(real, 3)}: {points(gain.mean)} points"
        f"{between(gain.low, gain.high, points)} over {gain.n} dependent folds."
    )
    status = "yes" if gain.low > 0 else "no" if gain.high < 0 else "unclear"
    return {"status": status, "answer": answer, "points": sentences}


def lacan(table: pd.DataFrame, titles: dict[str, str]) -> dict[str, Any]:
    """Verdict on the Lacan track, paired over folds: reverse accuracy, and what the published metrics do not see."""
    wide = table.pivot_table(index="repeat", columns=["estimator", "generator", "metric"], values="value")
    names = [g for g in dict.fromkeys(table["generator"]) if g != "real"]
    deep = [g for g in names if g not in CONTROLS]
    sentences = []
    for g in names:
        theirs, ours = wide["max_abs", g], wide["z_log", g]
        sentences.append(
            f"{g}: reverse accuracy {number(theirs['reverse_accuracy'].mean(), 3)} in their space, "
            f"{number(ours['reverse_accuracy'].mean(), 3)} in ours; in theirs, coverage "
            f"{number(theirs['coverage_train'].mean())} and adversarial accuracy {number(theirs['aa_train'].mean())} "
            f"against training profiles, {number(theirs['coverage'].mean())} and {number(theirs['aa'].mean())} (halves "
            f"{number(theirs['aa_truth_half'].mean())} and {number(theirs['aa_synthetic_half'].mean())}) against "
            f"held-out ones; γ pooled {number(ours['correlation_score'].mean())}, within conditions "
            f"{number(ours['correlation_score_within'].mean())} in ours."
        )
    if not deep or "mvn" not in names:
        return {
            "status": "unclear",
            "answer": "No trained generator, or no Gaussian to compare with.",
            "points": sentences,
        }
    accuracy = {g: wide["z_log", g, "reverse_accuracy"] for g in [*names, "real"]}
    best = max(deep, key=lambda g: accuracy[g].mean())
    gain = interval(accuracy[best] - accuracy["mvn"], confidence=1 - 0.05 / len(deep))
    answer = (
        f"The published network, trained on synthetic profiles of {best}, is right in "
        f"{number(accuracy[best].mean(), 3)} of held-out profiles, on those of mvn in "
        f"{number(accuracy['mvn'].mean(), 3)}, on real ones in {number(accuracy['real'].mean(), 3)}: "
        f"{points(gain.mean)} points{between(gain.low, gain.high, points)} over {gain.n} dependent folds."
    )
    if "copy" in names:
        answer += (
            f" A photocopier reaches {number(accuracy['copy'].mean(), 3)}: the metric does not ask for anything new."
        )
    status = "yes" if gain.low > 0 else "no" if gain.high < 0 else "unclear"
    return {"status": status, "answer": answer, "points": sentences}


def fidelity(table: pd.DataFrame, titles: dict[str, str]) -> dict[str, Any]:
    """Verdict on fidelity from the long table: the discriminator, with coverage and memorisation beside it."""
    overall = table[table["task"].isna()]
    means = overall.groupby(["generator", "metric"])["value"].mean().unstack()
    sentences = [
        f"{g}: discriminator AUC {number(v['discriminator_auc'])}, coverage {number(v['coverage'])}, within-condition "
        f"correlation score {number(v['correlation_score_within'])}, memorised {number(v['memorisation_share'])}."
        for g, v in means.iterrows()
    ]
    new = means[(means["memorisation_share"] < 0.1)].drop(index="real", errors="ignore")
    if new.empty or "real" not in means.index:
        return {"status": "unclear", "answer": "Every generator repeats its training profiles.", "points": sentences}
    # Of generators that are told from patients equally well, the one that covers more of them.
    best = (
        new.assign(discriminator_auc=new["discriminator_auc"].round(2), coverage=-new["coverage"])
        .sort_values(["discriminator_auc", "coverage"])
        .index[0]
    )
    real, mvn = means.loc["real"], means.loc["mvn"] if "mvn" in means.index else None
    answer = (
        f"Hardest to tell from patients without copying them: {best}, discriminator AUC "
        f"{number(new.loc[best, 'discriminator_auc'])} (real against real {number(real['discriminator_auc'])}), "
        f"coverage {number(new.loc[best, 'coverage'])} (real {number(real['coverage'])})."
    )
    if mvn is not None and best != "mvn":
        answer += f" The Gaussian reaches {number(mvn['discriminator_auc'])} and {number(mvn['coverage'])}."
    elif mvn is not None:
        answer += " No trained network beats this Gaussian."
    status = "yes" if new.loc[best, "discriminator_auc"] < max(real["discriminator_auc"], 0.5) + 0.1 else "unclear"
    return {"status": status, "answer": answer, "points": sentences}


_VERDICTS = {
    "augmentation": augmentation,
    "privacy": privacy,
    "interventions": interventions,
    "combination": combination,
    "held_out_level": held_out_level,
    "camda": camda,
    "lacan": lacan,
    "fidelity": fidelity,
}


def verdicts(tables: dict[str, pd.DataFrame], titles: dict[str, str]) -> dict[str, Any]:
    """Answers by question; a question whose evaluation was not run says so.

    Parameters
    ----------
    tables : dict of DataFrame
        Long evaluation tables by evaluation.
    titles : dict of str
        Tasks in words.
    """
    questions = {}
    for name, question in QUESTIONS.items():
        answer = _VERDICTS[name](tables[name], titles) if name in tables and len(tables[name]) else NOT_RUN
        questions[name] = {"question": question, **answer}
    return {"questions": questions}
