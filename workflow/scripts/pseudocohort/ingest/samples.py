"""The sample table: found, joined to the matrix, and turned into the contract's columns."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ..core.errors import UserError
from ..core.levels import CONTEXTS, add_level
from ..core.validation import nearest
from .fields import SEPARATORS, read_frame
from .geo import is_series_matrix, read_series_matrix
from .matrix import NO_HEADER, are_numbers, check_ids
from .missing import is_absent

log = logging.getLogger(__name__)

#: Ids of a sample table that are looked through for parts of others.
LOOKED_AT = 1000
REMEDY = "correct the column names in the dataset sheet"
ROW_NUMBERS = "the ids of the matrix count its samples: write it with the names of the samples"
#: Columns of files that hold one sample: of RSEM, Salmon, kallisto, StringTie, and of STAR as the GDC writes it.
OF_ONE_SAMPLE = {
    "expected_count", "effective_length", "effectivelength", "eff_length", "est_counts", "numreads", "tpm", "fpkm",
    "unstranded", "stranded_first", "stranded_second", "tpm_unstranded", "fpkm_unstranded",
}  # fmt: skip
#: Why samples are left out.
ABSENT, EXCLUDED, ELSEWHERE = "no condition or donor", "condition excluded", "context not listed"
#: What stands between the parts of a name.
SIGNS = r"[\s_./\-\u2010-\u2015\u2212]+"
#: Barcodes of samples, and the patient in them: TCGA's, TARGET's, GTEx's.
BARCODE = r"^((?:TCGA-\w{2}-\w{4}(?=-\d{2}))|(?:TARGET-\d{2}-\w{6}(?=-\d{2}))|(?:GTEX-\w{4,5}(?=-\d{4})))"
#: How YAML's true and false are spelled where they are not quoted.
SPELLINGS = {True: {"true", "yes", "on"}, False: {"false", "no", "off"}}


def read_samples(path: str | Path) -> pd.DataFrame:
    """Sample table (comma-separated if it is named ``.csv``, else tab-separated), all columns as text.

    A series matrix of GEO is read as the table of its samples.

    Raises
    ------
    UserError
        If it is missing, empty, no text, or has a single column.
    """
    if is_series_matrix(path):
        return read_series_matrix(path)
    comma = ".csv" in map(str.lower, Path(path).suffixes)
    return read_frame(
        path,
        SEPARATORS["csv" if comma else "tsv"],
        "a sample table",
        remedy="a sample table named .csv is comma-separated, any other tab-separated: rename or convert it",
    )


def column_of(table: pd.DataFrame, row: dict[str, Any], key: str, where: str) -> pd.Series:
    """The column of the sample table that the sheet names under `key`, as text.

    ``@column:pattern`` takes what the pattern's group matches: ``@SAMPID:^(GTEX-[^-]+)`` is GTEx's subject. Values
    without a match become empty. ``=text`` is that text for every sample.

    Raises
    ------
    UserError
        If there is no such column, the pattern is none, or it matches nowhere.
    """
    if row[key].startswith("="):
        return pd.Series(row[key][1:], index=table.index, name=row[key])
    name, _, pattern = row[key].removeprefix("@").partition(":") if row[key].startswith("@") else (row[key], "", "")
    # A header that begins with # is no comment.
    name = f"#{name}" if name not in table and f"#{name}" in table else name
    if name not in table:
        unreadable = table.attrs.get("unreadable", {})
        if name in unreadable:
            raise UserError(
                f"column {name!r} cannot be read: {unreadable[name]}", where=where, remedy="write it as text"
            )
        columns = list(map(str, table.columns))
        raise UserError(
            f"no column {name!r} ({key} of dataset {row['dataset']!r}); there are: {', '.join(columns)}",
            where=where,
            remedy=nearest(name, columns) + REMEDY,
        )
    values = table[name].astype(str)
    if not row[key].startswith("@"):
        return values
    sheet = f"dataset {row['dataset']!r}, column {key!r}"
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"{pattern!r} is no pattern: {error}", where=sheet, remedy="correct it") from error
    if compiled.groups != 1:
        raise UserError(
            f"{pattern!r} has {compiled.groups} groups", where=sheet, remedy="write @column:pattern with one (group)"
        )
    found = values.str.extract(compiled, expand=False).fillna("")
    if not (found != "").any():
        raise UserError(
            f"{pattern!r} matches no value of column {name!r}; the first is {values.iloc[0]!r}",
            where=sheet,
            remedy="correct the pattern",
        )
    return found


def join_samples(table: pd.DataFrame, ids: pd.Index, row: dict[str, Any], where: str) -> pd.DataFrame:
    """Rows of the sample table for the samples of the matrix, in its order; samples without a row are left out.

    Raises
    ------
    UserError
        If sample ids repeat, or fewer than half of the samples of the smaller one of matrix and table are in the
        other.
    """
    names = column_of(table, row, "sample_column", where) if "sample_column" in row else table.iloc[:, 0].astype(str)
    check_ids(pd.Index(names), "sample", f"{where}, column {names.name!r}")
    indexed = table.set_axis(pd.Index(names), axis=0)
    found = ids[ids.isin(indexed.index)]
    mine, theirs = _first_number(ids), _first_number(names)
    if len(found) < len(ids) and mine is not None and theirs is not None and mine != theirs:
        raise UserError(
            f"samples count from {mine} in the matrix and from {theirs} in the sample table: these are row numbers, "
            "which do not say which sample is which",
            where=f"{where}, column {names.name!r}",
            remedy="write both files with the ids of the samples",
        )
    if len(found) < 0.5 * min(len(ids), len(names)):
        first = ids[~ids.isin(indexed.index)][0]
        raise UserError(
            f"{len(ids) - len(found)} of {len(ids)} samples of the matrix are not in the sample table; "
            f"the first is {first!r}, ids of the table look like {names.iloc[0]!r}",
            where=f"{where}, column {names.name!r}",
            remedy=_file_of_one_sample(ids)
            or (ROW_NUMBERS if mine is not None else "")
            or spelled_otherwise(ids, indexed.index)
            or (NO_HEADER if are_numbers(ids) and not are_numbers(names) else "")
            or "check sample_column, and that both files are of one release",
        )
    if len(found) < len(ids):
        log.warning("%d of %d samples are not in the sample table and are left out", len(ids) - len(found), len(ids))
    out = indexed.loc[found]
    out.attrs["only_here"] = [str(name) for name in names[~names.isin(ids)]]
    return out


def _first_number(ids: Iterable[Any]) -> int | None:
    """0 or 1 if ids count from there on, as row numbers do; else None."""
    numbers = list(map(str, ids))
    start = int(numbers[0]) if numbers and numbers[0] in ("0", "1") else None
    return start if start is not None and numbers == [str(start + i) for i in range(len(numbers))] else None


def _file_of_one_sample(ids: pd.Index) -> str:
    """What to do if the columns of a matrix are what is measured, and not samples; empty if they are not."""
    of_one = [str(i) for i in ids if str(i).lower() in OF_ONE_SAMPLE]
    if len(of_one) < 2:
        return ""
    return (
        f"with the columns {', '.join(of_one)} it is the file of one sample: write one table with a column for each "
        "sample, all of one of these (in R: tximport); of the GDC, source gdc:TCGA-BRCA does so by itself"
    )


def _same_id(name: str) -> str:
    """What stays of an id that R, a shell or a spreadsheet has written otherwise."""
    name = re.sub(r"^(\d+)\.0$", r"\1", name.rpartition("/")[2])
    plain = re.sub(r"(?<=\d)[\W_]+(?=\d)", "\0", name)  # c1-1 is not c11
    plain = re.sub(r"[^\w\0]|_", "", plain).lower()
    return re.sub(r"^x(?=\d)", "", plain).lstrip("0")


def spelled_otherwise(ids: Iterable[str], names: Iterable[str]) -> str:
    """What to do about ids of a matrix that a sample table writes in another way; empty if it does not.

    Parameters
    ----------
    ids, names : iterable of str
        Of the matrix, and of the table. Those that both have are left aside.
    """
    ids, names = list(map(str, ids)), list(map(str, names))
    common = set(ids) & set(names)
    ids, names = [i for i in ids if i not in common], [n for n in names if n not in common]
    of = {_same_id(name): name for name in names if _same_id(name)}
    if pair := next(((i, of[_same_id(i)]) for i in ids if _same_id(i) in of), None):
        return (
            f"{pair[0]!r} in the matrix seems to be {pair[1]!r} in the table: write them alike (R's read.table changes "
            "signs and puts an X before digits, unless check.names = FALSE; spreadsheets drop zeros in front)"
        )
    kept = [name for name in sorted(of) if len(name) > 1][:LOOKED_AT]
    pairs = []
    for i in ids[:LOOKED_AT]:
        key = _same_id(i)
        within = next((n for n in kept if n in key or (len(key) > 1 and key in n)), None)
        pairs += [(i, of[within])] if within else []
    # S1 is in the names of some genes, too.
    if not pairs or 2 * len(pairs) < min(len(ids), LOOKED_AT, len(names)):
        return ""
    mine, theirs = pairs[0]
    return f"{mine!r} in the matrix may be {theirs!r} in the table: write them alike, by cutting the longer ones"


def near_duplicate_labels(obs: pd.DataFrame) -> list[str]:
    """Donors and conditions that differ from others only in signs, capitals or zeros, and donors that are samples."""
    notes = []
    for column, what in (("donor", "donors"), ("condition", "conditions")):
        of: dict[str, list[str]] = {}
        for name in sorted(obs[column].astype(str).unique()):
            of.setdefault(_loose_key(name), []).append(name)
        alike = [names for names in of.values() if len(names) > 1]
        if alike:
            more = f" and {len(alike) - 3:,} more" if len(alike) > 3 else ""
            first = "; ".join(", ".join(map(repr, names)) for names in alike[:3])
            notes.append(f"{what} that differ only in capitals, signs or zeros count as different: {first}{more}")
    donors = obs["donor"].astype(str).drop_duplicates()
    patients = donors.str.extract(BARCODE, expand=False).dropna()
    several = patients[patients.duplicated(keep=False)]
    if len(several):
        notes.append(
            f"{len(several):,} donors are samples of {several.nunique():,} patients ({donors[several.index[0]]!r} of "
            f"{several.iloc[0]}): take the patient, e.g. donor_column @COLUMN:^(TCGA-[^-]+-[^-]+), or the same one "
            "will be in training and test"
        )
    return notes


def _loose_key(name: str) -> str:
    """What stays of a label without capitals, signs, zeros in front and ``.0``, in one spelling of accents."""
    plain = re.sub(r"^(\d+)\.0$", r"\1", unicodedata.normalize("NFKC", name).casefold())
    plain = re.sub(rf"(?<=\d){SIGNS}(?=\d)", "\0", plain)  # 1-1 is not 11
    plain = re.sub(rf"(?<=\w){SIGNS}(?=\w)", "", plain)
    return re.sub(r"(?<![\d.])0+(?=\d)", "", plain)


def context_of(table: pd.DataFrame, row: dict[str, Any], where: str) -> pd.Series:
    """Context of each sample: the sheet's word, or read from a column as ``@column:value=context,...``.

    Samples whose value is not listed get an empty context and are left out by the caller.

    Raises
    ------
    UserError
        If the column is missing, a context is unknown, or no sample has a listed value.
    """
    given = row["context"]
    if not given.startswith("@"):
        return pd.Series(given, index=table.index)
    sheet = f"dataset {row['dataset']!r}, column 'context'"
    match = re.fullmatch(r"@([^:]+):(.+)", given)
    pairs = [pair.partition("=") for pair in match[2].split(",")] if match else []
    if not pairs or any(not equals or context not in CONTEXTS for _, equals, context in pairs):
        raise UserError(
            f"{given!r} is not of the form @column:value=context,value=context",
            where=sheet,
            remedy=f"contexts are {', '.join(CONTEXTS)}",
        )
    if match[1] not in table:
        raise UserError(f"no column {match[1]!r}; there are: {', '.join(table.columns)}", where=where, remedy=REMEDY)
    values = table[match[1]].astype(str)
    context = values.map({value.strip(): context for value, _, context in pairs}).fillna("")
    if not (context != "").any():
        raise UserError(
            f"no sample has a listed value; column {match[1]!r} holds {', '.join(sorted(values.unique())[:5])}",
            where=where,
            remedy=f"correct {sheet}",
        )
    return context


def near_contexts(table: pd.DataFrame, row: dict[str, Any]) -> list[str]:
    """Values that the sheet's context does not list, and that differ from a listed one in zeros or capitals only."""
    match = re.fullmatch(r"@([^:]+):(.+)", row["context"])
    if not match or match[1] not in table:
        return []

    def key(value: str) -> str:
        return re.sub(r"^0+(?=\d)|(?<=\d)\.0$", "", value.casefold())

    listed = {pair.partition("=")[0].strip() for pair in match[2].split(",")}
    of = {key(value): value for value in listed}
    others = sorted(set(table[match[1]].astype(str)) - listed)
    return [
        f"samples with {match[1]} {value!r} are left out, as context lists {of[key(value)]!r}: write them alike"
        for value in others
        if key(value) in of
    ]


def contract_obs(table: pd.DataFrame, row: dict[str, Any], where: str) -> pd.DataFrame:
    """``donor dataset condition technology aggregation context level``, doublet label, read length, covariates."""
    obs = pd.DataFrame(index=table.index.astype(str))
    obs["donor"] = column_of(table, row, "donor_column", where).str.strip()
    obs["dataset"] = row["dataset"]
    obs["condition"] = column_of(table, row, "condition_column", where).str.strip()
    obs["technology"], obs["aggregation"] = row["technology"], row["aggregation"]
    obs["context"] = context_of(table, row, where)
    if "doublet_column" in row:
        obs["doublet"] = column_of(table, row, "doublet_column", where)
    if "read_length_column" in row:
        obs["read_length"] = column_of(table, row, "read_length_column", where)
    for name in filter(None, (c.strip() for c in row.get("covariates", "").split(","))):
        values = column_of(table, {**row, "covariates": name}, "covariates", where).str.strip()
        obs[name.lstrip("_")] = values.mask(is_absent(values), "")
    return obs


def name_of_condition(label: str) -> str:
    """A label as a name for paths: accents go, spaces and slashes become ``_``, other signs are left out."""
    plain = unicodedata.normalize("NFKD", label)
    return re.sub(r"[^A-Za-z0-9_.+-]", "", re.sub(r"[\s/&]+", "_", plain)).strip("_.+-")


def label_matches(key: Any, label: str) -> bool:
    """Whether a key of the configuration means a label: YAML reads ``0``, ``1.5`` and ``yes`` as no text."""
    if isinstance(key, bool):
        return label.lower() in SPELLINGS[key]
    if isinstance(key, int | float):
        try:
            return float(label) == key and "_" not in label
        except ValueError:
            return False
    return str(key).strip() == label


def _mapped(raw: pd.Series, mapping: dict[Any, str]) -> pd.Series:
    if None in mapping:
        raise UserError(
            "a key of the map is empty (null)",
            where="prepare.conditions.map",
            remedy='quote it: "null": name, if the label is the word null',
        )
    new = {}
    for label in raw.unique():
        hits = [key for key in mapping if label_matches(key, label)]
        # Text that is the label itself goes before a number or a yes that means it.
        hits.sort(key=lambda key: not isinstance(key, str))
        new[label] = str(mapping[hits[0]]) if hits else label
    for key in mapping:
        if not isinstance(key, str) and not any(label_matches(key, label) for label in new):
            log.warning(
                "prepare.conditions.map: %r is no label of this dataset; put labels that are no words in quotes", key
            )
    return raw.map(new)


def unused_condition_keys(labels: pd.Series, conditions: dict[str, Any]) -> list[str]:
    """Keys of ``map`` and ``exclude`` that are no label of this dataset, in words, with the label that is nearest."""
    raw = labels.astype(str).str.strip()
    mapped = set(_mapped(raw, conditions.get("map", {})))
    there = {"map": set(raw), "exclude": {*raw, *mapped, *map(name_of_condition, mapped)}}
    notes = []
    for name, known in there.items():
        for key in conditions.get(name, []):
            if not any(label_matches(key, label) for label in known):
                hint = nearest(key, sorted(known)).rstrip()
                if hint or name == "exclude":  # a map is often of several datasets
                    note = f"prepare.conditions.{name}: no sample has the label {str(key)!r}"
                    notes.append(f"{note}; {hint}" if hint else note)
    return notes


def _quoted(label: str) -> str:
    return repr(label) if label.strip() else "blank"


def judge_samples(obs: pd.DataFrame, conditions: dict[str, Any], where: str) -> pd.DataFrame:
    """What becomes of each sample: its mapped ``label``, the ``condition`` it is called, ``reason``, ``detail``.

    ``reason`` to leave it out is empty for a sample that enters; ``detail`` says which label it is about.

    Raises
    ------
    UserError
        If a label has no letter or digit to make a name of, or its name would say that it is missing.
    """
    raw = obs["condition"].astype(str).str.strip()
    mapped = _mapped(raw, conditions.get("map", {}))
    names = {label: name_of_condition(label) for label in mapped.unique()}
    named = mapped.map(names)
    excluded = pd.Series(False, index=obs.index)
    for key in conditions.get("exclude", []):
        for labels in (raw, mapped, named):
            excluded |= labels.map({label: label_matches(key, label) for label in labels.unique()}).astype(bool)
    no_condition, no_donor = is_absent(mapped), is_absent(obs["donor"].astype(str), donors=True)
    elsewhere = obs["context"] == ""
    out = pd.DataFrame({"label": mapped, "condition": named, "reason": "", "detail": ""}, index=obs.index)
    for hit, reason, detail in (
        (elsewhere, ELSEWHERE, pd.Series(ELSEWHERE, index=obs.index)),
        (excluded, EXCLUDED, "condition excluded: " + raw.map(repr)),
        (no_donor, ABSENT, "no donor: " + obs["donor"].astype(str).map(_quoted)),
        (no_condition, ABSENT, "no condition: " + raw.map(_quoted)),
    ):
        out.loc[hit, "reason"], out.loc[hit, "detail"] = reason, detail[hit]
    nameless = (out["reason"] == "") & is_absent(named)
    if nameless.any():
        name = named[nameless].iloc[0]
        why = "has no letter or digit of a-z, 0-9 to make a name of"
        if name:
            why = f"would be written {name}, which says that there is none"
        raise UserError(
            f"condition {mapped[nameless].iloc[0]!r} ({int(nameless.sum())} samples) {why}",
            where=where,
            remedy="map it to a name in prepare.conditions.map, or list it in prepare.conditions.exclude",
        )
    return out


def keep_samples(
    obs: pd.DataFrame, judged: pd.DataFrame, conditions: dict[str, Any], where: str
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Samples that enter the study, with their conditions mapped, and how many were left out for what reason.

    Raises
    ------
    UserError
        If nothing is left, two labels become one name, or a condition has fewer donors than ``min_donors``.
    """
    keep = judged["reason"] == ""
    dropped = judged["reason"].value_counts().reindex([ABSENT, EXCLUDED, ELSEWHERE], fill_value=0).to_dict()
    if not keep.any():
        raise UserError(
            "no sample is left: " + ", ".join(f"{n} {reason}" for reason, n in dropped.items() if n),
            where=where,
            remedy="check condition_column, donor_column and context in the sheet, and prepare.conditions",
        )
    for name, labels in judged[keep].groupby("condition")["label"]:
        if labels.nunique() > 1:
            first, second = sorted(labels.unique())[:2]
            raise UserError(
                f"conditions {first!r} and {second!r} are both written {name!r}",
                where=where,
                remedy="map one of them to another name in prepare.conditions.map",
            )
    out = obs[keep].assign(condition=judged.loc[keep, "condition"])
    donors = out.groupby("condition")["donor"].nunique()
    few = donors[donors < conditions.get("min_donors", 1)]
    if len(few):
        raise UserError(
            f"condition {few.index[0]!r} has {few.iloc[0]} donor(s), fewer than min_donors = "
            f"{conditions['min_donors']}",
            where=where,
            remedy="list it in prepare.conditions.exclude, map it to another condition, or lower min_donors",
        )
    return add_level(out), dropped
