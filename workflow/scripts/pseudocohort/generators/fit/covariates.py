"""What covariates (sex, age, ...) do to expression: taken out before a generator learns, put in when it is sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from ...core.groups import Key, donor_weights, keys_of, rows_by_key
from ...core.levels import FACTORS
from ...core.survival import EVENT, TIME, Hazard, follow_up

#: Donors beyond the groups and effects from which on effects are estimated.
MIN_FREEDOM = 10
#: Iterations of :func:`two_groups`, and the variance of its statistics that it begins with.
_ITERATIONS, _FIRST_VARIANCE = 200, 9.0
#: Permutations of :func:`beyond_chance`, and the p from which on it says no.
_PERMUTATIONS, _CHANCE = 399, 0.05


@dataclass
class Coding:
    """A covariate as numbers: its standardised value, or a column for each category.

    Where it is missing, the average of the condition and level stands for it, or 0 where nobody's is known there.

    `categories` are empty for a numeric one. `centre` (columns,) is its mean, or the shares of the categories; `spread`
    the standard deviation of a numeric one. `of_groups` are the columns' averages over the donors of each condition and
    level, counted as if one more donor had the overall average.
    """

    name: str
    categories: list[str]
    centre: np.ndarray
    spread: float = 1.0
    of_groups: dict[Key, np.ndarray] = field(default_factory=dict)

    @classmethod
    def fit(cls, name: str, kind: str, obs: pd.DataFrame, weight: np.ndarray) -> Self | None:
        """From training profiles with weights (n,), or None where the covariate does not vary."""
        known = is_known(obs[name], kind)
        if not known.any():
            return None
        share = weight[known] / weight[known].sum()
        if kind == "numeric":
            value = obs[name].to_numpy(np.float64)[known]
            mean = float(share @ value)
            spread = float(np.sqrt(share @ (value - mean) ** 2))
            coding, varies = cls(name, [], np.array([mean]), spread), spread > 0
        else:
            value = obs[name].astype(str).to_numpy()[known]
            categories = sorted(set(value))
            coding = cls(name, categories, np.array([share[value == c].sum() for c in categories]))
            varies = len(categories) > 1
        if not varies:
            return None
        values = coding.values(obs)
        for key, rows in rows_by_key(obs).items():
            own = rows[known[rows]]
            coding.of_groups[key] = weight[own] @ values[own] / (weight[own].sum() + 1)
        return coding

    @property
    def names(self) -> list[str]:
        """Columns of ``obs`` that it is made from."""
        return [self.name]

    def shrinkage(self, f: np.ndarray) -> np.ndarray:
        """What effects with F statistics (genes,) are multiplied by: the non-negative garrote."""
        return np.clip(1 - 1 / np.maximum(f, 1e-300), 0, None)

    def described(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {
            "name": self.name, "categories": self.categories, "centre": self.centre.tolist(), "spread": self.spread,
            "of_groups": [[*key, mean.tolist()] for key, mean in self.of_groups.items()],
        }  # fmt: skip

    def values(self, obs: pd.DataFrame) -> np.ndarray:
        """Columns (n × columns) of the profiles of `obs`; NaN where the value is missing or a category is not known."""
        if self.name not in obs:
            return np.full((len(obs), len(self.centre)), np.nan)
        if not self.categories:
            return ((obs[self.name].to_numpy(np.float64) - self.centre[0]) / self.spread)[:, None]
        value = obs[self.name].astype(str).to_numpy()
        known = np.isin(value, self.categories)[:, None]
        return np.where(known, (value[:, None] == np.array(self.categories)) - self.centre, np.nan)

    def columns(self, obs: pd.DataFrame) -> np.ndarray:
        """Columns (n × columns) of the profiles of `obs`; where the value is missing, those of condition and level."""
        out = self.values(obs)
        missing = np.flatnonzero(np.isnan(out[:, 0]))
        if len(missing):
            none = np.zeros(len(self.centre))
            out[missing] = [self.of_groups.get(key, none) for key in keys_of(obs.iloc[missing])]
        return out


@dataclass
class FollowUpCoding(Coding):
    """Time and event as one number: the martingale residual within the condition and level, standardised.

    Its covariance with a gene is the score of that gene's Cox regression, so profiles that are given its effect go with
    survival as the training profiles do. To first order in a gene's log hazard ratio, its mean given time and event is
    linear in this number (White & Royston 2009, Statistics in Medicine 28:1982).

    Attributes
    ----------
    event : str
        Name of the event's column; ``name`` is that of the time.
    hazards : dict
        Cumulative hazard of the training donors of each (condition, level) with an event.
    """

    event: str = ""
    hazards: dict[tuple[str, str], Hazard] = field(default_factory=dict)

    @classmethod
    def of_follow_up(cls, time: str, event: str, obs: pd.DataFrame, weight: np.ndarray) -> Self | None:
        """From training profiles with weights (n,), or None where none of them has an event."""
        known = obs[time].notna().to_numpy() & obs[event].notna().to_numpy()
        hazards = {}
        for key, rows in rows_by_key(obs).items():
            own = obs.iloc[rows[known[rows]]]
            hazard = Hazard.fit(*(own[c].to_numpy(np.float64) for c in (time, event)), weight[rows[known[rows]]])
            if len(hazard.times):
                hazards[key] = hazard
        coding = cls(time, [], np.zeros(1), event=event, hazards=hazards)
        if not hazards:
            return None
        coding.spread = float(np.sqrt((weight * coding.columns(obs)[:, 0] ** 2).sum() / weight[known].sum()))
        return coding if coding.spread > 0 else None

    @property
    def names(self) -> list[str]:
        """Time and event."""
        return [self.name, self.event]

    def values(self, obs: pd.DataFrame) -> np.ndarray:
        """Column (n × 1) of the profiles of `obs`; 0 where the follow-up is missing, or its condition had no event."""
        out = np.zeros((len(obs), 1))
        if any(name not in obs for name in self.names):
            return out
        time, event = (obs[name].to_numpy(np.float64) for name in self.names)
        keys, known = keys_of(obs), np.isfinite(time) & np.isfinite(event)
        for key, hazard in self.hazards.items():
            rows = np.flatnonzero(known & np.array([key == k for k in keys], dtype=bool))
            out[rows, 0] = hazard.residual(time[rows], event[rows]) / self.spread
        return out

    def shrinkage(self, f: np.ndarray) -> np.ndarray:
        """See :func:`two_groups`."""
        return two_groups(f)

    def described(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        groups = [[*key, h.times.tolist(), h.cumulative.tolist()] for key, h in self.hazards.items()]
        return super().described() | {"event": self.event, "hazards": groups}


def restored(given: Mapping[str, Any]) -> Coding:
    """A coding from what :meth:`Coding.described` says."""
    common = (given["name"], given["categories"], np.array(given["centre"]), given["spread"])
    if "event" not in given:
        return Coding(*common, {(c, level): np.array(mean) for c, level, mean in given.get("of_groups", [])})
    hazards = {(c, level): Hazard(np.array(t), np.array(h)) for c, level, t, h in given["hazards"]}
    return FollowUpCoding(*common, event=given["event"], hazards=hazards)


def two_groups(f: np.ndarray) -> np.ndarray:
    """Shrinkage (genes,) of effects with F statistics on one degree of freedom: empirical Bayes in two groups.

    Some genes have no effect, the effects of the others are normal; the share of the first and the variance of the
    second are estimated from all genes (Efron 2008, Statistical Science 23:1). Few genes go with survival: without the
    first group the chance of thousands of others would be learned and found again.
    """
    share, variance = 0.1, _FIRST_VARIANCE
    for _ in range(_ITERATIONS):
        odds = share / (1 - share) / np.sqrt(variance) * np.exp(np.minimum(f / 2 * (1 - 1 / variance), 600))
        chance = odds / (1 + odds)
        share = float(np.clip(chance.mean(), 1e-6, 1 - 1e-6))
        variance = max(float((chance * f).sum() / max(chance.sum(), 1e-300)), 1.0)
    return chance * (1 - 1 / variance)


def beyond_chance(x: np.ndarray, obs: pd.DataFrame, coding: Coding) -> bool:
    """Whether a covariate of one column goes with any gene, or with all together, more than by chance.

    Genes that vary together go with a covariate together by chance, which statistics gene by gene do not see. So the
    covariate is dealt out anew among the donors of each condition and level, whose profiles are averaged; the mean
    squared correlation (the global test of Goeman et al. 2005, Bioinformatics 21:1950) and the largest one are each
    compared with those of the permutations at half the level of the test.

    Parameters
    ----------
    x : ndarray (n × genes)
        Standardised profiles, without the effects of other covariates.
    obs : DataFrame
        Of them.
    coding : Coding
    """
    column, rng = coding.columns(obs)[:, 0], np.random.default_rng(0)
    known = np.all([obs[name].notna() for name in coding.names], axis=0)
    groups = [own for rows in rows_by_key(obs).values() if len(own := rows[known[rows]])]
    donor = obs["donor"].astype(str).to_numpy() if "donor" in obs else np.arange(len(obs))
    values, parts = [], []
    for rows in groups:
        profiles = pd.DataFrame(np.column_stack([column[rows], x[rows]]))
        own = profiles.groupby(donor[rows], sort=False).mean().to_numpy()
        orders = np.stack([np.arange(len(own)), *(rng.permutation(len(own)) for _ in range(_PERMUTATIONS))])
        values.append(own[orders, 0])
        parts.append(own[:, 1:] - own[:, 1:].mean(0))
    centred = np.concatenate(parts)
    length = np.sqrt((centred**2).sum(0))
    squared = (np.concatenate(values, axis=1) @ (centred / np.where(length > 0, length, 1))) ** 2
    limit = _CHANCE / 2 * (_PERMUTATIONS + 1)
    return any((one >= one[0]).sum() <= limit for one in (squared.mean(1), squared.max(1)))


def is_known(values: pd.Series, kind: str) -> np.ndarray:
    """Whether each value (n,) of a covariate of that kind is there."""
    return (values.astype(str) != "").to_numpy() if kind == "categorical" else values.notna().to_numpy()


def linear_effects(
    x: np.ndarray, obs: pd.DataFrame, codings: list[Coding]
) -> tuple[list[np.ndarray], list[np.ndarray]] | None:
    """Effects of covariates within conditions and levels, by least squares; a missing value says nothing.

    Parameters
    ----------
    x : ndarray (n × genes)
        Standardised profiles.
    obs : DataFrame
        ``condition``, ``level``, ``donor`` and the covariates of each.

    Returns
    -------
    effects, f : lists of ndarray
        Of each covariate its effects (columns × genes), and their F statistics (genes,). None where there are too few
        donors, or the covariates do not vary within conditions.
    """
    groups = rows_by_key(obs)
    if not groups:
        return None
    weight, rows = donor_weights(obs), np.concatenate(list(groups.values()))
    columns = [coding.values(obs) for coding in codings]
    design, response = np.concatenate(columns, axis=1)[rows], np.asarray(x, np.float64)[rows]
    start = 0
    for own in groups.values():
        part = slice(start, start + len(own))
        share, root = weight[own] / weight[own].sum(), np.sqrt(weight[own])[:, None]
        design[part] = root * _centred(design[part], share)
        response[part] = root * (response[part] - share @ response[part])
        start += len(own)
    inverse = np.linalg.pinv(design.T @ design, rcond=1e-8, hermitian=True)
    rank = np.linalg.matrix_rank(design, tol=1e-6 * max(1.0, np.abs(design).max()))
    freedom = weight[rows].sum() - len(groups) - rank
    if rank == 0 or freedom < MIN_FREEDOM:
        return None
    whole = inverse @ (design.T @ response)
    error = np.maximum(((response - design @ whole) ** 2).sum(0) / freedom, 1e-300)
    effects, f, start = [], [], 0
    for own in columns:
        part = slice(start, start + own.shape[1])
        effects.append(whole[part])
        information = np.linalg.pinv(inverse[part, part], rcond=1e-8, hermitian=True)
        explained = np.einsum("ig,ij,jg->g", whole[part], information, whole[part])
        f.append(explained / max(np.linalg.matrix_rank(information), 1) / error)
        start = part.stop
    return effects, f


def _centred(columns: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Columns (n × columns) less their weighted means; 0 where they are missing (NaN)."""
    known = ~np.isnan(columns)
    total = np.maximum(weight @ known, 1e-300)
    return np.where(known, columns - weight @ np.where(known, columns, 0.0) / total, 0.0)


@dataclass
class CovariateEffects:
    """Linear effects of covariates on standardised expression, the same in all conditions and levels.

    A generator learns profiles as if all donors had the average covariates; what it draws is given the effect of the
    covariates asked for. So every generator that models distributions is conditioned on them, and none has to find the
    effect of sex on a few genes by itself in a few dozen profiles. A missing covariate counts as the average of the
    condition and level. Without covariates it changes nothing.

    The effect of a covariate on a gene is multiplied by (1 - 1/F)+, F being its F statistic: strong effects stay, and
    most of those that are not there become 0 (the non-negative garrote, Breiman 1995, Technometrics 37:373). Time and
    event of a follow-up are one number (:class:`FollowUpCoding`) with a shrinkage of its own.

    Attributes
    ----------
    codings : list of Coding
    effects : ndarray (columns × genes)
    """

    codings: list[Coding] = field(default_factory=list)
    effects: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    @classmethod
    def fit(cls, z: np.ndarray, obs: pd.DataFrame, kinds: Mapping[str, str]) -> Self:
        """From standardised training profiles (n × genes); `kinds` are categorical, numeric, time, event.

        The last two are one follow-up, and go together.
        """
        weight, survival = donor_weights(obs), follow_up(kinds)
        found: list[Coding | None] = [
            Coding.fit(name, kind, obs, weight) for name, kind in sorted(kinds.items()) if kind not in (TIME, EVENT)
        ]
        found += [FollowUpCoding.of_follow_up(*survival, obs, weight)] if survival else []
        codings = [coding for coding in found if coding]
        found = linear_effects(z, obs, codings) if codings else None
        if found is None:
            return cls()
        shrunk = [effect * coding.shrinkage(f) for coding, effect, f in zip(codings, *found, strict=True)]
        if survival and isinstance(codings[-1], FollowUpCoding):
            others = cls(codings[:-1], np.concatenate([np.zeros((0, z.shape[1])), *shrunk[:-1]]))
            if not beyond_chance(others.remove(z, obs), obs, codings[-1]):
                shrunk[-1] = np.zeros_like(shrunk[-1])
        return cls(codings, np.concatenate(shrunk))

    def shown(self, obs: pd.DataFrame) -> pd.DataFrame:
        """Requests `obs` for profiles; covariates whose effects these do not have are missing."""
        known = {"condition", *FACTORS, "level", *(name for coding in self.codings for name in coding.names)}
        missing = {c: np.nan if is_numeric_dtype(obs[c]) else "" for c in obs if c not in known}
        return obs.assign(**missing)

    def of(self, obs: pd.DataFrame) -> np.ndarray | float:
        """Effects (n × genes) of the covariates of `obs`."""
        if not self.codings:
            return 0.0
        return np.concatenate([coding.columns(obs) for coding in self.codings], axis=1) @ self.effects

    def remove(self, z: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
        """Standardised profiles, float32, without the effects of their covariates."""
        return (z - self.of(obs)).astype(np.float32)

    def add(self, z: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
        """Standardised profiles, float32, with the effects of the covariates of `obs`."""
        return (z + self.of(obs)).astype(np.float32)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and metadata for storage."""
        codings = [coding.described() for coding in self.codings]
        return {"effects": self.effects.astype(np.float32)}, {"codings": codings}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        """Restored from :meth:`state`."""
        return cls([restored(given) for given in metadata["codings"]], arrays["effects"].astype(np.float64))


def described(profiles: ad.AnnData) -> dict[str, str]:
    """Covariates of harmonised profiles and their kinds."""
    return dict(profiles.uns.get("pseudocohort", {}).get("covariates", {}))
