"""A Gaussian in the principal components of public profiles, under differential privacy.

What costs privacy is few numbers. Centre, scale, marginals and components come from public profiles of the same tissue,
whose labels are not used; the training donors give class counts, one shift of the mean profile, class means in the
whitened components, their covariance within classes and one scale of the residuals, each by the Gaussian mechanism.
There is no training.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd

from ....core.errors import UserError
from ....core.groups import Key, check_seen, keys_of
from ...base.generator import Generator
from ...base.ledger import Ledger
from ...base.serialization import of_prefix, with_prefix
from ...private.settings import noise_key, open_ledger, statistics, vocabulary
from ...private.statistics import PrivateStatistics, shortened, shrunk
from ...space.censored import on_floor, with_draws
from ...space.marginals import Marginals
from . import DP_COMPONENTS

#: Parts of the budget.
SHARES = {"class counts": 0.04, "mean profile": 0.02, "class means": 0.75, "covariance": 0.14, "residual scale": 0.05}
#: Least standard deviation of a gene (log2 units) that profiles are divided by.
MIN_SD = 0.3
#: Fewest public profiles, and fewest of them per component.
MIN_PUBLIC, PUBLIC_PER_COMPONENT = 20, 4
#: Power of the ratio of the public to the cut donors' trace that their covariance is multiplied by.
TRACE_POWER = 1 / 3
#: Least eigenvalue of the whitened covariance within classes.
MIN_EIGENVALUE = 0.05
#: Share of a component's between-class variance that is taken from all components together.
POOLED = 0.2
#: Squared residual (over the public mean) to which a donor's is cut, and range of the scale.
MAX_SQUARE, SCALE_RANGE = 3.0, (0.5, 2.0)
#: Knots of the public marginals, and the one "level" that they are of.
KNOTS, ANY = 30, "any"
#: Parts into which public profiles are dealt for residuals from components fitted without them.
FOLDS = 5
#: Public profiles with similar components, of which one lends its residual.
SIMILAR = 10


@dataclass(frozen=True)
class Basis:
    """Centre, scale and components of public profiles, and what they leave.

    Attributes
    ----------
    mean, sd : ndarray (genes,)
        log2 units.
    axes : ndarray (components × genes)
        Of standardised genes.
    spread : ndarray (components,)
        Standard deviation of each component.
    scores : ndarray (public profiles × components)
        Whitened components of the public profiles.
    residuals : ndarray (public profiles × genes)
        Their standardised residuals.
    held_out : ndarray (public profiles,)
        Mean square of each profile's residual from components that were fitted without it.
    floor, silent : ndarray (genes,)
        Least value (log2 units) of genes that are silent in many public profiles, -inf of others, and the standardised
        score of a silent value: the mean of what public profiles have in its place (:func:`.censored.with_draws`).
    marginals : Marginals
        Of the genes, around the mean.
    """

    mean: np.ndarray
    sd: np.ndarray
    axes: np.ndarray
    spread: np.ndarray
    scores: np.ndarray
    residuals: np.ndarray
    held_out: np.ndarray
    floor: np.ndarray
    silent: np.ndarray
    marginals: Marginals

    @classmethod
    def of(cls, public: np.ndarray, components: int) -> Basis:
        """Basis of public profiles (n × genes, log2 units).

        Raises
        ------
        UserError
            If there are fewer than 20.
        """
        if len(public) < MIN_PUBLIC:
            raise UserError(
                f"{len(public)} public profiles; components need {MIN_PUBLIC}",
                where="generator_settings, public",
                remedy="declare more profiles public, or take dp_naive_bayes",
            )
        n, floor = len(public), public.min(0)
        at_floor = on_floor(public, floor)
        public, censored = with_draws(public, np.random.default_rng(0))
        floor = np.where(censored, floor, -np.inf)
        mean = public.mean(0)
        sd = np.maximum(public.std(0, ddof=1), MIN_SD)
        marginals = Marginals.fit(public - mean, np.full(n, ANY), {ANY: float(n - 1)}, KNOTS)
        z = marginals.scores(public - mean, np.full(n, ANY)) / sd
        z -= z.mean(0)
        # What a silent value of a donor is taken for, so that no draw is made for donors.
        silent = np.where(censored, (z * at_floor).sum(0) / np.maximum(at_floor.sum(0), 1), 0.0)
        seen = np.where(at_floor & censored, silent, z)
        _, values, axes = np.linalg.svd(z, full_matrices=False)
        kept = max(1, min(components, n // PUBLIC_PER_COMPONENT, int((values > 1e-6 * values[0]).sum())))
        axes, spread = axes[:kept], values[:kept] / np.sqrt(n - 1)
        scores = z @ axes.T
        held_out = np.empty(n)
        for part in np.array_split(np.arange(n), FOLDS):
            rest = np.delete(z, part, axis=0)
            own = np.linalg.svd(rest - rest.mean(0), full_matrices=False)[2][:kept]
            around = seen[part] - rest.mean(0)
            held_out[part] = ((around - (around @ own.T) @ own) ** 2).mean(1)
        return cls(mean, sd, axes, spread, scores / spread, z - scores @ axes, held_out, floor, silent, marginals)

    def split(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whitened components (n × components) and standardised residuals (n × genes) of profiles."""
        z = self.marginals.scores(x - self.mean, np.full(len(x), ANY)) / self.sd
        z = np.where(on_floor(x, self.floor), self.silent, z)
        scores = z @ self.axes.T
        return scores / self.spread, z - scores @ self.axes

    def joined(self, scores: np.ndarray, residuals: np.ndarray) -> np.ndarray:
        """Profiles of whitened components and standardised residuals."""
        z = self.sd * ((scores * self.spread) @ self.axes + residuals)
        return np.maximum(self.mean + self.marginals.values(z, np.full(len(z), ANY)), self.floor)


def shrunk_class_means(totals: np.ndarray, count: np.ndarray, noise_sd: float) -> np.ndarray:
    """Class means (classes × components) of noised sums, shrunk to their common mean by what is known of the noise.

    Empirical Bayes (Efron & Morris 1975, JASA 70:311): the means of a component scatter around its common mean with a
    variance that is estimated from the noised means less the noise's own variance, which is known.
    """
    raw, variance = totals / count[:, None], (noise_sd / count) ** 2
    weight = 1 / (variance + 0.1)
    weight /= weight.sum()
    common = weight @ raw
    square = np.maximum(common**2, 1e-12)
    common = common * np.maximum(0.0, 1 - (weight**2 @ variance) / square)
    between = weight @ ((raw - common) ** 2 - variance[:, None]) / max(1 - (weight**2).sum(), 1e-9)
    between = np.maximum(between, 0.0)
    between = (1 - POOLED) * between + POOLED * between.mean()
    return common + (raw - common) * between / np.maximum(between + variance[:, None], 1e-12)


def positive(covariance: np.ndarray) -> np.ndarray:
    """The matrix with its eigenvalues raised to :data:`MIN_EIGENVALUE`."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.maximum(values, MIN_EIGENVALUE)) @ vectors.T


class DPComponents(Generator):
    """Class means and a shared covariance in the principal components of public profiles.

    Genes are made normal by the public profiles' marginals, and get these back in the end. The covariance within
    classes is shrunk to what is left of the public profiles' (the identity, in whitened components) when the scatter of
    the noised class means is taken off. Residuals are public profiles' or have their lengths, times one scale that the
    donors give. With epsilon 0 every class is the Gaussian of the public profiles.
    """

    description = DP_COMPONENTS

    def fit(self, profiles: ad.AnnData, *, settings=None, seed, device="cpu", checkpoint=None) -> Self:
        s = self.settings = self.merge_settings(settings)
        self.ledger = open_ledger(profiles, s, needs_public=True)
        public, self.keys = vocabulary(profiles, s)
        self.basis = Basis.of(np.asarray(public.reference.X, np.float64), s["components"])
        self.ledger.public("centre, scale, components and residuals", "of the public profiles, labels not used")
        components, genes = self.basis.axes.shape
        self.means, self.covariance = np.zeros((len(self.keys), components)), np.eye(components)
        self.shift, self.scale = np.zeros(genes), 1.0
        if s["epsilon"] == 0:
            self.ledger.public("parameters", "epsilon 0: nothing of the training donors is used")
            return self
        key = noise_key(s, seed, checkpoint)
        made = statistics(profiles, self.keys, self.ledger, SHARES, epsilon=s["epsilon"], key=key)
        self._learn(made)
        return self

    def _learn(self, made: PrivateStatistics) -> None:
        s, basis, donors = self.settings, self.basis, made.donors
        made.release_counts()
        scores, residuals = basis.split(donors.x)
        components, genes = basis.axes.shape
        # The mean profile, beyond the components.
        limit = s["mean_radius"] * np.sqrt(genes)
        total = donors.summed(donors.clipped(residuals, limit))
        noised, sd = made.release("mean profile", total, limit, f"residuals cut to {s['mean_radius']:g}")
        shift = noised / made.total
        self.shift = shrunk(shift - (shift @ basis.axes.T) @ basis.axes, sd / made.total)
        # Class means in the components: one vector per donor over all its classes, cut once.
        limit = s["radius"] * np.sqrt(components)
        total = np.zeros((len(self.keys), components))
        np.add.at(total, donors.key, donors.clipped(scores, limit))
        noised, sd = made.release("class means", total, limit, f"components cut to {s['radius']:g}")
        # Cutting shortens donors, and so class means; public profiles say by how much.
        length = np.maximum(np.linalg.norm(basis.scores, axis=1), 1e-12)
        self.means = shrunk_class_means(noised, made.count, sd) / np.minimum(1.0, limit / length).mean()
        # Their covariance: the public one less what the class means scatter, unless the donors say otherwise.
        around = donors.clipped(scores - self.means[donors.key], limit)
        detail = f"around class means, cut to {s['radius']:g}"
        noised, sd = made.release("covariance", around.T @ around, limit**2, detail)
        found = (np.triu(noised) + np.triu(noised, 1).T) / made.total
        share = made.count / made.count.sum()
        scatter = self.means - share @ self.means
        known = np.eye(components) - (scatter * share[:, None]).T @ scatter
        # Cutting shortens donors. The trace is taken a third of the way (on the log scale) to the public one: all the
        # way, conditions are harder to tell apart by so many profiles than in the donors; not at all, easier.
        if np.trace(found) > 0:
            found *= (np.trace(known) / np.trace(found)) ** TRACE_POWER
        self.covariance = positive(known + shrunk(found - known, sd / made.total))
        # One scale of the residuals.
        square = (basis.residuals**2).mean()
        own = ((residuals - self.shift) ** 2).mean(1) / square
        per_donor = np.bincount(donors.donor, own) / np.bincount(donors.donor)
        total = np.minimum(per_donor, MAX_SQUARE).sum(keepdims=True)
        noised, _ = made.release("residual scale", total, MAX_SQUARE, f"mean square cut to {MAX_SQUARE:g}")
        expected = np.minimum(basis.held_out / square, MAX_SQUARE).mean()
        self.scale = float(np.sqrt(np.clip(noised[0] / made.total / expected, *(b**2 for b in SCALE_RANGE))))

    def sample(self, obs: pd.DataFrame, *, seed: int, device: str = "cpu") -> np.ndarray:
        keys = keys_of(obs)
        check_seen(keys, set(self.keys), self.name)
        rng, n, basis = np.random.default_rng(seed), len(obs), self.basis
        drawn = rng.standard_normal((n, len(basis.axes))) @ np.linalg.cholesky(self.covariance).T
        scores = self.means[[self.keys.index(key) for key in keys]] + drawn
        residuals = self._similar(scores, rng) if self.settings["residuals"] == "public_rows" else self._drawn(n, rng)
        return basis.joined(scores, self.shift + residuals).astype(np.float32)

    def _drawn(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Gaussian residuals with the public ones' shrunk covariance, each of the length of a public profile's."""
        from sklearn.covariance import ledoit_wolf_shrinkage  # a second, which others save

        public, axes = self.basis.residuals, self.basis.axes
        shrinkage = float(ledoit_wolf_shrinkage(public, assume_centered=True))
        made = np.sqrt((1 - shrinkage) / len(public)) * rng.standard_normal((n, len(public))) @ public
        made += np.sqrt(shrinkage * (public**2).mean()) * rng.standard_normal(made.shape)
        made -= (made @ axes.T) @ axes
        length = rng.choice(np.linalg.norm(public, axis=1), n) * self.scale
        return made * (length / np.maximum(np.linalg.norm(made, axis=1), 1e-12))[:, None]

    def _similar(self, scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Residuals of public profiles with similar components, one of the ten nearest each."""
        public = self.basis.scores
        distance = (scores**2).sum(1)[:, None] + (public**2).sum(1) - 2 * scores @ public.T
        nearest = np.argpartition(distance, min(SIMILAR, len(public)) - 1, axis=1)[:, :SIMILAR]
        chosen = nearest[np.arange(len(scores)), rng.integers(nearest.shape[1], size=len(scores))]
        return self.basis.residuals[chosen]

    def member_signals(self, profiles: ad.AnnData, *, device: str = "cpu") -> dict[str, np.ndarray]:
        scores, _ = self.basis.split(np.asarray(profiles.X, np.float64))
        mean = self.means[[self.keys.index(key) for key in keys_of(profiles.obs)]]
        limit = self.settings["radius"] * np.sqrt(scores.shape[1])
        cut = shortened(scores, limit, np.linalg.norm(scores, axis=1))
        around = scores - mean
        return {
            # The likelihood ratio of the noised sums, with and without the donor's clipped vector, up to constants.
            "mechanism": (cut * mean).sum(1),
            "density": -0.5 * np.einsum("ij,jk,ik->i", around, np.linalg.inv(self.covariance), around),
        }

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        basis = {f"basis/{f.name}": getattr(self.basis, f.name) for f in fields(Basis) if f.name != "marginals"}
        marginals = with_prefix("marginals", self.basis.marginals.state()[0])
        arrays = {"means": self.means, "covariance": self.covariance, "shift": self.shift, **basis, **marginals}
        metadata = {"keys": self.keys, "settings": self.settings, "scale": self.scale, "ledger": self.ledger.state()}
        return arrays, metadata

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        out = cls()
        out.settings, out.scale = metadata["settings"], metadata["scale"]
        out.keys: list[Key] = [tuple(key) for key in metadata["keys"]]
        out.ledger = Ledger.from_state(metadata["ledger"])
        kept = of_prefix("marginals", arrays)
        marginals = Marginals.from_state(kept, [ANY] if kept else [])
        out.basis = Basis(**of_prefix("basis", arrays), marginals=marginals)
        out.means, out.covariance, out.shift = arrays["means"], arrays["covariance"], arrays["shift"]
        return out
