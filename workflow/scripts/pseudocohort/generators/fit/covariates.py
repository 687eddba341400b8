"""What covariates (sex, age, ...) do to expression: taken out before a generator learns, put in when it is sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import anndata as ad
import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from ...core.groups import donor_weights, rows_by_key
from ...core.levels import FACTORS

#: Donors beyond the groups and effects from which on effects are estimated.
MIN_FREEDOM = 10


@dataclass
class Coding:
    """A covariate as numbers: its standardised value, or a column for each category; 0 where it is missing.

    `categories` are empty for a numeric one. `centre` (columns,) is its mean, or the shares of the categories; `spread`
    the standard deviation of a numeric one.
    """

    name: str
    categories: list[str]
    centre: np.ndarray
    spread: float = 1.0

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
            return cls(name, [], np.array([mean]), spread) if spread > 0 else None
        value = obs[name].astype(str).to_numpy()[known]
        categories = sorted(set(value))
        centre = np.array([share[value == c].sum() for c in categories])
        return cls(name, categories, centre) if len(categories) > 1 else None

    def columns(self, obs: pd.DataFrame) -> np.ndarray:
        """Columns (n × columns) of the profiles of `obs`; 0 where the value is missing or a category is not known."""
        if not self.categories:
            value = obs[self.name].to_numpy(np.float64)
            return np.where(np.isnan(value), 0.0, (value - self.centre[0]) / self.spread)[:, None]
        value = obs[self.name].astype(str).to_numpy()
        known = np.isin(value, self.categories)[:, None]
        return np.where(known, (value[:, None] == np.array(self.categories)) - self.centre, 0.0)


def is_known(values: pd.Series, kind: str) -> np.ndarray:
    """Whether each value (n,) of a covariate of that kind is there."""
    return values.notna().to_numpy() if kind == "numeric" else (values.astype(str) != "").to_numpy()


def linear_effects(
    x: np.ndarray, obs: pd.DataFrame, codings: list[Coding]
) -> tuple[list[np.ndarray], list[np.ndarray]] | None:
    """Effects of covariates within conditions and levels, by least squares.

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
    columns = [coding.columns(obs) for coding in codings]
    design, response = np.concatenate(columns, axis=1)[rows], np.asarray(x, np.float64)[rows]
    start = 0
    for own in groups.values():
        part = slice(start, start + len(own))
        share, root = weight[own] / weight[own].sum(), np.sqrt(weight[own])[:, None]
        design[part] = root * (design[part] - share @ design[part])
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


@dataclass
class CovariateEffects:
    """Linear effects of covariates on standardised expression, the same in all conditions and levels.

    A generator learns profiles as if all donors had the average covariates; what it draws is given the effect of the
    covariates asked for. So every generator that models distributions is conditioned on them, and none has to find the
    effect of sex on a few genes by itself in a few dozen profiles. Missing covariates have no effect. Without any it
    changes nothing.

    The effect of a covariate on a gene is multiplied by (1 - 1/F)+, F being its F statistic: strong effects stay, and
    most of those that are not there become 0 (the non-negative garrote, Breiman 1995, Technometrics 37:373).

    Attributes
    ----------
    codings : list of Coding
    effects : ndarray (columns × genes)
    """

    codings: list[Coding] = field(default_factory=list)
    effects: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    @classmethod
    def fit(cls, z: np.ndarray, obs: pd.DataFrame, kinds: Mapping[str, str]) -> Self:
        """From standardised training profiles (n × genes); `kinds` are ``categorical`` or ``numeric``."""
        found = [Coding.fit(name, kind, obs, donor_weights(obs)) for name, kind in sorted(kinds.items())]
        codings = [coding for coding in found if coding]
        found = linear_effects(z, obs, codings) if codings else None
        if found is None:
            return cls()
        shrunk = [effect * np.clip(1 - 1 / np.maximum(f, 1e-300), 0, None) for effect, f in zip(*found, strict=True)]
        return cls(codings, np.concatenate(shrunk))

    def shown(self, obs: pd.DataFrame) -> pd.DataFrame:
        """Requests `obs` for profiles; covariates whose effects these do not have are missing."""
        known = {"condition", *FACTORS, "level", *(coding.name for coding in self.codings)}
        missing = {c: np.nan if is_numeric_dtype(obs[c]) else "" for c in obs if c not in known}
        return obs.assign(**missing)

    def of(self, obs: pd.DataFrame) -> np.ndarray | float:
        """Effects (n × genes) of the covariates of `obs`; of a covariate that it has no column for, none."""
        if not any(coding.name in obs for coding in self.codings):
            return 0.0
        columns = [
            coding.columns(obs) if coding.name in obs else np.zeros((len(obs), len(coding.centre)))
            for coding in self.codings
        ]
        return np.concatenate(columns, axis=1) @ self.effects

    def remove(self, z: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
        """Standardised profiles, float32, without the effects of their covariates."""
        return (z - self.of(obs)).astype(np.float32)

    def add(self, z: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
        """Standardised profiles, float32, with the effects of the covariates of `obs`."""
        return (z + self.of(obs)).astype(np.float32)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and metadata for storage."""
        described = [
            {"name": c.name, "categories": c.categories, "centre": c.centre.tolist(), "spread": c.spread}
            for c in self.codings
        ]
        return {"effects": self.effects.astype(np.float32)}, {"codings": described}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Self:
        """Restored from :meth:`state`."""
        codings = [Coding(c["name"], c["categories"], np.array(c["centre"]), c["spread"]) for c in metadata["codings"]]
        return cls(codings, arrays["effects"].astype(np.float64))


def described(profiles: ad.AnnData) -> dict[str, str]:
    """Covariates of harmonised profiles and their kinds."""
    return dict(profiles.uns.get("pseudocohort", {}).get("covariates", {}))
