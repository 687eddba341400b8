"""Cohorts as people have them (AnnData, data frames, files) as profiles that the evaluations take, checked together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from ..core.errors import UserError
from ..core.survival import EVENT, TIME
from ..core.validation import nearest
from ..core.words import some
from ..ingest.delimited import MISSING, open_delimited
from ..ingest.fields import ROW_NAMES, SEPARATORS, layout_of
from ..ingest.gct import open_gct
from ..ingest.h5ad import H5adRows, as_text
from ..ingest.matrix import Matrix, Source, check_ids, read_all
from ..ingest.missing import is_absent
from ..ingest.samples import read_samples, spelled_otherwise
from ..ingest.text import look_at, open_text
from ..ingest.units import LARGEST_LOG2
from ..prepare.follow_up import as_numbers
from ..prepare.gene_ids import NO_GENES

#: What a cohort may be given as.
Given = ad.AnnData | pd.DataFrame | str | Path | Sequence[str | Path]
#: Levels are not told apart in an audit: every profile is one of bulk tissue.
FACTORS = {"technology": "bulk", "aggregation": "bulk", "context": "tumour", "level": "tumour"}
#: Condition of every profile where none is given.
ALL = "all"
#: Fewest genes that two cohorts have in common, and the share of the smaller one's genes that these are at least.
FEWEST_GENES, LEAST_SHARE = 20, 0.5
#: Fewest donors of a real cohort, and rows of a synthetic one.
FEWEST = 10
#: Names of a first column of numbers that is no gene.
ID_NAMES = {"", ROW_NAMES, "index", "id", "sample", "sample_id", "unnamed: 0"}
#: Ratio of the genes' means in two cohorts beyond which one of them is on another scale, if all genes agree on it.
LARGEST_RATIO, LEAST_AGREEMENT = 1.25, 0.9
#: Difference of the means beyond which it is so too: no donors differ two-fold, in one direction, in nearly all genes.
LARGEST_SHIFT = 1.0
#: Share of the genes below which those beyond all logarithms do not make the values of all genes linear.
FEW = 0.05
LOG, COUNTS, LINEAR, CENTRED = "logarithms", "counts", "linear values", "centred or scaled values"


@dataclass
class Cohort:
    """Profiles of one role.

    Attributes
    ----------
    name : str
        ``train``, ``synthetic``, ``holdout`` or ``reference``.
    x : ndarray (profiles × genes)
        Expression, float32.
    genes : Index
    obs : DataFrame
        ``condition`` and ``donor`` of the profiles, ``time`` and ``event`` where they have a follow-up; index: their
        ids.
    where : str
        File, or what was given in its place.
    notes : list of str
        What was left out of it.
    unseen : list of str
        Profiles and genes that are in it and were not looked at: a verdict does not hold for them.
    """

    name: str
    x: np.ndarray
    genes: pd.Index
    obs: pd.DataFrame
    where: str
    notes: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def donors(self) -> int:
        """Number of donors."""
        return self.obs["donor"].nunique()

    def rows(self, keep: np.ndarray) -> Cohort:
        """The profiles at `keep` (mask or row numbers)."""
        return replace(self, x=self.x[keep], obs=self.obs.iloc[np.arange(len(self))[keep]],
                       notes=list(self.notes), unseen=list(self.unseen))  # fmt: skip

    def profiles(self) -> ad.AnnData:
        """The cohort as the experiments take profiles; ids are ``<name>:<id>``."""
        obs = self.obs.assign(dataset="audit", **FACTORS).set_index(self.name + ":" + self.obs.index.astype(str))
        var = pd.DataFrame({"symbol": self.genes.to_numpy(dtype=object)}, index=self.genes)
        return ad.AnnData(self.x, obs=obs, var=var, uns={"pseudocohort": {"unit": "log2 expression"}})


def read(
    given: Given, name: str, *, condition: str | None, donor: str | None, survival: Mapping[str, str] | None = None
) -> Cohort:
    """A cohort from an AnnData, a data frame, a file, or the pair of a matrix and its sample table.

    Parameters
    ----------
    given : AnnData, DataFrame, path, or pair of paths
        AnnData and h5ad: ``X`` with annotation in ``obs``. Data frame and table (TSV, CSV): a profile per row, genes
        and annotation in columns. Pair: matrix (TSV, CSV, GCT, h5ad) and sample table, whose ids say which way the
        matrix lies.
    name : str
        Role.
    condition, donor : str, optional
        Columns. Without `condition` all profiles are of one; without `donor` every profile is a donor of its own.
    survival : mapping of str, optional
        Columns of ``time`` and ``event``; a cohort may lack both.

    Raises
    ------
    UserError
        If it cannot be read, lacks a column, or has too few profiles.
    """
    where = f"{name}: {given}" if isinstance(given, str | Path) else name
    donor = None if name == "synthetic" else donor
    survival = survival or {}
    for what, column in (("condition", condition), ("donor", donor)):
        if not isinstance(column, str | None):
            raise UserError(
                f"{what} is a {type(column).__name__}, not the name of a column",
                where=what,
                remedy="put the values into a column of each cohort, and give its name",
            )
    if condition is not None and condition == donor:
        raise UserError(
            f"condition and donor are one column, {donor!r}", where="donor", remedy="name two columns, or leave one out"
        )
    if isinstance(given, ad.AnnData):
        given = given.to_memory() if given.isbacked else given
        cohort = _of_matrix(
            name, where, given.X, given.obs_names, given.var_names, given.obs, condition, donor, survival
        )
    elif isinstance(given, pd.DataFrame):
        cohort = _of_frame(name, where, given, condition, donor, survival)
    elif isinstance(given, str | Path):
        kind = look_at(given).kind
        if kind == "an HDF5 file":
            matrix = read_all(H5adRows(given))
            cohort = _of_matrix(
                name, where, matrix.x, matrix.samples, matrix.genes, matrix.obs, condition, donor, survival
            )
        elif kind:
            raise look_at(given).refusal("a table or an h5ad file")
        else:
            frame = _table(given, [c for c in (condition, donor) if c], list(survival.values()))
            cohort = _of_frame(name, where, frame, condition, donor, survival)
    elif isinstance(given, Sequence) and len(given) == 2:
        where = f"{name}: {given[0]}"
        samples = read_samples(given[1])
        matrix, obs, absent = _joined(Path(given[0]), samples, where)
        cohort = _of_matrix(name, where, matrix.x, matrix.samples, matrix.genes, obs, condition, donor, survival)
        if absent:
            more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
            cohort.notes.append(f"{name}: not in its sample table, and left out: {', '.join(absent[:3])}{more}")
            cohort.unseen.append(f"{len(absent)} columns that its sample table does not list")
    else:
        raise UserError(
            f"a cohort cannot be {type(given).__name__}",
            where=name,
            remedy="give an AnnData, a data frame, a path, or the pair (matrix, sample table)",
        )
    return _checked(cohort)


def _table(path: str | Path, annotation: list[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """A table with a profile per row; the first column is the ids unless it is a gene: named, and of numbers.

    It may lack `optional` columns of the annotation.
    """
    separator = SEPARATORS["csv" if ".csv" in Path(path).suffixes else "tsv"]
    layout = layout_of(path, separator)
    names = layout.names
    if missing := [c for c in annotation if c not in names]:
        raise UserError(
            f"the table has no column {missing[0]!r}",
            where=str(path),
            remedy=nearest(missing[0], names)
            + "a single table has a profile per row, with its genes and annotation in columns; give a matrix of genes "
            "× samples together with its sample table; where a cohort has no labels, leave condition out: use is not "
            "judged then",
        )
    annotation = [*annotation, *(c for c in optional if c in names)]
    with open_text(path) as file:
        frame = pd.read_csv(
            file, sep=separator, header=None, skiprows=layout.skip, usecols=range(len(names)), low_memory=False,
            dtype={names.index(c): str for c in annotation} | ({0: str} if names[0].lower() in ID_NAMES else {}),
            na_values=sorted(MISSING),
        )  # fmt: skip
    frame.columns = pd.Index(names)
    first = frame.iloc[:, 0]
    is_id = names[0].lower() in ID_NAMES or not pd.api.types.is_numeric_dtype(first)
    if is_id and names[0] not in annotation:
        return frame.iloc[:, 1:].set_index(first.astype(str).to_numpy())
    return frame


def _joined(path: Path, samples: pd.DataFrame, where: str) -> tuple[Matrix, pd.DataFrame, list[str]]:
    """A matrix and the rows of its sample table, whose ids say whether samples are columns or rows.

    Also the columns of the matrix that the table does not list; what they hold is not read.
    """
    ids = pd.Index(samples.iloc[:, 0].astype(str))
    check_ids(ids, "sample", f"the sample table of {where}")
    columns = pd.Index([])
    if look_at(path).kind == "an HDF5 file":
        source: Source = H5adRows(path)
    elif ".gct" in path.suffixes:
        source = open_gct(path)
    else:
        format = "csv" if ".csv" in path.suffixes else "tsv"
        columns = pd.Index(layout_of(path, SEPARATORS[format]).names[1:])
        orientation = "genes_by_samples" if columns.isin(ids).any() else "samples_by_genes"
        source = open_delimited(path, format=format, orientation=orientation)
    known = source.samples.isin(ids)
    if not known.any():
        raise UserError(
            f"no sample of the matrix is in its sample table; the first ids are {source.samples[0]!r} and {ids[0]!r}",
            where=where,
            remedy=spelled_otherwise(source.samples.append(columns), ids)
            or "the first column of the sample table has the ids of the matrix",
        )
    found = read_all(source, np.flatnonzero(known))
    return found, samples.set_axis(ids, axis=0).loc[found.samples], list(map(str, source.samples[~known]))


def _of_frame(
    name: str,
    where: str,
    frame: pd.DataFrame,
    condition: str | None,
    donor: str | None,
    survival: Mapping[str, str],
) -> Cohort:
    columns = [c for c in (condition, donor, *survival.values()) if c and c in frame]
    for column in columns:
        if list(frame.columns).count(column) > 1:
            raise UserError(f"column {column!r} occurs more than once", where=where, remedy="keep one of them")
    values = frame.drop(columns=columns).infer_objects()  # a table that was turned (.T) holds objects
    numbers = values.select_dtypes(include=["number", "bool"])
    left_out = [str(c) for c in values.columns if c not in numbers]
    if not numbers.shape[1]:
        raise UserError("no column holds numbers", where=where, remedy="give a profile per row and a gene per column")
    cohort = _of_matrix(
        name,
        where,
        numbers.to_numpy(np.float64, na_value=np.nan),
        frame.index,
        numbers.columns,
        frame[columns],
        condition,
        donor,
        survival,
    )
    if left_out:
        shown = ", ".join(left_out[:3]) + (f" and {len(left_out) - 3} more" if len(left_out) > 3 else "")
        cohort.notes.append(f"{name}: columns that are no numbers are left out: {shown}")
    return cohort


def _column(obs: pd.DataFrame, column: str, cohort: str, where: str) -> np.ndarray:
    if column not in obs:
        raise UserError(
            f"{cohort} has no column {column!r}",
            where=where,
            remedy=nearest(column, [str(c) for c in obs]) + f"columns: {', '.join(map(str, obs)) or 'none'}",
        )
    return as_text(obs[column]).to_numpy(dtype=object)


def _of_matrix(
    name: str, where: str, x: Any, ids: pd.Index, genes: pd.Index, obs: pd.DataFrame | None,
    condition: str | None, donor: str | None, survival: Mapping[str, str],
) -> Cohort:  # fmt: skip
    if x is None or isinstance(ids, pd.MultiIndex) or isinstance(genes, pd.MultiIndex):
        raise UserError(
            "X is empty" if x is None else "the names of profiles or genes have several levels (a MultiIndex)",
            where=where,
            remedy="put the values into X" if x is None else "give each one name",
        )
    obs = pd.DataFrame(index=ids) if obs is None else obs
    unnamed = isinstance(ids, pd.RangeIndex) or list(ids.astype(str)) == [str(i) for i in range(len(ids))]
    index = pd.Index(ids.astype(str), dtype=object)
    check_ids(index, "profile", where)
    table = pd.DataFrame(index=index)
    table["condition"] = ALL if condition is None else _column(obs, condition, name, where)
    if name == "synthetic" or (donor is None and unnamed):
        table["donor"] = name + ":" + index
    else:
        table["donor"] = index if donor is None else _column(obs, donor, name, where)
    if any(column in obs for column in survival.values()):
        text = (pd.Series(_column(obs, column, name, where), index=index, name=column) for column in survival.values())
        text = (column.mask(is_absent(column), "") for column in text)
        table[TIME], table[EVENT] = as_numbers(*text, f"{where}, survival")
    x = x.toarray() if sparse.issparse(x) else np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise UserError(f"values of the type {x.dtype}, not numbers", where=where, remedy="convert them to floats")
    names = pd.Index([re.sub(r"^(ENS[A-Z]*G\d{11})\.\d+$", r"\1", str(g)) for g in genes], dtype=object)
    no_genes = names.str.strip().str.match(NO_GENES).astype(bool)
    notes = [f"{name}: set aside as no genes: {', '.join(names[no_genes][:5])}"] if no_genes.any() else []
    names, x = names[~no_genes], x[:, ~no_genes]
    check_ids(names, "gene", where)
    return Cohort(name, x.astype(np.float32), names, table, where, notes)


def _checked(cohort: Cohort) -> Cohort:
    absent = is_absent(cohort.obs["condition"]).to_numpy() | is_absent(cohort.obs["donor"], donors=True).to_numpy()
    if absent.any():
        note = f"{cohort.name}: {int(absent.sum())} profiles without a condition or donor are left out"
        cohort = cohort.rows(~absent)
        cohort.notes.append(note)
        cohort.unseen.append(f"{int(absent.sum())} profiles without a condition")
    if len(cohort) and not np.isfinite(cohort.x).all():
        row, gene = np.argwhere(~np.isfinite(cohort.x))[0]
        raise UserError(
            f"gene {cohort.genes[gene]!r} of profile {cohort.obs.index[row]!r} is {cohort.x[row, gene]}",
            where=cohort.where,
            remedy="leave out genes or profiles without values, or fill them in",
        )
    _check_enough(cohort)
    return cohort


def _check_enough(cohort: Cohort) -> None:
    if cohort.donors < FEWEST:
        what = "profiles" if cohort.name == "synthetic" else "donors"
        raise UserError(
            f"{cohort.donors} {what} in {cohort.name}",
            where=cohort.where,
            remedy=f"nothing can be said of fewer than {FEWEST}",
        )


def unit_of(x: np.ndarray) -> str:
    """What values look like: logarithms, counts, other linear values, or centred or scaled ones."""
    below = np.median((x < 0).mean(0))
    if 0.3 < below < 0.7 and np.median(np.abs(x.mean(0))) < 0.3 and np.median(x.std(0)) < 3:
        return CENTRED
    largest = float(x.max())
    if largest > 1 and (x == np.round(x)).all():
        return COUNTS
    return LINEAR if largest > LARGEST_LOG2 else LOG


def together(cohorts: dict[str, Cohort]) -> tuple[dict[str, Cohort], str, list[str]]:
    """Cohorts with the same genes in one unit, and what that unit is.

    Returns
    -------
    cohorts : dict of Cohort
        On a log2 scale where they were counts (log2 of counts per million + 1) or linear (log2 of the value + 1).
    unit : str
    notes : list of str
        What was left out.

    Raises
    ------
    UserError
        If genes, units or conditions do not match, or a donor or a profile is in two real cohorts.
    """
    _check_apart(_real(cohorts))
    cohorts, notes = _same_conditions(cohorts)
    genes = cohorts["train"].genes
    for name, cohort in cohorts.items():
        common = genes[genes.isin(cohort.genes)]
        least = LEAST_SHARE * min(len(cohort.genes), len(genes))
        if len(common) < max(FEWEST_GENES, least):
            raise UserError(
                f"{name} and train have {len(common)} genes in common, of {len(cohort.genes)} and {len(genes)}",
                where=cohort.where,
                remedy=f"name the genes alike; here they begin {cohort.genes[0]!r} and {genes[0]!r}",
            )
        if len(common) < max(len(genes), len(cohort.genes)):
            notes.append(f"{name}: {len(common)} of its {len(cohort.genes)} genes are in common with training")
        genes = common
    if unseen := len(cohorts["synthetic"].genes) - len(genes):
        what = f"{unseen} of its {len(cohorts['synthetic'].genes)} genes, which another cohort lacks"
        cohorts["synthetic"] = replace(cohorts["synthetic"], unseen=[*cohorts["synthetic"].unseen, what])
    cohorts = {
        name: replace(c, x=np.ascontiguousarray(c.x[:, c.genes.get_indexer(genes)]), genes=genes)
        for name, c in cohorts.items()
    }
    cohorts, unit = _one_unit(cohorts)
    _check_scale(cohorts)
    _check_copied_profiles(_real(cohorts))
    return cohorts, unit, [note for c in cohorts.values() for note in c.notes] + notes


def _real(cohorts: dict[str, Cohort]) -> dict[str, Cohort]:
    return {name: cohort for name, cohort in cohorts.items() if name != "synthetic"}


def _check_apart(real: dict[str, Cohort]) -> None:
    for one, other in combinations(real, 2):
        if shared := set(real[one].obs["donor"]) & set(real[other].obs["donor"]):
            raise UserError(
                f"donor {sorted(shared)[0]!r} is both in {one} and in {other} ({len(shared)} in all)",
                where=real[other].where,
                remedy=f"the generator has seen the donors of train; {other} holds donors of its own",
            )


def _same_conditions(cohorts: dict[str, Cohort]) -> tuple[dict[str, Cohort], list[str]]:
    known, notes, out = set(cohorts["train"].obs["condition"]), [], {}
    for name, cohort in cohorts.items():
        strange = ~cohort.obs["condition"].isin(known).to_numpy()
        labels = sorted(cohort.obs["condition"][strange].unique())
        if strange.any() and (name == "synthetic" or strange.all()):
            raise UserError(
                f"{name} has the condition {labels[0]!r}, which training profiles do not have",
                where=cohort.where,
                remedy=f"name the conditions alike; those of train: {', '.join(sorted(known)[:10])}",
            )
        if strange.any():
            notes.append(f"{name}: {int(strange.sum())} profiles of other conditions than training's: left out")
            cohort = cohort.rows(~strange)
            _check_enough(cohort)
        out[name] = cohort
    if lacking := sorted(known - set(cohorts["synthetic"].obs["condition"])):
        notes.append(f"the synthetic cohort has no profile of: {', '.join(lacking)}")
    return out, notes


def _one_unit(cohorts: dict[str, Cohort]) -> tuple[dict[str, Cohort], str]:
    units = {name: unit_of(c.x) for name, c in cohorts.items()}
    kinds = {name: LINEAR if unit == COUNTS else unit for name, unit in units.items()}
    for name, kind in kinds.items():
        large = np.flatnonzero((cohorts[name].x > LARGEST_LOG2).any(0)) if units[name] == LINEAR else []
        if 0 < len(large) < FEW * len(cohorts[name].genes):
            named = some([repr(gene) for gene in cohorts[name].genes[large]], 3)
            raise UserError(
                f"only {named} of {len(cohorts[name].genes)} genes have values that are no logarithms",
                where=cohorts[name].where,
                remedy="leave them out if they are annotation (age, follow-up); else give log2(value + 1) of all genes",
            )
        if kind != kinds["train"]:
            raise UserError(
                f"units differ: {name} holds {units[name]} (largest value {cohorts[name].x.max():.4g}), train "
                f"{units['train']} (largest value {cohorts['train'].x.max():.4g})",
                where=cohorts[name].where,
                remedy="give all cohorts in one unit",
            )
    if kinds["train"] != LINEAR:
        return cohorts, f"{units['train']}, as given"
    counts = units["train"] == COUNTS
    out = {}
    for name, cohort in cohorts.items():
        x = np.maximum(cohort.x.astype(np.float64), 0)
        if counts:
            x *= 1e6 / np.maximum(x.sum(1, keepdims=True), 1)
        below = int((cohort.x < 0).sum())
        notes = [*cohort.notes, f"{name}: {below:,} values below 0 are taken for 0"] if below else cohort.notes
        out[name] = replace(cohort, x=np.log2(x + 1).astype(np.float32), notes=notes)
    return out, "log2(counts per million of these genes + 1)" if counts else "log2(value + 1)"


def _check_scale(cohorts: dict[str, Cohort]) -> None:
    """Refuse a cohort whose genes' means are all the same multiple of training's, or all beyond or all below them.

    Logarithms of another base are the first; of values scaled to another sum (ten thousand, a million) the second.
    """
    train = cohorts["train"].x.mean(0)
    told = train > 1
    if told.sum() < FEWEST_GENES:
        return
    for name, cohort in cohorts.items():
        ratio = cohort.x.mean(0)[told] / train[told]
        middle = float(np.median(ratio))
        agree = float((np.abs(ratio / middle - 1) < 0.15).mean()) if middle > 0 else 0.0
        if agree > LEAST_AGREEMENT and not 1 / LARGEST_RATIO < middle < LARGEST_RATIO:
            raise UserError(
                f"units differ: the genes' means in {name} are {middle:.2f} times those in train",
                where=cohort.where,
                remedy="give all cohorts in one unit and one base of logarithm (natural against log2: .69; log10: .30)",
            )
        shift = cohort.x.mean(0)[told] - train[told]
        if max((shift > LARGEST_SHIFT).mean(), (shift < -LARGEST_SHIFT).mean()) > LEAST_AGREEMENT:
            way = "above" if np.median(shift) > 0 else "below"
            raise UserError(
                f"units differ: nearly all genes' means in {name} are {way} those in train, by "
                f"{abs(np.median(shift)):.2g} at the median",
                where=cohort.where,
                remedy="give all cohorts in one unit, scaled to one sum and with one base of logarithm; of an AnnData "
                "or h5ad, X is taken. scanpy's log1p is the natural logarithm, often of counts per ten thousand; "
                "profiles sampled after a fit on counts are log2(counts per million + 1)",
            )


def _check_copied_profiles(real: dict[str, Cohort]) -> None:
    seen: dict[bytes, tuple[str, str]] = {}
    for name, cohort in real.items():
        own = {row.tobytes(): str(i) for row, i in zip(cohort.x, cohort.obs.index, strict=True) if np.ptp(row) > 0}
        for key, i in own.items():
            if key in seen:
                raise UserError(
                    f"profile {i!r} of {name} is profile {seen[key][1]!r} of {seen[key][0]}",
                    where=cohort.where,
                    remedy="the roles are of different donors; take it out of one of them",
                )
        seen |= {key: (name, i) for key, i in own.items()}
