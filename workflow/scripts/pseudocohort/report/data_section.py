"""The data section of the report: what entered, what was left out, and what looks wrong, the clearest first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ..core.words import count as counted
from .tables import Table, plain_table
from .templating import environment

#: Rows of a list of suspects; the quality JSON has more.
SHOWN = 15
#: AUC from which the sources of a condition count as told apart.
TOLD_APART = 0.8
LEVELS = ("tumour", "normal", "line_bulk", "pseudobulk", "cell")
FINE, LOOK, NONE = "fine", "look", "not_checked"
STATUS = {FINE: "Fine", LOOK: "Look", NONE: "Not checked"}

NOTES = {
    "labels": "Correlation of gene-centred expression with the centroid of a sample's own condition and with the "
    "nearest one, both without its own donor. Typical: share of the other condition's own samples that are less "
    "clearly its members; from .5 on a label is clearly in doubt, near 0 a sample lies between two conditions.",
    "sex": "log2 expression of XIST and RPS4Y1; normal tissue first. Tumours can lose either; in normal tissue a "
    "contradiction suggests a swap.",
    "identity": "Each donor that two data sets share is compared with itself and with the other shared donors, after "
    "centring each gene over the shared donors of a data set (Pearson's r). Exchanged: two donors find each other.",
    "lines": "Names that the table of aliases does not have, or that two lines of a dataset share; each stays its own "
    "donor.",
    "sources": "Profiles (donors) of each condition by source.",
    "signal": "How well the two sources of a condition are told apart: .5 not at all, 1 without error. First "
    "component: the largest direction of variation, which was not fitted to the sources; classifier: logistic "
    "regression, cross-validated by donor. Shift: mean absolute difference of gene means, log2 units.",
    "left_out": "Samples of the files that did not enter the study. Nothing else is missing.",
}  # fmt: skip


@dataclass(frozen=True)
class DataSection:
    """Content of the section.

    Attributes
    ----------
    checks : list of dict
        ``name``, ``status``, ``text`` of each check, those to look at first.
    overview, suspects, details : list of Table
        Tables shown at once; lists of what is in doubt; everything else, folded away.
    """

    checks: list[dict[str, str]] = field(default_factory=list)
    overview: list[Table] = field(default_factory=list)
    suspects: list[Table] = field(default_factory=list)
    details: list[Table] = field(default_factory=list)


def data_section(
    quality: dict[str, dict[str, Any]],
    study: dict[str, Any],
    conditions: pd.DataFrame,
    identity: pd.DataFrame,
    sources: pd.DataFrame,
    signal: pd.DataFrame,
) -> DataSection:
    """The section from what the prepare stage wrote; nothing is computed but its form.

    Parameters
    ----------
    study : dict
        Report of the study's checks (``prepared/quality/_study.json``).
    """
    samples = {name: r["samples"] for name, r in quality.items() if "labels" in r.get("samples", {})}
    checks = [
        _identity_check(study["identity"]),
        _labels_check(samples, study["labels"]),
        _sex_check(samples, quality),
        _repeated_check(samples),
        _names_check(quality),
        _sources_check(sources, signal, study),
        _units_check(quality),
        _left_out_check(quality),
    ]
    order = {LOOK: 0, NONE: 2, FINE: 1}
    overview = [conditions_table(conditions), left_out_table(quality)]
    if (per_level := sources.groupby("level")["source"].nunique()).max() > 1:
        several = sources[sources["level"].isin(per_level.index[per_level > 1])]
        overview += [sources_by_condition(several), signal_table(signal, study["harmonisation"])]
    doubtful = identity[identity["verdict"] != "itself"]
    doubtful = doubtful.rename(columns={c: c.replace("_", " ").capitalize() for c in identity})
    suspects = [
        _frame(doubtful, "Donors that are not nearest to themselves", NOTES["identity"]),
        _labels_table(samples, study["labels"]),
        _sex_table(samples),
        _same_table(samples),
        _names_table(quality),
    ]
    details = [datasets_table(quality), _pairs_table(study["identity"])]
    keep = [[t for t in part if t is not None and t.rows] for part in (overview, suspects, details)]
    return DataSection(sorted(checks, key=lambda c: order[c["status"]]), *keep)


def read_tables(paths: dict[str, str]) -> dict[str, pd.DataFrame]:
    """Tables of the section by name, text as it stands: a class called None, or a donor 007, stays what it is."""
    keys = ("condition", "level", "source", "other_source", "donor", "nearest", "dataset", "other_dataset", "context")
    return {
        name: pd.read_csv(paths[name], sep="\t", keep_default_na=False, dtype=dict.fromkeys(keys, str))
        for name in ("conditions", "identity", "sources", "signal")
    }


def _check(name: str, status: str, text: str) -> dict[str, str]:
    return {"name": name, "status": status, "text": text}


def _sentence(parts: list[str]) -> str:
    return " ".join(part.rstrip(".") + "." for part in parts if part)


def _identity_check(report: dict[str, Any]) -> dict[str, str]:
    name = "The same donor in two data sets"
    if report["why_none"]:
        return _check(name, NONE, _sentence([f"Nothing to compare: {report['why_none']}"]))
    wrong = sorted({row["donor"] for row in report["doubtful"]})
    same = sum(pair["same_profile"] for pair in report["pairs"])
    text = [f"{report['itself']} of {report['compared']} comparisons find the donor itself first"]
    if wrong:
        text.append(
            f"{', '.join(wrong[:6])}{' and others' if len(wrong) > 6 else ''}: nearer to another donor's profile"
        )
    if same:
        text.append(
            f"{same} are the same measurement in both data sets (r above .999), so that data set weighs them twice"
        )
    return _check(name, LOOK if wrong or same else FINE, _sentence(text))


def _labels_check(samples: dict[str, Any], across: dict[str, Any]) -> dict[str, str]:
    parts = {name: s["labels"] for name, s in samples.items()}
    checked = sum(p["checked"] for p in parts.values()) + across["checked"]
    disagree = sum(p["disagree"] for p in parts.values()) + across["disagree"]
    clear = sum(p.get("clear", 0) for p in parts.values()) + across.get("clear", 0)
    why = [f"{name}: {p['why_none']}" for name, p in parts.items() if p.get("why_none") and not across["checked"]]
    if not checked:
        reason = "; ".join(why) or across.get("why_none") or "there are no bulk samples"
        return _check("Labels", NONE, _sentence([f"0 checked: {reason}"]))
    text = [f"{checked:,} samples checked, {disagree:,} closer to another condition than to their own, {clear} clearly"]
    if across["checked"]:
        text.append(f"{', '.join(across['datasets'][:4])}: checked against the other files, as each has one condition")
    return _check("Labels", LOOK if clear else FINE, _sentence([*text, *(f"Not checked: {w}" for w in why)]))


def _sex_check(samples: dict[str, Any], quality: dict[str, Any]) -> dict[str, str]:
    parts = {name: s["sex"] for name, s in samples.items()}
    checked, wrong = sum(p["checked"] for p in parts.values()), sum(_wrong(p) for p in parts.values())
    why = [f"{name}: {p['why_none']}" for name, p in parts.items() if p.get("why_none")]
    if cells := [name for name in quality if name not in samples]:
        why.append(f"{', '.join(cells)}: single cells are not checked")
    if not checked:
        return _check("Sex", NONE, _sentence([f"0 checked. {'; '.join(why)}"]))
    text = [f"{checked:,} samples checked, {wrong:,} contradict XIST and RPS4Y1", *(f"Not checked: {w}" for w in why)]
    return _check("Sex", LOOK if wrong else FINE, _sentence(text))


def _wrong(part: dict[str, Any]) -> int:
    return int(part.get("disagree", len(part["samples"])))


def _repeated_check(samples: dict[str, Any]) -> dict[str, str]:
    identical = sum(len(s["repeated"]["identical"]) for s in samples.values())
    several = sum(s["repeated"]["donors_with_several"] for s in samples.values())
    if not samples:
        return _check("Repeated samples", NONE, "There are no bulk samples.")
    text = f"{counted(identical, 'group')} of samples with the very same values; "
    text += f"{counted(several, 'donor')} with several samples of a condition."
    return _check("Repeated samples", LOOK if identical else FINE, text)


def _names_check(quality: dict[str, Any]) -> dict[str, str]:
    reports = {name: r["cell_lines"] for name, r in quality.items() if r.get("cell_lines", {}).get("lines")}
    if not reports:
        return _check("Names of cell lines", NONE, "The study has no cell lines.")
    doubtful = sum(len(r["ambiguous"]) + len(r["unmatched"]) for r in reports.values())
    lines = sum(r["lines"] for r in reports.values())
    text = f"{lines} names in {len(reports)} data set{'s' if len(reports) > 1 else ''}, {doubtful} of them doubtful."
    return _check("Names of cell lines", LOOK if doubtful else FINE, text)


def _sources_check(sources: pd.DataFrame, signal: pd.DataFrame, study: dict[str, Any]) -> dict[str, str]:
    confounded, method = study["sources"]["confounded"], study["harmonisation"]["method"]
    after = "_after" if "pc1_auc_after" in signal else ""
    told = signal[signal[[f"pc1_auc{after}", f"classifier_auc{after}"]].max(axis=1) >= TOLD_APART]
    text = []
    if sources.groupby("level")["source"].nunique().max() < 2 and not confounded:
        return _check("Sources", FINE, "Every level comes from one source.")
    for row in confounded[:5]:
        text.append(f"{row['where']}: {row['what']}, so their difference includes that of the sources")
    if len(confounded) > 5:
        text.append(f"And {len(confounded) - 5} more of this kind")
    if method != "none":
        text.append(f"Harmonised: {method.replace('_', ' ')}, fitted on training donors")
    if len(signal):
        text.append(
            f"Sources are told apart in {len(told)} of {len(signal)} comparisons within a condition"
            + (" after it" if after else "")
        )
        if len(told) and method == "none":
            text.append("prepare.harmonisation can bring them together")
    else:
        text.append("No condition has enough donors of two sources to compare them")
    return _check("Sources", LOOK if confounded or len(told) else FINE, _sentence(text))


def _units_check(quality: dict[str, Any]) -> dict[str, str]:
    text, doubts = [], False
    for name, report in quality.items():
        warnings = report.get("unit_warnings", [])
        text.append(f"{name}: " + "; ".join([report["unit"], *warnings]))
        if missing := report.get("missing"):
            text.append(
                f"{name}: {missing['values']:,} values were missing in {missing['genes']:,} genes and "
                f"{missing['samples']:,} samples ({missing['rule'].replace('_', ' ')})"
            )
        doubts = doubts or bool(warnings or missing)
    return _check("Units", LOOK if doubts else FINE, _sentence(text))


def _left_out_check(quality: dict[str, Any]) -> dict[str, str]:
    rows = _left_out(quality)
    total = sum(r["Samples"] for r in rows)
    if not total:
        return _check("Left out", FINE, "Every sample of the files entered.")
    entered = sum(_entered(r) for r in quality.values())
    text = f"{total:,} of {total + entered:,} samples and cells of the files did not enter; the table says why."
    return _check("Left out", LOOK if total > 0.2 * (total + entered) else FINE, text)


def _entered(report: dict[str, Any]) -> int:
    return int((report.get("cells") or report.get("samples") or {}).get("kept", 0))


def _left_out(quality: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of what did not enter: from the ingest by reason, then from quality control."""
    rows = []

    def add(dataset: str, stage: str, why: str, samples: Any, found: Any) -> None:
        number = len(samples) if isinstance(samples, list | dict) else int(samples)
        rows.append({"Dataset": dataset, "Stage": stage, "Why": why, "Samples": number})
        rows[-1]["For example"] = _example(found, dataset)

    for name, report in quality.items():
        listed = {row["reason"]: row for row in report.get("left_out", [])}
        for reason, found in report.get("ingestion", {}).items() if not listed else ():
            add(name, "reading", reason, found, found)
        for reason, row in listed.items():
            add(name, "reading", reason, row["samples"], row["ids"])
        removed = (report.get("cells") or report.get("samples") or {}).get("removed", {})
        if isinstance(removed, list):  # ids of bulk samples
            removed = {"few detected genes": removed}
        for reason, found in removed.items():
            add(name, "quality control", reason.replace("_", " "), found, found)
    return sorted((r for r in rows if r["Samples"]), key=lambda r: -r["Samples"])


def _example(found: Any, dataset: str) -> str:
    """The first ids of a list, without their dataset."""
    return ", ".join(str(i).removeprefix(f"{dataset}:") for i in found[:2]) if isinstance(found, list) else ""


def left_out_table(quality: dict[str, dict[str, Any]]) -> Table | None:
    """What of each dataset did not enter, and why; the largest numbers first."""
    table = pd.DataFrame(_left_out(quality))
    if len(table) and not table["For example"].any():  # of cells, numbers alone are kept
        table = table.drop(columns="For example")
    return _frame(table, "What was left out", NOTES["left_out"], rows=None)


def conditions_table(conditions: pd.DataFrame) -> Table | None:
    """Condition × level: profiles, donors and held-out donors."""
    names = {level: level.replace("_", " ") for level in LEVELS if level in set(conditions["level"])}
    cell = {
        (row["condition"], row["level"]): f"{row['profiles']:,} ({row['donors']:,} donors"
        + (f", {row['held_out']:,} held out)" if row["held_out"] else ")")
        for row in conditions.to_dict("records")
    }
    rows = [
        {"Condition": condition, **{title: cell.get((condition, level), "") for level, title in names.items()}}
        for condition in sorted(conditions["condition"].unique())
    ]
    note = "Profiles that enter the study, after quality control; donors held out are seen by nothing that is fitted."
    return _frame(pd.DataFrame(rows), "Profiles by condition and level", note, rows=None)


def sources_by_condition(sources: pd.DataFrame) -> Table | None:
    """Level and condition × source."""
    cells = sources.assign(cell=[f"{p:,} ({d:,})" for p, d in zip(sources["profiles"], sources["donors"], strict=True)])
    wide = cells.pivot(index=["level", "condition"], columns="source", values="cell").fillna("").reset_index()
    wide["level"] = wide["level"].str.replace("_", " ")
    wide = wide.rename(columns={"level": "Level", "condition": "Condition"})
    return _frame(wide, "Sources of each condition", NOTES["sources"], rows=None)


def signal_table(signal: pd.DataFrame, harmonisation: dict[str, Any]) -> Table | None:
    """How well sources are told apart, before and after harmonisation."""
    titles = {
        "level": "Level", "condition": "Condition", "source": "Source", "other_source": "Other source",
        "n": "Profiles", "n_other": "Other profiles",
        "pc1_auc": "First component, AUC", "classifier_auc": "Classifier, AUC",
        "shift": "Shift", "pc1_auc_after": "First component after", "classifier_auc_after": "Classifier after",
        "shift_after": "Shift after",
    }  # fmt: skip
    shown = signal[[c for c in titles if c in signal]].rename(columns=titles)
    method = harmonisation["method"]
    note = NOTES["signal"]
    for name, scope in harmonisation.get("scopes", {}).items():
        moved = ", ".join(f"{source} {value:.2f}" for source, value in scope["mean_shift"].items())
        note += (
            f" Harmonisation ({method.replace('_', ' ')}) of {name.replace('_', ' ')}, fitted on "
            f"{scope['training_profiles']:,} training profiles, moved genes by {moved} log2 units on average; "
            f"{scope['cut']:.2%} of the values were cut at 0."
        )
    if method == "none":
        note += " No harmonisation was asked for (prepare.harmonisation)."
    return _frame(shown, "Can the sources be told apart?", note, rows=60)


def datasets_table(quality: dict[str, dict[str, Any]]) -> Table | None:
    """One row per dataset: what entered, genes, and the verdict on the unit."""
    rows = []
    for name, report in quality.items():
        part = report.get("cells") or report.get("samples") or {}
        rows.append(
            {
                "Dataset": name, "Kind": report["kind"].replace("_", " "),
                "Profiles": part.get("cells", part.get("samples", 0)), "Kept": part.get("kept", 0),
                "Donors": report["donors"], "Genes": report["genes"]["genes"],
                "Unknown ids": report["genes"]["unknown"],
                "Symbol against Entrez id": report["genes"].get("disagreements", 0),
                "Flagged outliers": len(part.get("outliers", [])),
                "Unit": report["unit"],
            }
        )  # fmt: skip
    return _frame(pd.DataFrame(rows), "Datasets after quality control", "", rows=None)


def _labels_table(samples: dict[str, Any], across: dict[str, Any]) -> Table | None:
    titles = {
        "sample": "Sample", "level": "Level", "label": "Label", "nearest": "Nearest", "own": "Own", "other": "Other",
        "typical": "Typical",
    }  # fmt: skip
    found = [row for s in samples.values() for row in s["labels"]["samples"]] + across["samples"]
    found.sort(key=lambda r: (-r.get("typical", 0), r["own"] - r["other"]))
    total = sum(s["labels"]["disagree"] for s in samples.values()) + across["disagree"]
    return _frame(_titled(found, titles), "Labels to look at", NOTES["labels"], total=total)


def _sex_table(samples: dict[str, Any]) -> Table | None:
    titles = {"sample": "Sample", "level": "Level", "sex": "Sex", "xist": "XIST", "rps4y1": "RPS4Y1"}
    found = [row for s in samples.values() for row in s["sex"]["samples"]]
    found.sort(key=lambda r: (r.get("level") != "normal", -abs(r["xist"] - r["rps4y1"])))
    total = sum(_wrong(s["sex"]) for s in samples.values())
    return _frame(_titled(found, titles), "Sex to look at", NOTES["sex"], total=total)


def _same_table(samples: dict[str, Any]) -> Table | None:
    rows = [{"Identical samples": ", ".join(ids)} for s in samples.values() for ids in s["repeated"]["identical"]]
    return _frame(pd.DataFrame(rows), "Identical samples")


def _names_table(quality: dict[str, Any]) -> Table | None:
    rows = [
        {"Dataset": name, "Line": line, "Why": kind}
        for name, report in quality.items()
        for kind in ("ambiguous", "unmatched")
        for line in report.get("cell_lines", {}).get(kind, [])
    ]
    return _frame(pd.DataFrame(rows), "Names of cell lines to look at", NOTES["lines"])


def _pairs_table(report: dict[str, Any]) -> Table | None:
    titles = {
        "dataset": "Dataset", "other_dataset": "Other dataset", "context": "Context", "compared": "Shared donors",
        "itself": "Find themselves", "same_profile": "Same measurement",
    }  # fmt: skip
    return _frame(_titled(report["pairs"], titles), "Shared donors of two data sets", NOTES["identity"], rows=None)


def _titled(rows: list[dict[str, Any]], titles: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame([{title: row.get(key, "") for key, title in titles.items()} for row in rows])


def _frame(table: pd.DataFrame, title: str, note: str = "", rows: int | None = SHOWN, total: int = 0) -> Table | None:
    """A table, its first `rows` only, which the note then says (`total`: of how many); None if it is empty."""
    if table.empty:
        return None
    total = max(total, len(table))
    if rows is not None and total > rows:
        note = f"The first {rows} of {total:,}. {note}".strip()
        table = table.head(rows)
    return plain_table(table, title, note)


def render_page(section: DataSection, title: str, version: str) -> str:
    """The section as a page of its own: what is known before anything is trained."""
    template = environment().get_template("data_page.html")
    return template.render(title=title, data=section, data_status=STATUS, version=version)
