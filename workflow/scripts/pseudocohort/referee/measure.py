"""Likeness, use and leakage of cohorts made from one training set, by the code of the experiments.

Generators in the tables: ``synthetic``, the cohort in question; ``real``, real profiles of donors whom nobody trained
on, in its place (the floor of leakage, the ceiling of likeness); ``train``, the training profiles themselves; and the
controls, simple generators fitted to the same training profiles.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import stats

from ..core.io import evaluation_table
from ..core.seeds import derive
from ..core.seeds import generator as random_generator
from ..core.survival import EVENT, TIME
from ..experiments.fidelity.score import Profiles, compare, patients
from ..experiments.privacy.attacks import ATTACKS, chosen
from ..experiments.privacy.attacks._distances import nearest_row
from ..experiments.privacy.pooled import clopper_pearson
from ..experiments.privacy.score import privacy
from ..experiments.shared import scales
from ..experiments.shared.classifiers import balanced_accuracy, choose_baseline, fit_predict
from ..experiments.shared.estimators import BEST
from ..experiments.shared.inputs import ScoreInputs
from ..experiments.shared.standardise import moderated_scale
from ..experiments.shared.statistics import held_out_standard_error
from ..experiments.shared.tables import rows_with
from ..generators.base.registry import generators
from ..metrics.copies import copied_donors, count_copies
from ..metrics.sizes import donor_halves, matched_subset
from ..metrics.survival import survival_recovery
from ..prepare.scale import Scaler
from .cohorts import FACTORS, Cohort

SYNTHETIC, REAL, TRAIN = "synthetic", "real", "train"
#: Ways in which donors are cut into halves, for intervals of likeness and for the control of the attacks.
HALVINGS = 4
#: Fewest donors that are cut into halves.
FEWEST_TO_HALVE = 20
NEIGHBOURS = 10
Z = 1.96
#: Regime of the rows of :func:`use`: trained on these profiles alone, and on real and synthetic ones.
ALONE, ADDED = "alone", "added"


def controls() -> list[str]:
    """Simple generators that can be fitted to training profiles alone, found by the scan of generators."""
    return [name for name, kind in generators().items() if kind.control and not kind.capabilities.private]


def fit_control(name: str, train: Cohort, wanted: pd.Series, seed: int) -> Cohort:
    """A cohort of the conditions `wanted`, sampled from a generator that is fitted to `train`."""
    from ..generators.fit.batch import train_batch  # needs torch, which takes seconds to import
    from ..generators.fit.inference import sample_batch

    profiles = train.profiles()
    members = pd.DataFrame({"training_set": "train", "sample_id": profiles.obs_names, "role": "train"})
    members["condition"] = profiles.obs["condition"].to_numpy()
    request = pd.DataFrame({"condition": wanted.to_numpy()}).assign(**FACTORS)
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        train_batch(
            profiles, members, ["train"], models, generator=name, settings={}, seed=seed, device="cpu",
            checkpoints=Path(folder) / "checkpoints", checkpoint_minutes=60,
        )  # fmt: skip
        made = sample_batch(
            models, {"train": request}, profiles.var, generator=name, seeds={"train": seed}, device="cpu"
        )
    obs = pd.DataFrame({"condition": wanted.to_numpy(), "donor": made.obs_names}, index=made.obs_names)
    return Cohort("synthetic", np.asarray(made.X, np.float32), train.genes, obs, name)


def copies_of(synthetic: Cohort, real: Cohort) -> tuple[int, int, int]:
    """Numbers of synthetic profiles that are exact, near and disguised copies of profiles of real donors."""
    return count_copies(synthetic.x, real.x, real.obs["donor"].to_numpy())


def exact_copies(synthetic: Cohort, train: Cohort) -> pd.DataFrame:
    """Synthetic profiles that are training profiles: ``synthetic train donor``."""
    exact, _ = copied_donors(synthetic.x, train.x, train.obs["donor"].to_numpy())
    rows = np.flatnonzero(exact)
    own = train.obs.iloc[nearest_row(synthetic.x[rows].astype(np.float64), train.x.astype(np.float64))]
    found = {
        "synthetic": synthetic.obs.index[rows].astype(str),
        "train": own.index.astype(str),
        "donor": own["donor"].to_numpy(),
    }
    return pd.DataFrame(found)


def _summary(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return evaluation_table([{"study": "audit", **row} for row in rows], summary=True)


def _clipped(metric: str, value: float, half: float) -> tuple[float, float]:
    low, high = scales.bounds(metric) or scales.REAL
    return float(np.maximum(value - half, low)), float(np.minimum(value + half, high))  # NaN stays NaN


def likeness(
    cohort: Cohort | None, name: str, train: Cohort, holdout: Cohort, seed: int, *, halvings: int = HALVINGS
) -> pd.DataFrame:
    """Metrics of likeness of a cohort, or of held-out profiles where it is None, to held-out donors.

    The held-out donors are cut into halves in several ways; each half is in turn the reality. The standard error is the
    root of the mean squared distance of the halves' values to their mean, the jackknife that deletes half of the donors
    (Shao & Wu 1989, Annals of Statistics 17:1176); the interval is Student's, of a degree of freedom for each halving.
    Of permuted times it is that of one permutation, in which 95 % of them lie. Of a single halving there is none. Where
    both have a follow-up with enough events in every half, the metrics of
    :func:`.metrics.survival.survival_recovery` are among them.

    Summary table; ``n`` is the number of held-out donors.
    """
    profiles = {c.name: c.profiles() for c in (train, holdout)}
    scaler = Scaler(by_level=True).fit(profiles["train"].X, profiles["train"].obs)
    seen, test = (Profiles.of(p.X, p.obs, scaler) for p in profiles.values())
    made = None
    if cohort is not None:
        of = cohort.profiles()
        made = Profiles.of(of.X, of.obs, scaler)
    values: dict[str, list[float]] = {}
    for number in range(halvings):
        own = derive(seed, "likeness", number)
        halves = donor_halves(test.donor, test.classes, random_generator(own, "donors"))
        for side, (here, there) in enumerate((halves, halves[::-1])):
            rng = random_generator(own, "half", side)
            stand_in = test[there] if made is None else made[matched_subset(made.classes, test.classes[there], rng)]
            found = compare(seen, test[here], stand_in, NEIGHBOURS, rng, own)
            sides = [part for part in (test[here], stand_in) if {TIME, EVENT} <= set(part.obs)]
            if len(sides) == 2:
                followed = (patients(part, (TIME, EVENT)) for part in sides)
                found |= survival_recovery(*followed, random_generator(own, "survival", side))
            for metric, value in found.items():
                values.setdefault(metric, []).append(value)
    if len(values.get("survival_calls", [])) < 2 * halvings:  # where not every half has enough events
        values = {metric: found for metric, found in values.items() if not metric.startswith("survival_")}
    rows, quantile = [], stats.t.ppf(0.975, halvings)
    for metric, found in values.items():
        x = np.array(found)[np.isfinite(found)]
        if not len(x):
            continue
        # Times are permuted anew in every half: there the spread is that of chance.
        width = Z if "permuted" in metric else quantile
        low, high = _clipped(metric, x.mean(), width * x.std() if halvings > 1 else np.nan)
        row = {"generator": name, "n_synthetic": None if cohort is None else len(cohort), "metric": metric}
        rows.append(row | {"value": x.mean(), "ci_low": low, "ci_high": high, "n": holdout.donors})
    return _summary(rows)


def use(cohorts: dict[str, Cohort], train: Cohort, holdout: Cohort, seed: int) -> pd.DataFrame:
    """Balanced accuracy on held-out donors of classifiers of conditions: taught by real, by synthetic, by both.

    The classifier is the one of :data:`.estimators.BASELINES`, with the setting, that inner cross-validation on the
    training profiles prefers; it is the same whatever it is taught by. Standard errors are over held-out donors, those
    of differences paired.

    Summary table: ``balanced_accuracy`` and, of what is taught by synthetic profiles, ``balanced_accuracy_gain`` over
    the training profiles alone.
    """
    labels, donors = holdout.obs["condition"].to_numpy(), holdout.obs["donor"].to_numpy()
    y = train.obs["condition"].to_numpy()
    real_scale = moderated_scale(train.x)

    def scaled(x: np.ndarray, scale: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        return (x.astype(np.float64) - scale[0]) / scale[1]

    x = scaled(train.x, real_scale)
    choice = choose_baseline(x, y, seed)[BEST]
    # Where every profile of a class fares alike there is no spread, but up to this share of others may differ.
    unseen = clopper_pearson(0, len(labels))[1]

    def predicted(rows: np.ndarray, taught: np.ndarray, weight: np.ndarray | None, scale: tuple) -> np.ndarray:
        test = scaled(holdout.x, scale)
        return fit_predict(choice.name, rows, taught, weight, test, seed, setting=choice.setting)[0]

    def measured(said: np.ndarray, against: np.ndarray | None = None) -> dict[str, Any]:
        """Accuracy, or its gain over that of other predictions, with its interval."""
        right = said == labels
        other = np.zeros_like(right) if against is None else against == labels
        se = held_out_standard_error(right, other, labels, donors)
        half = Z * se if se > 0 else unseen
        metric, value = "balanced_accuracy", balanced_accuracy(labels, said)
        if against is not None:
            metric, value = "balanced_accuracy_gain", value - balanced_accuracy(labels, against)
        low, high = _clipped(metric, value, half)
        return {"metric": metric, "value": value, "ci_low": low, "ci_high": high}

    alone = predicted(x, y, None, real_scale)
    n = {"n": holdout.donors, "estimator": choice.name}
    rows = [{"generator": REAL, "regime": ALONE, "n_real": len(train), "n_synthetic": 0, **n, **measured(alone)}]
    for name, cohort in cohorts.items():
        taught = cohort.obs["condition"].to_numpy()
        if len(np.unique(taught)) < 2:
            continue
        scale = moderated_scale(cohort.x)
        said = predicted(scaled(cohort.x, scale), taught, None, scale)
        keys = {"generator": name, "regime": ALONE, "n_real": 0, "n_synthetic": len(cohort), **n}
        rows += [keys | measured(said), keys | measured(said, alone)]
        # Weights sum to the number of real rows, so that the penalty does not weaken as synthetic rows are added.
        weight = np.full(len(x) + len(cohort), len(x) / (len(x) + len(cohort)))
        both = np.concatenate([x, scaled(cohort.x, real_scale)])
        said = predicted(both, np.concatenate([y, taught]), weight, real_scale)
        keys |= {"regime": ADDED, "n_real": len(train)}
        rows += [keys | measured(said), keys | measured(said, alone)]
    return _summary(rows)


def attacks_without(reference: Cohort | None) -> tuple[list[str], list[str]]:
    """Attacks that are run and, without the attacker's reference, those that are not."""
    default = chosen([])
    run = [name for name in default if reference is not None or "reference" not in ATTACKS[name].needs]
    return run, [name for name in default if name not in run]


class Attacks:
    """Membership attacks: members are the training donors, non-members the held-out ones.

    Parameters
    ----------
    reference : Cohort, optional
        The attacker's own real profiles; without them attacks that need none are run, on the scale of the synthetic
        cohort.
    """

    def __init__(self, train: Cohort, holdout: Cohort, reference: Cohort | None, seed: int) -> None:
        self.train, self.holdout, self.reference, self.seed = train, holdout, reference, seed
        self.names, self.not_run = attacks_without(reference)

    def _run(self, synthetic: Cohort, generator: str, regime: str, splits: Sequence[dict[str, Cohort]]) -> pd.DataFrame:
        """Long table of the attacks on `synthetic`, with each of `splits` (role -> cohort) in turn."""
        everyone = {id(c): c.profiles() for roles in splits for c in roles.values()}
        seen: set[str] = set()
        once = []
        for part in everyone.values():  # halves of several cuts share profiles
            new = ~part.obs_names.isin(seen)
            seen |= set(part.obs_names)
            once += [part[new]] if new.any() else []
        profiles = ad.concat(once)
        profiles.var["symbol"] = profiles.var_names
        parts, sets = [], []
        for number, roles in enumerate(splits):
            name = f"{regime}-{number}"
            sets.append({"training_set": name, "regime": regime, "repeat": number, "seed": self.seed})
            for role, cohort in roles.items():
                obs = everyone[id(cohort)].obs
                part = {"training_set": name, "sample_id": obs.index, "role": role, "condition": obs["condition"]}
                parts.append(pd.DataFrame(part))
        made = synthetic.profiles()
        return privacy(ScoreInputs(
            profiles, {row["training_set"]: made for row in sets},
            pd.DataFrame(sets).assign(generators=generator), pd.concat(parts, ignore_index=True),
            study="audit", generator=generator, settings={"attacks": self.names}, seed=self.seed,
        ))  # fmt: skip

    def _attacker(self, synthetic: Cohort) -> Cohort:
        """The reference; without one the cohort itself, as profiles of others."""
        if self.reference is not None:
            return self.reference
        return replace(
            synthetic, name="scale", obs=synthetic.obs.assign(donor="scale:" + synthetic.obs.index.astype(str))
        )

    def on(self, synthetic: Cohort, generator: str) -> pd.DataFrame:
        """Attacks on a cohort made from the training profiles."""
        roles = {"member": self.train, "non_member": self.holdout, "reference": self._attacker(synthetic)}
        return self._run(synthetic, generator, "audit", [roles])

    def halves(self, synthetic: Cohort, generator: str) -> pd.DataFrame | None:
        """The same attacks on it, asked which of two halves of the non-members were members: neither was."""
        if self.holdout.donors < FEWEST_TO_HALVE:
            return None
        attacker, splits = self._attacker(synthetic), []
        for number in range(HALVINGS):
            one, other = self._cut(self.holdout, "non-members", number)
            splits.append({"member": one, "non_member": other, "reference": attacker})
        return self._run(synthetic, generator, "negative_control", splits)

    def floor(self) -> pd.DataFrame | None:
        """Attacks on real profiles of half of the reference's donors, which nobody was a member of."""
        if self.reference is None or self.reference.donors < FEWEST_TO_HALVE:
            return None
        made, reference = self._cut(self.reference, "reference", 0)
        roles = {"member": self.train, "non_member": self.holdout, "reference": reference}
        return self._run(made, REAL, "audit", [roles])

    def _cut(self, cohort: Cohort, *names: object) -> list[Cohort]:
        rng = random_generator(self.seed, *names)
        of = cohort.obs["donor"].to_numpy(dtype=str), cohort.obs["condition"].to_numpy(dtype=str)
        return [cohort.rows(rows) for rows in donor_halves(*of, rng)]


def with_intervals(long: pd.DataFrame) -> pd.DataFrame:
    """Privacy table as a summary: limits beside their measure; means over the halvings of the control."""
    keys = [k for k in long.columns if k not in ("metric", "value", "repeat", "seed", "level")]
    rows = []
    for names, part in long.groupby(keys, dropna=False, sort=False):
        values = part.groupby("metric", sort=False)["value"].mean()
        own = {k: v for k, v in zip(keys, names, strict=True) if not pd.isna(v) and k != "study"}
        for metric, value in values.items():
            if metric.endswith(("_low", "_high")):
                continue
            low, high = (values.get(f"{metric}{end}", np.nan) for end in ("_low", "_high"))
            rows.append({**own, "metric": metric, "value": value, "ci_low": low, "ci_high": high})
    members = rows_with(long, metric="members", regime="audit")["value"]
    return _summary(rows).assign(n=members.iloc[0] if len(members) else np.nan)
