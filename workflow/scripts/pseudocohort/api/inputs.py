"""What a person hands over, an AnnData or a DataFrame, brought to the form of the workflow's harmonised profiles."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype, is_list_like, is_numeric_dtype
from scipy import sparse

from ..core.errors import UserError
from ..core.levels import FACTORS, LEVELS, level_of
from ..core.survival import EVENT, TIME
from ..core.validation import nearest
from ..core.words import some
from ..ingest.h5ad import as_text
from ..ingest.matrix import Matrix, check_finite
from ..ingest.missing import DOUBTFUL, is_absent, key_of
from ..ingest.units import UnitCheck
from ..prepare.follow_up import as_numbers, follow_up_of
from ..prepare.harmonise import KEPT, covariate, follow_up_columns
from ..prepare.log_scale import COUNTED, library_sizes, log2_expression, log_unit

#: Declared units; ``log2`` is log2(x + 1) of any of them.
UNITS = ("log2", "counts", "expected_counts", "tpm", "fpkm", "rsem", "cpm", "vst")
#: A column of the profiles, or one value for each of them.
Labels = str | Sequence[Any] | Mapping[Any, Any] | np.ndarray | pd.Series
#: Factors of a level where the profiles do not say them.
_FACTORS_OF = {
    "cell": ("umi_3prime", "cell", "in_vitro"),
    "pseudobulk": ("umi_3prime", "pseudobulk", "in_vitro"),
    "line_bulk": ("bulk", "bulk", "in_vitro"),
    "tumour": ("bulk", "bulk", "tumour"),
    "normal": ("bulk", "bulk", "normal"),
}
_MIN_PROFILES = 2
#: Share of a table's columns up to which those of whole numbers, among others of fractions, look like annotation.
_FEW = 0.05
#: Key of ``uns`` for the layers of a file that were not read.
ALSO = "pseudocohort_also_in_file"
_TURN = "if rows are genes, turn the table: give data.T"
#: Columns that are no covariates.
RESERVED = (*KEPT, "unit", "library_size", "generator")


def check_known(what: str, names: Iterable[str], known: Sequence[str], where: str, said: str = "one of") -> None:
    """Refuse the first of `names` that is not known, naming the nearest that is and all that are.

    Raises
    ------
    UserError
    """
    for name in names:
        if name not in known:
            remedy = f"{nearest(name, list(known))}{said}: {', '.join(known) or 'none'}"
            raise UserError(f"{what} {name!r}", where=where, remedy=remedy)


def dense(x: Any) -> np.ndarray:
    """A matrix that may be sparse as one that is not."""
    return x.toarray() if sparse.issparse(x) else np.asarray(x)


def as_anndata(data: Any, columns: Sequence[Any], layer: str | None = None, where: str = "profiles") -> ad.AnnData:
    """Profiles with named `columns` as annotation and everything else as genes; values as they are, not checked.

    Parameters
    ----------
    data : AnnData or DataFrame
        Profiles × genes. In a DataFrame, the `columns` that are strings are annotation.
    columns : sequence
        Columns asked for; what is no string is ignored.
    layer : str, optional
        Layer of an AnnData that holds the values, instead of ``X``.
    where : str
        Name of the data, for errors.

    Raises
    ------
    UserError
        If it is neither, has no such layer, no profiles, no genes or duplicated names, or holds values that are no
        numbers.
    """
    if isinstance(data, ad.AnnData):
        data = data.to_memory() if data.isbacked else data
        if layer is not None and layer not in data.layers:
            raise UserError(
                f"no layer {layer!r}", where=where, remedy=f"layers: {', '.join(data.layers) or 'none'}; None takes X"
            )
        x = data.X if layer is None else data.layers[layer]
        if x is None:
            raise UserError("X is empty", where=where, remedy="name the layer that holds the values: layer=...")
        obs, var = data.obs, data.var
    elif isinstance(data, pd.DataFrame):
        if layer is not None:
            raise UserError("a DataFrame has no layers", where=where, remedy="leave layer out")
        named = [c for c in columns if isinstance(c, str) and c in data]
        if data.columns.has_duplicates:
            raise UserError(
                f"column {data.columns[data.columns.duplicated()][0]!r} occurs more than once",
                where=where,
                remedy="give each its own name, or keep one of them",
            )
        # A table that was turned (.T) holds its numbers as objects.
        obs, values = data[named], data.drop(columns=named).infer_objects()
        text = [c for c in values if not is_numeric_dtype(values[c])]
        if text:
            raise UserError(
                f"column {text[0]!r} holds no numbers, and is neither condition, donor, level nor covariate",
                where=where,
                remedy="leave it out, or put the annotation into obs of an AnnData",
            )
        whole = [c for c in values if is_integer_dtype(values[c]) and values[c].any()]
        if 0 < len(whole) < _FEW * values.shape[1]:
            warnings.warn(
                f"{where}: {some([repr(c) for c in whole], 5)}: whole numbers only, unlike the other columns, taken "
                "as genes. If this is annotation, leave it out, or name it in covariates",
                stacklevel=4,
            )
        x, var = values.to_numpy(), pd.DataFrame(index=values.columns)
        if x.dtype == object:  # nullable numbers, or yes and no among them
            x = values.to_numpy(np.float64, na_value=np.nan)
    else:
        kind, file = type(data).__name__, "; a file is read by anndata.read_h5ad(path) or pandas.read_csv(path)"
        raise UserError(
            f"a{'n' * (kind[0] in 'aeio' or kind == 'ndarray')} {kind} is no table of profiles",
            where=where,
            remedy="give an AnnData, or a DataFrame with a row for each profile and a column for each gene"
            + file * isinstance(data, str | Path),
        )
    if 0 in x.shape:
        raise UserError(
            f"{x.shape[0]} profiles x {x.shape[1]} genes: nothing to work with",
            where=where,
            remedy="give a row for each profile and a column for each gene",
        )
    if x.dtype.kind not in "biuf":
        raise UserError(f"values of the type {x.dtype}, not numbers", where=where, remedy="convert them to floats")
    for what, names in (("profile", obs.index), ("gene", var.index)):
        if isinstance(names, pd.MultiIndex):
            raise UserError(
                f"the names of {what}s have several levels (a MultiIndex)",
                where=where,
                remedy="give each one name: data.index = data.index.map('-'.join)",
            )
        names = names.astype(str)  # 1 and "1" are one name
        if names.has_duplicates:
            raise UserError(
                f"{what} {names[names.duplicated()][0]!r} occurs more than once",
                where=where,
                remedy="give each its own name"
                + (" (AnnData: obs_names_make_unique)" if what == "profile" else ", or keep one of them"),
            )
    named_as_text = [table.set_axis(table.index.astype(str)).copy() for table in (obs, var)]
    return ad.AnnData(x, obs=named_as_text[0], var=named_as_text[1])


def _one_by_one(values: Any, profiles: pd.Index, name: str, where: str) -> pd.Series:
    """Values of each profile, in the profiles' order; those with an index are taken by it.

    Raises
    ------
    UserError
        If they are no list of values, or are of other profiles.
    """
    if isinstance(values, Mapping):
        values = pd.Series(dict(values), dtype=object)
    if not isinstance(values, pd.Series):
        if not is_list_like(values, allow_sets=False) or getattr(values, "ndim", 1) != 1:
            raise UserError(
                f"a {type(values).__name__} does not say the {name} of each profile",
                where=where,
                remedy="give the name of a column, or a list with a value for each profile",
            )
        return pd.Series(values)
    ids = values.index.astype(str)
    if set(ids) >= set(profiles):
        if ids.has_duplicates:
            raise UserError(f"{name} names a profile twice", where=where, remedy="give one value for each")
        return values.set_axis(ids)[profiles].reset_index(drop=True)
    if list(values.index) != list(range(len(values))):
        lacking = next(one for one in profiles if one not in set(ids))
        raise UserError(
            f"{name} is indexed by other names than the profiles': it has no {lacking!r}, and begins with {ids[0]!r}",
            where=where,
            remedy="give it the profiles' index; or, where it is in their order, take its values: .to_numpy()",
        )
    return values.reset_index(drop=True)


def column_of(data: ad.AnnData, values: Labels, name: str, where: str = "profiles") -> pd.Series:
    """Values of a column of ``obs``, or those given one by one, by profile.

    A Series, or mapping, whose index has the profiles' names is put into their order; one that is numbered from 0 on
    is taken to be in that order; another one is refused.

    Raises
    ------
    UserError
        If there is no such column, the index or number is wrong, or a value is missing.
    """
    if isinstance(values, str):
        if values not in data.obs:
            close = nearest(values, list(map(str, data.obs)))
            remedy = f"{close}columns: {', '.join(map(str, data.obs)) or 'none'}; or give a value for each profile"
            if values in data.obs_names or not data.obs.shape[1]:
                remedy += f"; rows are taken as profiles, the first is {data.obs_names[0]!r}: {_TURN}"
            raise UserError(f"no column {values!r} for the {name}", where=where, remedy=remedy)
        found = data.obs[values]
    else:
        ids = getattr(values, "index" if isinstance(values, pd.Series) else "keys", None)
        ids = ids() if callable(ids) else ids
        if ids is not None and len(ids) and set(map(str, ids)) <= set(data.var_names):
            raise UserError(
                f"{name} is given for {some([repr(i) for i in ids], 3)}, which are columns; rows are the profiles",
                where=where,
                remedy=_TURN,
            )
        found = _one_by_one(values, data.obs_names, name, where)
        if len(found) != data.n_obs:
            raise UserError(
                f"{len(found)} values of {name} for {data.n_obs} profiles", where=where, remedy="give one for each"
            )
        found.index = data.obs_names
    text = as_text(found)
    words = text.unique()
    # A class may well be called None or unknown; a donor is nobody then, and would be one person.
    keep = set() if name == "donor" else {word for word in words if key_of(word) in DOUBTFUL}
    text = text.mask(is_absent(text, donors=name == "donor") & ~text.isin(keep), "")
    if (empty := (text == "").to_numpy()).any():
        raise UserError(
            f"{empty.sum()} of {data.n_obs} profiles have no {name}; the first is {data.obs_names[empty][0]!r}",
            where=where,
            remedy=f"leave them out, or fill in their {name}",
        )
    return text


def levels_of(data: ad.AnnData, level: Labels, where: str = "profiles") -> pd.DataFrame:
    """Level and its factors, by profile.

    Raises
    ------
    UserError
        If a level is unknown.
    """
    names = pd.Series(level, data.obs_names) if isinstance(level, str) and level in LEVELS else None
    if names is None and isinstance(level, str) and level not in data.obs:
        raise UserError(
            f"{level!r} is neither a level nor a column",
            where=f"{where}, level",
            remedy=f"{nearest(level, [*LEVELS, *map(str, data.obs)])}levels: {', '.join(LEVELS)}",
        )
    names = column_of(data, level, "level", where) if names is None else names
    check_known("unknown level", sorted(set(names)), LEVELS, f"{where}, level")
    out = pd.DataFrame([_FACTORS_OF[name] for name in names], index=data.obs_names, columns=list(FACTORS))
    if set(FACTORS) <= set(data.obs) and all(data.obs[f].isin(allowed).all() for f, allowed in FACTORS.items()):
        own = data.obs[list(FACTORS)].astype(str)
        if [level_of(a, c) for a, c in zip(own["aggregation"], own["context"], strict=True)] == list(names):
            out = own
    return out.assign(level=names)


def log2_values(data: ad.AnnData, unit: str, log_offset: float | None, where: str = "profiles") -> ad.AnnData:
    """Profiles on log2(x + 1), float32, dense, after checks of the values against the declared unit.

    Parameters
    ----------
    data : AnnData
        Values on `unit`.
    unit : str
        One of :data:`UNITS`.
    log_offset : float, optional
        Values are log2(unit + log_offset).
    where : str
        Name of the data, for errors.

    Returns
    -------
    AnnData
        With ``unit`` and ``library_size`` (0 where there are no counts) in ``obs``.

    Raises
    ------
    UserError
        If a value is missing or infinite, or the values contradict the unit (:class:`...ingest.units.UnitCheck`).
    """
    check_known("unknown unit", [unit], UNITS, where)
    if log_offset is not None and not (isinstance(log_offset, int | float | np.number) and 0 <= log_offset < np.inf):
        raise UserError(
            f"{log_offset!r} is added to no value",
            where="log_offset",
            remedy="a number from 0 on: log2(unit + 1) has 1",
        )
    x = sparse.csr_matrix(data.X) if sparse.issparse(data.X) else np.asarray(data.X)
    if np.isnan(x.data if sparse.issparse(x) else x).any():
        row, gene = np.argwhere(np.isnan(dense(x)))[0]
        raise UserError(
            f"the value of gene {data.var_names[gene]!r} in profile {data.obs_names[row]!r} is missing (NaN)",
            where=where,
            remedy="leave the gene or the profile out, or fill in the value",
        )
    matrix = Matrix(x, data.obs_names, data.var_names)
    check_finite(matrix, where)
    # log2 of what, is not said: x.
    declared, offset = ("x", 1.0 if log_offset is None else log_offset) if unit == "log2" else (unit, log_offset)
    check = UnitCheck(declared, offset, where)
    try:
        check.add(matrix, "samples")
        check.verdict()
    except UserError as error:
        raise UserError(
            error.what,
            where=error.where,
            remedy=f"say what the values are: unit= one of {', '.join(UNITS)}, and log_offset= where they are "
            "log2(unit + log_offset); or correct them",
        ) from error
    for warning in check.warnings:
        warnings.warn(f"{where}: {warning}", stacklevel=4)
    matrix = check.counts(matrix)
    source: dict[str, Any] = {"unit": declared}
    if offset is not None and declared not in COUNTED:
        source["log_offset"] = offset
    of_unit = ad.AnnData(matrix.x, obs=data.obs, var=data.var, uns={"pseudocohort": source})
    if unit == "log2" and offset == 1:  # they are what they shall become
        log2 = np.maximum(dense(matrix.x), 0).astype(np.float32)
    else:
        log2 = log2_expression(of_unit)
    out = ad.AnnData(log2, obs=data.obs.copy(), var=data.var)
    out.obs["unit"], out.obs["library_size"] = log_unit(of_unit), library_sizes(of_unit)
    if declared in COUNTED and (empty := (out.obs["library_size"] == 0).to_numpy()).any():
        raise UserError(
            f"profile {out.obs_names[empty][0]!r} has no counts", where=where, remedy="leave the profile out"
        )
    return out


def kinds_of(data: ad.AnnData, covariates: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Kinds of covariates, ``numeric`` or ``categorical``: those given, else by the type of their column.

    Raises
    ------
    UserError
        If there is no such column, or no such kind.
    """
    kinds = {}
    for name in [covariates] if isinstance(covariates, str) else covariates:
        check_known("no column", [name], list(map(str, data.obs)), "covariates", "columns")
        if name in RESERVED:
            raise UserError(
                f"{name!r} is a column of the workflow's own", where="covariates", remedy="give the column another name"
            )
        given = covariates[name] if isinstance(covariates, Mapping) else ""
        if given not in ("", "numeric", "categorical"):
            raise UserError(f"unknown kind {given!r}", where=f"covariates, {name}", remedy="numeric or categorical")
        kinds[name] = given or ("numeric" if is_numeric_dtype(data.obs[name]) else "categorical")
    return kinds


def _text_of_follow_up(data: ad.AnnData, columns: Mapping[str, str]) -> tuple[pd.Series, pd.Series]:
    for part, name in columns.items():
        check_known("no column", [name], list(map(str, data.obs)), f"survival.{part}", "columns")
    return follow_up_columns(columns, [data], "survival")


def add_covariates(obs: pd.DataFrame, data: ad.AnnData, kinds: Mapping[str, str]) -> pd.DataFrame:
    """`obs` with the covariates of `data`: numbers (NaN where missing), or text (empty where missing)."""
    out = obs.copy()
    of_follow_up = {kind: name for name, kind in kinds.items() if kind in (TIME, EVENT)}
    if len(of_follow_up) == 1:
        (part, name), lacking = *of_follow_up.items(), EVENT if TIME in of_follow_up else TIME
        raise UserError(
            f"there is a {part} (column {name!r}) and no {lacking}",
            where=f"survival.{lacking}",
            remedy="give both columns, or neither",
        )
    if of_follow_up:
        for numbers in as_numbers(*_text_of_follow_up(data, of_follow_up), "survival"):
            out[numbers.name] = numbers.to_numpy()
    for name, kind in kinds.items():
        if kind in (TIME, EVENT):
            continue
        try:
            out[name] = covariate(name, kind, [data]).to_numpy()
        except UserError as error:
            raise UserError(error.what, where=f"covariates, {name}", remedy=error.remedy) from error
    return out


def _others(data: Any, layer: str | None) -> list[str]:
    """What else of an AnnData, or of the h5ad that it was read from, may hold the values."""
    if not isinstance(data, ad.AnnData):
        return []
    return [name for name in (*data.layers, *data.uns.get(ALSO, ())) if name != layer]


def training_profiles_of(
    data: Any,
    condition: Labels,
    *,
    donor: Labels | None,
    level: Labels,
    covariates: Sequence[str] | Mapping[str, str],
    layer: str | None,
    unit: str,
    log_offset: float | None,
    survival: Mapping[str, str] | None = None,
    where: str = "profiles",
) -> ad.AnnData:
    """Profiles as the workflow's harmonised ones: log2 values and everything that a generator is told of a profile.

    Raises
    ------
    UserError
        For the first thing wrong.
    """
    for labels in (condition, donor, level):
        if isinstance(data, pd.DataFrame) and isinstance(labels, pd.Series) and labels.name in data.columns:
            raise UserError(
                f"column {labels.name!r} is annotation, and would enter as a gene",
                where=where,
                remedy=f"give the column's name, {labels.name!r}, in place of its values; or leave it out of the table",
            )
    survival = survival or {}
    covariates = [covariates] if isinstance(covariates, str) else covariates
    named = [*covariates, *survival.values(), condition, level, *FACTORS]
    raw = as_anndata(data, [*named, donor], layer, where)
    if raw.n_obs < _MIN_PROFILES:
        raise UserError(
            "one profile is no cohort", where=where, remedy="give several profiles of each condition, of several donors"
        )
    kinds = kinds_of(raw, covariates)
    obs = levels_of(raw, level, where)
    obs["condition"] = column_of(raw, condition, "condition", where)
    obs["donor"] = raw.obs_names if donor is None else column_of(raw, donor, "donor", where)
    obs = add_covariates(obs, raw, kinds)
    if survival:
        text = _text_of_follow_up(raw, survival)
        for part, numbers in zip(survival, follow_up_of(*text, obs["level"], "survival"), strict=True):
            obs[survival[part]], kinds[survival[part]] = numbers.to_numpy(), part
    try:
        values = log2_values(raw, unit, log_offset, where)
    except UserError as error:
        if others := _others(data, layer):
            remedy = f"{error.remedy}; there is also {', '.join(others)}: name it as layer if that is meant"
            raise UserError(error.what, where=error.where, remedy=remedy) from error
        raise
    obs[["unit", "library_size"]] = values.obs[["unit", "library_size"]]
    return ad.AnnData(
        values.X,
        obs=obs,
        var=raw.var,
        uns={"pseudocohort": {"unit": "log2 expression", "scale": "unscaled", "covariates": kinds}},
    )
