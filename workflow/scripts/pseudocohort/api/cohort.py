"""A fitted cohort: sampled, completed, plotted, saved and loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anndata as ad
import numpy as np
import pandas as pd

from ..core.errors import ContractError, UserError
from ..core.groups import rows_by_key
from ..core.io import atomic, check_writable
from ..core.levels import FACTORS, LEVELS
from ..core.seeds import RandomState, derive, seed_of
from ..core.seeds import generator as random_generator
from ..core.survival import FollowUpTimes, follow_up
from ..core.validation import nearest
from ..generators.base import registry
from ..generators.base.serialization import METADATA, load_state, save_state, stored_as_expected
from ..generators.fit.fitted import STORED, Fitted
from ..ingest.h5ad import as_text
from .inputs import Labels, add_covariates, as_anndata, check_known, column_of, dense, levels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Folder of what is stored beside the model.
_COHORT = "cohort"

#: What is stored about a cohort, beside its genes and what it has seen.
_ABOUT = ("condition", "covariates", "device", "random_state", "settings", "training_set", "unit")
#: Names that an error lists at most.
MAX_NAMED = 8
#: Genes of a profile from which on whole numbers alone are no logarithms; a few genes may be set to whole ones.
_ENOUGH = 20

Request = int | Mapping[str, int] | pd.Series | pd.DataFrame


def check_place(path: str | Path) -> Path:
    """Where a cohort can be stored, symbolic links resolved: a path that is free, an empty folder, or another cohort.

    Raises
    ------
    UserError
        If there is something else, which would be lost, or one cannot write there.
    """
    path = Path(path).resolve()
    check_writable(path)
    there = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    stored = (path / _COHORT / METADATA).is_file() and there <= {_COHORT, *STORED}
    if path.exists() and not stored and (there or not path.is_dir()):
        other = sorted(there - {_COHORT, *STORED}) or sorted(there)
        raise UserError(
            "there is something else, which a cohort would replace" + (f": {other[0]}" if other else ""),
            where=str(path),
            remedy="give the path of a folder that does not exist yet",
        )
    return path


@dataclass(repr=False)
class Cohort:
    """A generator fitted on a cohort; made by :func:`pseudocohort.fit` or :func:`pseudocohort.load`.

    Attributes
    ----------
    fitted : Fitted
        The generator, and what takes its profiles to log2 units: that of the workflow.
    var : DataFrame
        Genes, in the order of every gene axis.
    seen : DataFrame
        Conditions and levels of the training profiles, with their number (``profiles``) and that of their ``donors``.
    about : dict
        ``condition`` (name of its column), ``covariates`` and their kinds (those of a follow-up are ``time`` and
        ``event``), ``settings``, ``random_state``, ``training_set``, ``unit``, ``device``; where patients had a
        follow-up, ``follow_up``: its distribution by condition and level.

    Examples
    --------
    >>> import pseudocohort as pc
    >>> real = pc.example(60, random_state=1)
    >>> cohort = pc.fit(real, condition="cancer", generator="flow", settings={"steps": 20}, random_state=1)
    >>> cohort
    Cohort(flow: 60 profiles x 387 genes, 4 conditions)
    >>> synthetic = cohort.sample({"breast": 30, "colon": 20})
    >>> synthetic.shape
    (50, 387)
    """

    fitted: Fitted
    var: pd.DataFrame
    seen: pd.DataFrame
    about: dict[str, Any]

    def __repr__(self) -> str:
        profiles = int(self.seen["profiles"].sum())
        return (
            f"Cohort({self.generator}: {profiles} profiles x {len(self.var)} genes, {len(self.conditions)} conditions)"
        )

    @property
    def generator(self) -> str:
        """Name of the generator."""
        return self.fitted.generator

    @property
    def genes(self) -> pd.Index:
        """Names of the genes."""
        return self.var.index

    @property
    def conditions(self) -> list[str]:
        """Conditions of the training profiles."""
        return sorted(self.seen["condition"].unique())

    @property
    def levels(self) -> list[str]:
        """Levels of the training profiles."""
        return [level for level in LEVELS if level in set(self.seen["level"])]

    @property
    def history(self) -> pd.DataFrame | None:
        """Loss curve: ``step``, and a column for each loss; None for a generator without a training loop."""
        return self.fitted.model.history

    @property
    def guarantee(self) -> str:
        """What the generator's privacy ledger says; of a generator without one, that there is no guarantee."""
        ledger = self.fitted.model.ledger
        return "no DP guarantee (the generator makes no claim of privacy)" if ledger is None else ledger.statement()

    def sample(
        self,
        wanted: Request | None = None,
        *,
        level: str | None = None,
        counts: bool = False,
        random_state: RandomState = None,
    ) -> ad.AnnData:
        """Synthetic profiles.

        Parameters
        ----------
        wanted : dict, Series, int or DataFrame, optional
            Profiles of each condition (a Series: as ``value_counts`` gives it); or their number, shared out like the
            training profiles; or a row for each profile, with a column for the condition and, where they are asked for,
            columns ``level``, covariates, time and event.
            By default as many as the training profiles.
        level : str, optional
            Level of all profiles; needed where the training profiles have several.
        counts : bool
            Integer counts as well, in the layer ``counts``, at library sizes drawn like those of the training profiles.
        random_state : int, Generator or RandomState, optional
            By default that of the fit: the same call gives the same profiles.

        Returns
        -------
        AnnData
            ``X``: log2 expression (x + 1), float32, not below 0. ``obs``: condition under the name that it had, level
            and its factors, ``generator``, and covariates. Where patients had a follow-up and none is asked for, time
            and event are drawn around those of the training patients of the condition
            (:class:`..core.survival.FollowUpTimes`).

        Raises
        ------
        UserError
            If a condition or level is unknown, a number is none, or there are no counts to learn from.

        Examples
        --------
        >>> import pseudocohort as pc
        >>> real = pc.example(60, unit="counts", random_state=1)
        >>> cohort = pc.fit(real, "cancer", generator="independent", unit="counts")
        >>> synthetic = cohort.sample({"liver": 3, "lung": 2}, counts=True)
        >>> synthetic.obs["cancer"].tolist()
        ['liver', 'liver', 'liver', 'lung', 'lung']
        >>> synthetic.layers["counts"].dtype.kind
        'i'
        """
        seed = derive(seed_of(random_state, self.about["random_state"]), self.about["training_set"])
        request = self._request(wanted, level, random_generator(seed, "follow-up"))
        x = self.fitted.sample(request, seed=seed, device=self.about["device"])
        layers = {}
        if counts:
            layers["counts"] = self.fitted.counts(x, request, seed=seed)
            if layers["counts"] is None:
                raise UserError(
                    f"no counts: the training profiles were {self.about['unit']}, or the generator is private",
                    where="counts",
                    remedy="fit on counts (unit='counts'), or leave counts=False",
                )
        obs = self.fitted.effects.shown(request).rename(columns={"condition": self.about["condition"]})
        obs.insert(1, "generator", self.generator)
        obs.index = [f"synthetic-{i}" for i in range(len(obs))]
        return self._anndata(x, obs, layers)

    def impute(
        self,
        profiles: ad.AnnData | pd.DataFrame,
        condition: Labels | None = None,
        *,
        level: Labels | None = None,
        layer: str | None = None,
        expected: bool = True,
        random_state: RandomState = None,
    ) -> ad.AnnData:
        """Profiles completed: genes that they do not have, or have as NaN, given those that they have.

        Parameters
        ----------
        profiles : AnnData or DataFrame
            log2 expression (x + 1), on the scale of the training profiles: of counts, log2(CPM + 1) with the library
            size over all genes. Genes in any order and number, at least one of the cohort's.
        condition : str, Series or sequence, optional
            Column, or condition of each profile; by default the column of the fit.
        level : str, Series or sequence, optional
            Level of all, column, or level of each profile; needed where the training profiles have several.
        layer : str, optional
            Layer with the values.
        expected : bool
            Expected profiles; else drawn ones, which vary as profiles do.
        random_state : int, Generator or RandomState, optional
            By default that of the fit.

        Returns
        -------
        AnnData
            All genes of the cohort; given values are as they were, float32. ``obs`` as given.

        Raises
        ------
        UserError
            If the generator cannot complete profiles (the message names those that can), or the profiles are no good.

        Examples
        --------
        >>> import pseudocohort as pc
        >>> real = pc.example(60, random_state=1)
        >>> cohort = pc.fit(real, "cancer", generator="flow", settings={"steps": 20})
        >>> panel = real[:3, :100]
        >>> cohort.impute(panel).shape
        (3, 387)
        """
        able = [name for name, kind in registry.generators().items() if kind.capabilities.mask]
        if self.generator not in able:
            raise UserError(
                f"generator {self.generator!r} cannot complete profiles",
                where="impute",
                remedy=f"fit one of: {', '.join(able)}",
            )
        condition = self.about["condition"] if condition is None else condition
        level = self._only_level() if level is None else level
        given = as_anndata(profiles, [condition, level, *FACTORS, *self.about["covariates"]], layer)
        if unknown := [g for g in given.var_names if g not in self.genes]:
            more = f" and {len(unknown) - MAX_NAMED} more" if len(unknown) > MAX_NAMED else ""
            raise UserError(
                f"{len(unknown)} genes are not the cohort's: {', '.join(map(repr, unknown[:MAX_NAMED]))}{more}",
                where="profiles",
                remedy=f"{nearest(unknown[0], list(self.genes))}leave out what the cohort does not have",
            )
        x = dense(given.X).astype(np.float32)
        if np.isinf(x).any() or np.nanmin(x, initial=0) < 0 or np.nanmax(x, initial=0) > 40:
            raise UserError(
                f"values from {np.nanmin(x):.4g} to {np.nanmax(x):.4g} are no log2(x + 1)",
                where="profiles",
                remedy="give log2 expression on the scale of the training profiles; NaN where a gene is to be found",
            )
        known = x[~np.isnan(x)]
        most_genes = (~np.isnan(x)).sum(1).max(initial=0)
        if most_genes >= _ENOUGH and known.any() and (known == np.round(known)).all():
            raise UserError(
                "all values are whole numbers, as counts are",
                where="profiles",
                remedy="give log2 expression on the scale of the training profiles: of counts, log2(CPM + 1)",
            )
        if not known.size:
            raise UserError("no gene has a value", where="profiles", remedy="give some; sample() makes whole profiles")
        obs = levels_of(given, level)
        obs["condition"] = column_of(given, condition, "condition")
        self._check_known(obs["condition"].unique(), obs["level"].unique())
        there = {name: kind for name, kind in self.about["covariates"].items() if name in given.obs}
        obs = add_covariates(obs, given, there)
        self._check_categories(obs)
        clamped = np.full((given.n_obs, len(self.genes)), np.nan, dtype=np.float32)
        clamped[:, self.genes.get_indexer(given.var_names)] = x
        made = self.fitted.given(
            obs.reset_index(drop=True),
            clamped,
            seed=derive(seed_of(random_state, self.about["random_state"]), self.about["training_set"], "impute"),
            device=self.about["device"],
            expected=expected,
        )
        return self._anndata(np.where(np.isnan(clamped), np.maximum(made, 0), clamped).astype(np.float32), given.obs)

    def plot_history(self, ax: Axes | None = None) -> Axes:
        """Loss curve; see :func:`pseudocohort.plot_history`."""
        from .plots import plot_history

        return plot_history(self, ax)

    def save(self, path: str | Path) -> None:
        """Write the cohort to a folder: safetensors, JSON and TSV, no pickle, in one rename.

        Raises
        ------
        UserError
            If there is something else at that path, or it cannot be written; another cohort is replaced.

        Examples
        --------
        >>> import tempfile, pseudocohort as pc
        >>> cohort = pc.fit(pc.example(60), "cancer", generator="independent")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     cohort.save(f"{folder}/cohort")
        ...     again = pc.load(f"{folder}/cohort")
        >>> bool((again.sample(5).X == cohort.sample(5).X).all())
        True
        """
        path = check_place(path)
        with atomic(path) as folder:
            folder.mkdir()
            self.fitted.save(folder)
            text = self.var.select_dtypes(exclude=["number", "bool"]).astype(str)
            metadata = {
                **self.about,
                "generator": self.generator,
                "genes": list(self.genes),
                "var": {str(name): text[name].tolist() for name in text},
                "seen": self.seen.to_dict("list"),
            }
            save_state(folder / _COHORT, _COHORT, {}, metadata)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` wrote; columns of the genes that are no text are not kept."""
        path = Path(path)
        if not (path / _COHORT).is_dir():
            raise UserError(
                "no cohort is stored here",
                where=str(path),
                remedy="give the folder that save(), or pseudocohort fit --out, wrote",
            )
        try:
            with stored_as_expected(path):
                about = load_state(path / _COHORT, _COHORT)[1]
                generator, genes, var, seen = (about.pop(name) for name in ("generator", "genes", "var", "seen"))
                if missing := [name for name in _ABOUT if name not in about]:
                    raise KeyError(missing[0])
                fitted = Fitted.load(path, generator)
                if len(genes) != (size := len(next(iter(fitted.scaler.mean.values())))):
                    raise ValueError(f"{len(genes)} genes are named, and the scale is of {size}")
                cohort = cls(fitted, pd.DataFrame(var, index=pd.Index(genes, dtype=object)), pd.DataFrame(seen), about)
                # Parts that do not belong together say so now, not at the first profile that is asked for.
                fitted.sample(cohort._request(1, cohort.levels[0], random_generator(0)), seed=0, device="cpu")
        except ContractError as error:
            raise UserError(error.what, where=error.where, remedy="fit and save the cohort again") from error
        return cohort

    def _anndata(self, x: np.ndarray, obs: pd.DataFrame, layers: dict[str, np.ndarray] | None = None) -> ad.AnnData:
        told = {"unit": "log2 expression", "synthetic": True, "generator": self.generator}
        return ad.AnnData(x, obs=obs, var=self.var.copy(), layers=layers or {}, uns={"pseudocohort": told})

    def _only_level(self) -> str:
        if len(self.levels) > 1:
            raise UserError(
                f"the training profiles have several levels: {', '.join(self.levels)}",
                where="level",
                remedy=f"say which is wanted: level={self.levels[0]!r}",
            )
        return self.levels[0]

    def _check_known(self, conditions: Any, levels: Any) -> None:
        for what, names, known in (("condition", conditions, self.conditions), ("level", levels, self.levels)):
            check_known(f"unknown {what}", names, known, what, "the cohort has")

    def _check_categories(self, obs: pd.DataFrame) -> None:
        """Categories of covariates are those of the training profiles: another one would have no effect."""
        for coding in self.fitted.effects.codings:
            if coding.categories and coding.name in obs:
                check_known(
                    f"unknown {coding.name}", filter(None, obs[coding.name].unique()), coding.categories,
                    f"covariates, {coding.name}", "leave it empty where it is missing; the cohort has",
                )  # fmt: skip

    def _request(
        self, wanted: Request | None, level: str | None, rng: np.random.Generator | None = None
    ) -> pd.DataFrame:
        """Condition, level, its factors and covariates of each profile that is wanted.

        A follow-up that is not asked for is drawn by `rng`; without one it is missing.
        """
        name = self.about["condition"]
        if wanted is None:
            wanted = int(self.seen["profiles"].sum())
        if isinstance(wanted, pd.Series):  # of value_counts()
            if wanted.index.has_duplicates:
                raise UserError("a condition is named twice", where="wanted", remedy="give one number for each")
            wanted = wanted.to_dict()
        if isinstance(wanted, pd.DataFrame):
            if wanted.columns.has_duplicates:
                raise UserError(
                    f"column {wanted.columns[wanted.columns.duplicated()][0]!r} occurs more than once",
                    where="wanted",
                    remedy="keep one of them",
                )
            column = name if name in wanted else "condition"
            if column not in wanted:
                raise UserError(
                    f"no column {name!r}", where="wanted", remedy="name the condition of each profile in that column"
                )
            table = pd.DataFrame({"condition": as_text(wanted[column]).to_numpy()})
            if "level" in wanted:
                table["level"] = as_text(wanted["level"]).to_numpy()
                if level is not None and (other := table["level"] != level).any():
                    raise UserError(
                        f"level {level!r} is asked for, and the table has {table['level'][other].iloc[0]!r}",
                        where="level",
                        remedy="leave level out, or that column",
                    )
            given = ad.AnnData(obs=wanted.set_axis([str(i) for i in range(len(wanted))]))
        else:
            if isinstance(wanted, Mapping):
                words = as_text(pd.Series(list(wanted), dtype=object))
                if words.duplicated().any():
                    raise UserError(
                        f"condition {words[words.duplicated()].iloc[0]!r} is asked for twice",
                        where="wanted",
                        remedy="give one number for each condition",
                    )
                numbers = {w: _number(n, key) for w, (key, n) in zip(words, wanted.items(), strict=True)}
            else:
                numbers = self._shared_out(_number(wanted, "profiles"), level)
            table = pd.DataFrame({"condition": np.repeat(list(numbers), list(numbers.values()))}, dtype=object)
            given = ad.AnnData(obs=pd.DataFrame(index=[str(i) for i in range(len(table))]))
        if not len(table):
            raise UserError("no profile is asked for", where="wanted", remedy="ask for one or more: {'A': 100}")
        if "level" not in table:
            table["level"] = self._only_level() if level is None else level
        self._check_known(table["condition"].unique(), table["level"].unique())
        factors = self.seen.sort_values("profiles", kind="stable").drop_duplicates("level", keep="last")
        factors = factors.set_index("level")[list(FACTORS)]
        table = table.join(factors, on="level")[["condition", *FACTORS, "level"]]
        kinds = self.about["covariates"]
        table = add_covariates(table, given, {c: kind for c, kind in kinds.items() if c in given.obs})
        self._check_categories(table)
        missing = {c: "" if kind == "categorical" else np.nan for c, kind in kinds.items() if c not in given.obs}
        table = table.assign(**missing)
        columns = follow_up(kinds)
        return (
            table if rng is None or columns is None or columns[0] in given.obs else self._followed(table, *columns, rng)
        )

    def _followed(self, table: pd.DataFrame, time: str, event: str, rng: np.random.Generator) -> pd.DataFrame:
        """Requests with a follow-up like that of the training patients of their condition and level."""
        out = table.reset_index(drop=True)
        times = {(one["condition"], one["level"]): FollowUpTimes.restored(one) for one in self.about["follow_up"]}
        for key, rows in rows_by_key(out).items():
            if key in times:
                out.loc[rows, time], out.loc[rows, event] = times[key].draw(len(rows), rng)
        return out

    def _shared_out(self, total: int, level: str | None) -> dict[str, int]:
        """Profiles of each condition, as the training profiles share them (largest remainders)."""
        at = self._only_level() if level is None else level
        self._check_known([], [at])
        size = self.seen[self.seen["level"] == at].groupby("condition")["profiles"].sum()
        exact = total * size / size.sum()
        out = np.floor(exact).astype(int)
        most = (exact - out).sort_values(ascending=False, kind="stable").index[: total - int(out.sum())]
        out[most] += 1
        return {str(c): int(n) for c, n in out.items() if n}


def _number(value: Any, what: Any) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
        raise UserError(
            f"{value!r} is no number of profiles",
            where=f"wanted, {what}",
            remedy="a whole number, or one for each condition: {'A': 100, 'B': 50}",
        )
    return int(value)


def load(path: str | Path) -> Cohort:
    """Cohort that :meth:`Cohort.save` wrote.

    Raises
    ------
    UserError
        If the folder is missing or damaged, or holds something else.
    """
    return Cohort.load(path)
