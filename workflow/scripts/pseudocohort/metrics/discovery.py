"""Discovery: would a researcher find in the synthetic cohort what the real one has?

Differential expression by the moderated t-test of limma, gene sets by its competitive test (camera), modules of genes
that vary together by clustering, the genes that a classifier goes by. Each score compares a stand-in with reality and
is to be read beside the same score of real profiles of other donors, since power and noise depend on the number of
profiles.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import cluster, special, stats
from scipy.spatial.distance import squareform
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score

from .correlation import centred, scored_genes
from .differential import FDR, averaged, contrasted

#: Correlation of the genes of a set that camera takes for granted (Wu & Smyth 2012; limma's default).
SET_CORRELATION = 0.01
#: Genes of a module on average, and modules at most.
MODULE_GENES, MAX_MODULES = 50, 20
#: Genes of a classifier that are compared.
TOP_GENES = 50
#: Smallest variance of a gene, in medians over genes, as limma has it.
_MIN_VARIANCE = 1e-5
#: Largest -log10 of an adjusted p-value that is told from a larger one.
_MAX_LOG_P = 300.0


class Moderated(NamedTuple):
    """Result of :func:`moderated_t`: arrays by gene, and the prior that the genes have in common."""

    change: np.ndarray
    t: np.ndarray
    p: np.ndarray
    prior_df: float
    prior_variance: float


def inverse_trigamma(y: float) -> float:
    """The x > 0 at which the trigamma function is `y` > 0, by Newton's method (Smyth 2004, appendix)."""
    x = 0.5 + 1 / y
    for _ in range(50):
        value = float(special.polygamma(1, x))
        step = value * (1 - value / y) / float(special.polygamma(2, x))
        x += step
        if -step / x < 1e-10:
            break
    return x


def variance_prior(variances: np.ndarray, df: float) -> tuple[float, float]:
    """Degrees of freedom and scale of the genes' inverse chi-squared prior (Smyth 2004, section 6.2).

    `variances` (genes,) are sample variances on `df` degrees of freedom each. The prior's degrees of freedom are
    infinite where they differ no more than by chance.
    """
    middle = np.median(variances)
    z = np.log(np.maximum(variances, _MIN_VARIANCE * (middle if middle > 0 else 1.0)))
    e = z - special.digamma(df / 2) + np.log(df / 2)
    beyond = e.var(ddof=1) - float(special.polygamma(1, df / 2))
    if beyond <= 0:
        return np.inf, float(np.exp(e.mean()))
    prior_df = 2 * inverse_trigamma(float(beyond))
    return prior_df, float(np.exp(e.mean() + special.digamma(prior_df / 2) - np.log(prior_df / 2)))


def moderated_t(x: np.ndarray, of_class: np.ndarray) -> Moderated:
    """Moderated t-test of a class against the rest, by gene (Smyth 2004, SAGMB 3:3; limma's ``eBayes``).

    A gene's variance is shrunk towards that of the others, which adds the prior's degrees of freedom to its own. `x` is
    log2 expression (profiles × genes), so that ``change`` is a log2 fold change; p is two-sided.
    """
    inside, rest = x[of_class].astype(np.float64), x[~of_class].astype(np.float64)
    df = len(x) - 2
    variance = (((inside - inside.mean(0)) ** 2).sum(0) + ((rest - rest.mean(0)) ** 2).sum(0)) / df
    prior_df, prior_variance = variance_prior(variance, df)
    if np.isinf(prior_df):
        posterior = np.full_like(variance, prior_variance)
    else:
        posterior = (prior_df * prior_variance + df * variance) / (prior_df + df)
    change = inside.mean(0) - rest.mean(0)
    t = change / np.sqrt(np.maximum(posterior, 1e-300) * (1 / len(inside) + 1 / len(rest)))
    p = 2 * stats.t.sf(np.abs(t), min(prior_df + df, df * x.shape[1]))
    return Moderated(change, t, p, prior_df, prior_variance)


def set_test(statistic: np.ndarray, sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Do the genes of a set have larger statistics than the other genes? (Wu & Smyth 2012, NAR 40:e133; ``cameraPR``).

    Statistics are (genes,), `sets` of bool (sets × genes), none of them empty or of all genes; t and two-sided p are
    (sets,).
    """
    genes, size = len(statistic), sets.sum(1)
    others = genes - size
    difference = genes / others * (sets @ statistic / size - statistic.mean())
    pooled = ((genes - 1) * statistic.var(ddof=1) - difference**2 * size * others / genes) / (genes - 2)
    inflation = 1 + (size - 1) * SET_CORRELATION
    t = difference / np.sqrt(np.maximum(pooled, 1e-300) * (inflation / size + 1 / others))
    return t, 2 * stats.t.sf(np.abs(t), genes - 2)


def modules(x: np.ndarray, classes: np.ndarray | None, number: int) -> np.ndarray:
    """Modules of genes that vary together within classes: Ward clusters of their correlations.

    Of expression (profiles × genes), class means are taken out where there are classes. The result (genes,) has the
    number of each gene's module; a gene that does not vary has no correlation.
    """
    z = centred(x, classes)
    length = np.sqrt((z * z).sum(0))
    z = z / np.where(length > 1e-12, length, 1)
    distance = np.sqrt(np.maximum(2 - 2 * z.T @ z, 0))
    np.fill_diagonal(distance, 0)
    tree = cluster.hierarchy.linkage(squareform(distance, checks=False), "ward")
    return cluster.hierarchy.fcluster(tree, number, "maxclust")


def attributions(x: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """How much each gene moves a classifier's scores: mean absolute Shapley value over profiles and classes (genes,).

    Of a linear model and genes taken as independent it is the coefficient times the gene's distance from its mean
    (Lundberg & Lee 2017, NeurIPS, corollary 1), in units of the scores of a logistic regression (C = .01, balanced
    classes) on standardised expression (profiles × genes) of two or more classes.
    """
    model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=500).fit(x, classes)
    return np.abs(model.coef_).mean(0) * np.abs(x - x.mean(0)).mean(0)


def attribution_overlap(
    reality: np.ndarray, stand_in: np.ndarray, reality_class: np.ndarray, stand_in_class: np.ndarray
) -> float:
    """Share of the 50 genes with the largest :func:`attributions` in reality that are among those of the stand-in.

    By chance it is 50 over the number of genes. NaN with fewer than 100 genes, where that is half, and where one of the
    two has a single class.
    """
    single = min(len(np.unique(reality_class)), len(np.unique(stand_in_class))) < 2
    if single or reality.shape[1] < 2 * TOP_GENES:
        return float("nan")
    parts = ((reality, reality_class), (stand_in, stand_in_class))
    first, second = (set(np.argsort(-attributions(*part), kind="stable")[:TOP_GENES]) for part in parts)
    return len(first & second) / TOP_GENES


def agreement(
    real_statistic: np.ndarray, real_p: np.ndarray, statistic: np.ndarray, p: np.ndarray, name: str
) -> dict[str, float]:
    """How far two series of tests, of genes or gene sets, agree at a false discovery rate of 5 %.

    * <name>_calls, <name>_real_calls: how many are called in the stand-in and in reality
    * <name>_recall: share of the real calls that the stand-in makes too, with the same sign
    * <name>_false_share: share of the stand-in's calls that reality does not make with that sign
    * <name>_p_r: Spearman correlation of -log10 adjusted p with the sign of the change
    """
    adjusted, real_adjusted = stats.false_discovery_control(p), stats.false_discovery_control(real_p)
    called, real_called = adjusted < FDR, real_adjusted < FDR
    both = called & real_called & (np.sign(statistic) == np.sign(real_statistic))
    out = {f"{name}_calls": float(called.sum()), f"{name}_real_calls": float(real_called.sum())}
    if real_called.any():
        out[f"{name}_recall"] = float(both.sum() / real_called.sum())
    if called.any():
        out[f"{name}_false_share"] = float(1 - both.sum() / called.sum())
    left, right = (
        np.sign(s) * np.minimum(-np.log10(np.maximum(q, 1e-320)), _MAX_LOG_P)
        for s, q in ((statistic, adjusted), (real_statistic, real_adjusted))
    )
    if np.ptp(left) > 0 and np.ptp(right) > 0:
        out[f"{name}_p_r"] = float(stats.spearmanr(left, right).statistic)
    return out


def discovery(
    reality: np.ndarray,
    stand_in: np.ndarray,
    reality_class: np.ndarray,
    stand_in_class: np.ndarray,
    *,
    sets: np.ndarray | None = None,
    genes: np.ndarray | None = None,
) -> dict[str, float]:
    """What is found in a stand-in and in reality: genes, gene sets, modules.

    Parameters
    ----------
    reality, stand_in : ndarray (n × genes), (m × genes)
        log2 expression, or standardised. Both of one size and with the same classes, as power depends on them.
    reality_class, stand_in_class : ndarray of str
    sets : ndarray of bool (sets × genes), optional
    genes : ndarray of int, optional
        Positions of the genes that are clustered; by default all, or a random subset where they are many.

    Returns
    -------
    dict of float
        :func:`agreement` of genes (``discovery``) and sets (``set``), each class against the rest, averaged over
        classes with four profiles on both sides; ``module_ari``: adjusted Rand index of the modules within classes.
    """
    found = []
    for inside, other in contrasted(reality_class, stand_in_class):
        real, made = moderated_t(reality, inside), moderated_t(stand_in, other)
        values = agreement(real.t, real.p, made.t, made.p, "discovery")
        if sets is not None and len(sets) > 2:
            (real_t, real_p), (t, p) = set_test(real.t, sets), set_test(made.t, sets)
            values |= agreement(real_t, real_p, t, p, "set")
        found.append(values)
    out = averaged(found)
    chosen = scored_genes(reality.shape[1], np.random.default_rng(0)) if genes is None else genes
    number = min(len(chosen) // MODULE_GENES, MAX_MODULES)
    if number > 1:
        parts = (
            modules(x[:, chosen], classes, number)
            for x, classes in ((reality, reality_class), (stand_in, stand_in_class))
        )
        out["module_ari"] = float(adjusted_rand_score(*parts))
    return out
