"""Labels for unlabelled profiles: labelled profiles of other levels say which cluster is which condition.

Cell lines of a subtype differ from tumours of it in nearly every gene, but they differ from *other* lines much as these
tumours differ from *other* tumours. A Gaussian mixture over the unlabelled patients, started from the contrasts of the
lines, turns that into labels: the lines say which cluster is which, and the patients say where the clusters are.

1. Standardise each source level by itself and the unlabelled pool by itself.
2. Take the class means of the source less their mean (contrasts), and its residuals around the class means.
3. In the first 10, 20 and 30 principal components of the pool, fit a mixture with one covariance
   (:mod:`.mixture`) that starts at the contrasts. The residuals of the source are a prior of the covariance; nothing
   draws the means back to the source. Labelled profiles of the level count in the class they have.
4. Average the responsibilities over the three. Rows above .9 get a label, the others stay unlabelled.

The mixture works where conditions are the main clusters of the pool. :class:`Evidence` says whether they seem to be,
and the guards in :func:`name_pool` decide what is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .axes import leading_axes
from .mixture import Mixture, fit_mixture

#: Numbers of principal components over which responsibilities are averaged; half as many for a pool of few patients,
#: which bears no covariance of thirty dimensions.
COMPONENTS = (10, 20, 30)
FEW = 150
#: Averaged responsibility above which an unlabelled row gets a label.
CONFIDENT = 0.9
#: Patients that a pool needs; with fewer the clusters are not found, and labels are worse than the source's own means.
MIN_IN_POOL = 50
#: Cohen's kappa between the classes with different numbers of components, above which conditions count as clusters.
#: Simulated pools whose conditions are clusters have .8 or more, others below .4 (test_label_em.py).
MIN_AGREEMENT = 0.5
#: Correlation of the contrasts in the pool with those of the source, below which the clusters are not its classes.
#: Unrelated sources keep .1, lines of known relation .25 and more.
MIN_KEPT = 0.2
#: Labelled profiles with which a source must agree on more than half, so that it is used.
MIN_TO_JUDGE = 2
BY_LABELLED = "clusters named by labelled profiles of the level"
#: Added to the standard deviation of genes of a source (log2 units): shallow pseudo-bulks have near-silent genes.
SOURCE_OFFSET = 0.5


@dataclass(frozen=True)
class Source:
    """Labelled profiles (n × genes; log2, or standardised) of another level, one a donor, and their labels."""

    x: np.ndarray
    labels: np.ndarray

    def standardised(self) -> np.ndarray:
        """Profiles with genes centred, in standard deviations + :data:`SOURCE_OFFSET`."""
        return (self.x - self.x.mean(0)) / (self.x.std(0) + SOURCE_OFFSET)


@dataclass(frozen=True)
class Evidence:
    """What speaks for and against the labels of a pool.

    Attributes
    ----------
    used : str
        ``source`` (the labels stand on other levels), ``labelled`` (on the level's own labelled profiles alone) or
        ``nothing`` (no row was labelled).
    reason : str
        Why, in a sentence.
    pool : int
        Unlabelled rows.
    confident : float
        Share of them that got a label.
    agreement : float
        Cohen's kappa between the classes that different numbers of components give, mean over pairs.
    separation : float
        Smallest Mahalanobis distance between two classes, with 10 components.
    kept : float
        Correlation, over genes, of the contrasts of the classes in the pool with those of the source; mean over
        classes. NaN without a source.
    judged, agreed : int
        Labelled profiles of the level of classes that the source has, and those that the source alone names right.
    """

    used: str
    reason: str
    pool: int
    confident: float = 0.0
    agreement: float = np.nan
    separation: float = np.nan
    kept: float = np.nan
    judged: int = 0
    agreed: int = 0

    @property
    def contradicted(self) -> bool:
        """Whether other levels name most labelled profiles of the level wrong."""
        return self.judged >= MIN_TO_JUDGE and self.agreed <= self.judged / 2


@dataclass
class Named:
    """Labels of a pool, and the classifier that gave them.

    `responsibilities` (pool × K) of the conditions (K,) are averaged over the numbers of components; (pool × 0) where
    nothing was used.
    """

    conditions: np.ndarray
    responsibilities: np.ndarray
    evidence: Evidence
    mean: np.ndarray = field(repr=False, default_factory=lambda: np.zeros(0))
    sd: np.ndarray = field(repr=False, default_factory=lambda: np.zeros(0))
    parts: list[tuple[np.ndarray, Mixture]] = field(repr=False, default_factory=list)

    @property
    def labels(self) -> np.ndarray:
        """Condition of each row of the pool whose responsibility is above :data:`CONFIDENT`; empty for the others."""
        if not self.responsibilities.shape[1]:
            return np.full(len(self.responsibilities), "", dtype=object)
        best = self.conditions[self.responsibilities.argmax(1)].astype(object)
        return np.where(self.responsibilities.max(1) > CONFIDENT, best, "")

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Probabilities (n × K) of the classes, equally likely, for rows `x` (n × genes) in the pool's units.

        Raises
        ------
        ValueError
            If nothing was fitted.
        """
        if not self.parts:
            raise ValueError(f"no mixture was fitted: {self.evidence.reason}")
        z = (x - self.mean) / self.sd
        return np.mean([mixture.responsibilities(z @ basis, weighted=False) for basis, mixture in self.parts], axis=0)


def name_pool(
    pool: np.ndarray,
    sources: Sequence[Source],
    labelled: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    *,
    guarded: bool = True,
) -> Named:
    """Name the rows of an unlabelled pool.

    Parameters
    ----------
    pool : ndarray (n × genes)
        Unlabelled profiles of one level, one scale.
    sources : sequence of Source
        Labelled profiles of other levels, each in its own units; their contrasts are averaged.
    labelled, labels : ndarray, optional
        Labelled profiles of the level (m × genes) and their conditions.
    guarded : bool
        Use a source only where it agrees with most labelled profiles and its classes are clusters; else labelled
        profiles alone, where theirs are, and else nothing. Without guard a source is always used (for the negative
        control with wrong labels).
    """
    labels = np.zeros(0, dtype=object) if labels is None else np.asarray(labels, dtype=object)
    labelled = np.zeros((0, pool.shape[1])) if labelled is None else labelled
    sources = [s for s in sources if len(np.unique(s.labels)) > 1]
    if len(pool) < MIN_IN_POOL:
        return _nothing(pool, f"{len(pool)} unlabelled profiles are too few to find clusters (at least {MIN_IN_POOL})")
    reasons: list[str] = []
    judged = agreed = 0
    if sources:
        fit = _Fit(pool, sources, labelled, labels)
        if len(labels):
            judged, agreed = fit.judge()
        found = fit.named("source", "clusters named by other levels", judged, agreed)
        if guarded and found.evidence.contradicted:
            reasons.append(f"the other levels name only {agreed} of {judged} labelled profiles right and are not used")
        elif guarded and found.evidence.agreement < MIN_AGREEMENT:
            reasons.append(_no_clusters("named by other levels", found.evidence.agreement))
        elif guarded and found.evidence.kept < MIN_KEPT:
            reasons.append(
                "the clusters do not differ from each other as the conditions do at other levels "
                f"(correlation {found.evidence.kept:.2f}, at least {MIN_KEPT})"
            )
        else:
            return found
    if len(np.unique(labels.astype(str))) > 1:
        found = _Fit(pool, [], labelled, labels).named("labelled", "", judged, agreed)
        if not guarded or found.evidence.agreement >= MIN_AGREEMENT:
            return replace(found, evidence=replace(found.evidence, reason="; ".join([*reasons, BY_LABELLED])))
        reasons.append(_no_clusters("named by labelled profiles", found.evidence.agreement))
    return _nothing(pool, "; ".join(reasons) or "no labelled profile says which cluster is which", judged, agreed)


def _no_clusters(named: str, agreement: float) -> str:
    return (
        f"classes {named} are not clusters of the unlabelled profiles: they change with the number of components "
        f"(kappa {agreement:.2f}, at least {MIN_AGREEMENT})"
    )


def _nothing(pool: np.ndarray, reason: str, judged: int = 0, agreed: int = 0) -> Named:
    evidence = Evidence("nothing", reason, len(pool), judged=judged, agreed=agreed)
    return Named(np.zeros(0, dtype=object), np.zeros((len(pool), 0)), evidence)


class _Fit:
    """A pool in its own standard units, its components, and the contrasts that mixtures start from."""

    def __init__(self, pool: np.ndarray, sources: Sequence[Source], labelled: np.ndarray, labels: np.ndarray) -> None:
        pool = np.asarray(pool, dtype=np.float64)
        self.mean, self.sd = pool.mean(0), np.maximum(pool.std(0), 1e-6)
        self.pool, self.labelled = (pool - self.mean) / self.sd, (labelled - self.mean) / self.sd
        self.of_source = (
            np.unique(np.concatenate([s.labels for s in sources])) if sources else np.zeros(0, dtype=object)
        )
        self.conditions = np.unique(np.concatenate([self.of_source, labels]).astype(str)).astype(object)
        self.fixed = np.searchsorted(self.conditions.astype(str), labels.astype(str)) if len(labels) else None
        self.contrasts, self.residuals = self._of_sources(sources)
        self.sizes = COMPONENTS if len(pool) >= FEW else tuple(d // 2 for d in COMPONENTS)
        self.basis = _components(self.pool, max(self.sizes))

    def _of_sources(self, sources: Sequence[Source]) -> tuple[np.ndarray, np.ndarray]:
        """Contrasts (K × genes), those of sources where these have the class, and residuals (n × genes) of sources."""
        genes = self.pool.shape[1]
        found: dict[str, list[np.ndarray]] = {}
        residuals = [np.zeros((0, genes))]
        for source in sources:
            z = source.standardised()
            names, number = np.unique(source.labels.astype(str), return_inverse=True)
            means = np.stack([z[number == j].mean(0) for j in range(len(names))])
            residuals.append(z - means[number])
            for name, contrast in zip(names, means - means.mean(0), strict=True):
                found.setdefault(name, []).append(contrast)
        contrasts = np.zeros((len(self.conditions), genes))
        for j, name in enumerate(self.conditions):
            if str(name) in found:
                contrasts[j] = np.mean(found[str(name)], axis=0)
            else:
                contrasts[j] = self.labelled[self.fixed == j].mean(0)
        return contrasts, np.concatenate(residuals)

    def mixtures(self, *, with_labelled: bool) -> list[tuple[np.ndarray, Mixture]]:
        """One for each number of components, with its basis (genes × d)."""
        use = with_labelled and self.fixed is not None
        x = np.concatenate([self.pool, self.labelled]) if use else self.pool
        fixed = np.r_[np.full(len(self.pool), -1), self.fixed] if use else None
        out = []
        for d in sorted({min(d, self.basis.shape[1]) for d in self.sizes}):
            basis = self.basis[:, :d]
            residuals = self.residuals @ basis
            mixture = fit_mixture(
                x @ basis,
                self.contrasts @ basis,
                scatter=residuals.T @ residuals,
                n_scatter=len(residuals),
                fixed=fixed,
            )
            out.append((basis, mixture))
        return out

    def judge(self) -> tuple[int, int]:
        """Labelled profiles of classes that sources have, and how many of them sources and pool alone name right."""
        mine = np.isin(self.conditions[self.fixed].astype(str), self.of_source.astype(str))
        if not mine.any():
            return 0, 0
        parts = self.mixtures(with_labelled=False)
        found = np.mean([m.responsibilities(self.labelled[mine] @ b, weighted=False) for b, m in parts], axis=0)
        return int(mine.sum()), int((found.argmax(1) == self.fixed[mine]).sum())

    def named(self, used: str, reason: str, judged: int, agreed: int) -> Named:
        parts = self.mixtures(with_labelled=True)
        each = [mixture.responsibilities(self.pool @ basis) for basis, mixture in parts]
        responsibilities = np.mean(each, axis=0)
        best = np.stack([r.argmax(1) for r in each])
        evidence = Evidence(
            used,
            reason,
            len(self.pool),
            confident=float((responsibilities.max(1) > CONFIDENT).mean()),
            agreement=_agreement(best),
            separation=parts[0][1].separation if len(self.conditions) > 1 else np.nan,
            kept=self._kept(responsibilities) if used == "source" else np.nan,
            judged=judged,
            agreed=agreed,
        )
        return Named(self.conditions, responsibilities, evidence, self.mean, self.sd, parts)

    def _kept(self, responsibilities: np.ndarray) -> float:
        size = responsibilities.sum(0)
        if (size < 1).any():
            return 0.0
        means = (responsibilities.T @ self.pool) / size[:, None]
        a, b = means - means.mean(0), self.contrasts - self.contrasts.mean(0)
        a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
        return float(np.mean((a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-12)))


def _agreement(best: np.ndarray) -> float:
    """Mean of Cohen's kappa over pairs of rows of `best` (sizes × n); 0 where all rows are put in one class."""
    pairs = [(a, b) for i, a in enumerate(best) for b in best[:i]]
    if not pairs or len(np.unique(best)) < 2:
        return 0.0
    from sklearn.metrics import cohen_kappa_score  # a second, which generators without pools save

    return float(np.mean([np.nan_to_num(cohen_kappa_score(a, b)) for a, b in pairs]))


def _components(z: np.ndarray, most: int) -> np.ndarray:
    """Leading principal components (genes × d) of centred rows; no more than rows and genes bear."""
    values, vectors = leading_axes(z, min(most, min(z.shape) - 1))
    return vectors[: max(1, int((values > 1e-6 * values[0]).sum()))].T
