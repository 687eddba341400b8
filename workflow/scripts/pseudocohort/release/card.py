"""The data card: what a released cohort is, what it was made from, and what is known of its privacy.

The card is a dictionary (``workflow/schemas/card.schema.yaml``), written as JSON and shown as one HTML page. It holds
no date: the same study gives the same card.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..core.errors import ContractError
from ..core.validation import validate
from ..core.words import between, number, words
from ..experiments.privacy.attacks import ATTACKS
from ..experiments.privacy.evidence import Area, Evidence
from ..experiments.shared.tables import rows_with
from ..generators.base.ledger import FALSE_POSITIVE_RATE
from .gate import Decision
from .statements import DOES_NOT_SAY, LICENCE_UNKNOWN, LIMITS, METRICS, PRIVATE_LIMIT, PRIVATE_SAYS, SAYS

TEMPLATES = Path(__file__).parent / "templates"
SCHEMA = Path(__file__).parents[3] / "schemas/card.schema.yaml"
SCHEMA_VERSION = 2
#: Proved areas above which a guarantee promises next to nothing, and little.
NEXT_TO_NOTHING, LITTLE = 0.9, 0.7


#: What attacks are that are made of others, by the first word of their name.
OTHER = {
    "stack": "All attacks together, weighed as they did on the other audits.",
    "shadow": "The donor's score against that under the models of the other audits.",
    "larger": "The same attack on a larger cohort.",
}


def _finite(value: float | None) -> float | None:
    """JSON has no NaN: None stands for a number that is not defined."""
    return None if value is None or not np.isfinite(value) else float(value)


def _area(area: Area) -> dict[str, float | None]:
    return {"auc": _finite(area.auc), "low": _finite(area.low), "high": _finite(area.high)}


def fidelity(summary: pd.DataFrame, generator: str) -> list[dict[str, Any]]:
    """Measures of fidelity of a generator beside those of real data in its place, over all conditions.

    Raises
    ------
    ContractError
        If the table has no row of the generator.
    """
    overall = summary[summary["task"].isna()]
    if not (overall["generator"] == generator).any():
        raise ContractError(
            f"no fidelity of generator {generator!r}",
            where="tables/fidelity_summary.tsv",
            remedy="delete the table and run the workflow again",
        )

    def cell(name: str, metric: str) -> dict[str, float | None]:
        row = rows_with(overall, generator=name, metric=metric)
        values = row.iloc[0] if len(row) else {"value": np.nan, "ci_low": np.nan, "ci_high": np.nan}
        return {k: _finite(values[c]) for k, c in (("value", "value"), ("low", "ci_low"), ("high", "ci_high"))}

    rows = [
        {"metric": m, "label": label, "reading": reading, "synthetic": cell(generator, m), "real": cell("real", m)}
        for m, (label, reading) in METRICS.items()
    ]
    return [row for row in rows if row["synthetic"]["value"] is not None]


def protected(ledger: dict[str, Any] | None) -> bool:
    """Whether a released model has a guarantee, which exact statistics of its donors on the card would break."""
    return bool(ledger and ledger["guarantee"])


def question(name: str) -> str:
    """What an attack asks of a donor, or is made of."""
    return ATTACKS[name].summary if name in ATTACKS else OTHER.get(name.split()[0].rstrip(":"), "")


def guarantee(ledger: dict[str, Any]) -> list[str]:
    """What the released model's own ledger proves, and what of that is worth anything, one sentence each."""
    if not ledger["guarantee"]:
        return [f"The released model has {ledger['statement']}."]
    auc = ledger["auc_bound"]
    worth = ", which promises next to nothing" if auc > NEXT_TO_NOTHING else ", which promises little" * (auc > LITTLE)
    sentences = [
        f"The released model is ({number(ledger['epsilon'])}, {ledger['delta']:g})-differentially private: its unit is "
        "the donor, one added or removed with all profiles. That holds for any attacker, with the model or without, "
        "and for cohorts of any size drawn from it.",
        f"In terms of Gaussian differential privacy mu is {number(ledger['mu'])}. It follows that no attack on a "
        f"donor's membership has an AUC above {number(auc)}{worth}, and none finds more than "
        f"{number(ledger['tpr_bound'], 3)} of the members at {100 * FALSE_POSITIVE_RATE:g} % false positives.",
    ]
    public = [entry["detail"] for entry in ledger["entries"] if entry["what"] == "public profiles"]
    return sentences + [f"Not protected: {detail}." for detail in public]


def privacy(decision: Decision, ledger: dict[str, Any] | None = None) -> dict[str, Any]:
    """The gate's decision and the evidence behind it.

    For a model with a guarantee the numbers of the audits are left out: they are exact statistics of the donors.
    """
    found, silent = decision.evidence, protected(ledger)
    failed = list(decision.failed)
    if silent and failed:
        failed = [f"The gate refused for {len(failed)} reason(s), which the study's report has."]
    card: dict[str, Any] = {
        "evaluated": found is not None,
        "gate": {
            "bounds": {name: float(value) for name, value in asdict(decision.bounds).items()},
            "passed": not decision.failed,
            "failed": failed,
            "override": decision.override,
        },
        "says": list(PRIVATE_SAYS if silent else SAYS) if found else [],
        "does_not_say": list(DOES_NOT_SAY),
        "attacks": [],
        "conditions": [],
        "epsilon": [],
        "guarantee": None,
    }
    if ledger:
        card["guarantee"] = {
            **{
                key: ledger[key]
                for key in ("guarantee", "epsilon", "mu", "delta", "auc_bound", "tpr_bound", "assumptions")
            },
            "sentences": guarantee(ledger),
            "entries": [{key: entry[key] for key in ("what", "status", "detail")} for entry in ledger["entries"]],
        }
    if found:
        card |= {"coins": found.coins, "levels": list(found.levels)}
    if found and not silent:
        card |= {
            "p_corrected": _finite(found.p_corrected),
            "epsilon": [{"lower_bound": _finite(b), "ceiling": _finite(c)} for b, c in found.epsilon],
            "attacks": [
                {
                    "name": a.name,
                    "what": question(a.name),
                    "audit": _area(a.audit),
                    "control": _area(a.control),
                    "found": _area(a.found),
                }
                for a in found.attacks
            ],
            "conditions": [{"condition": c, "attack": a, "audit": _area(area)} for c, a, area in found.conditions],
        }
    return card


def _limits(found: Evidence | None, profiles: ad.AnnData, trained_on: int | None) -> list[str]:
    """What a user has to know of this very cohort, then what holds of all; nothing exact if `trained_on` is None."""
    special = [PRIVATE_LIMIT] if trained_on is None else []
    if found and trained_on is None and found.levels:
        special.append(f"The attacks were on profiles of level {', '.join(found.levels)}.")
    if found and trained_on is not None:
        if other := sorted(set(profiles.obs["level"].astype(str)) - set(found.levels)):
            special.append(
                f"The attacks were on profiles of level {', '.join(found.levels) or 'unknown'} only; the cohort also "
                f"holds profiles of level {', '.join(other)}, about which the evidence says nothing."
            )
        if found.synthetic is not None and profiles.n_obs > found.synthetic:
            special.append(
                f"The cohort has {profiles.n_obs} profiles, those attacked had {found.synthetic:.0f} on average: what "
                "a cohort gives away grows with its size."
            )
        if found.members is not None and abs(trained_on - found.members) > 0.1 * found.members:
            special.append(
                f"The generator of this cohort was trained on {trained_on} profiles, those attacked on "
                f"{found.members:.0f} on average: leakage depends on that number."
            )
        if found.coins == 1:
            special.append("One audit was run: the interval does not hold the variation from one training to another.")
        if found.small_conditions:
            small = ", ".join(f"{name} ({n})" for name, n in found.small_conditions)
            special.append(f"Conditions with too few members for an attack of their own (members): {small}.")
        if left_out := [words(name) for name in ATTACKS if name not in {a.name for a in found.attacks}]:
            special.append(f"Attacks known to the software that were not run: {', '.join(left_out)}.")
    return special + list(LIMITS)


def build(
    profiles: ad.AnnData,
    decision: Decision,
    *,
    training_set: str,
    members: pd.DataFrame,
    fidelity_summary: pd.DataFrame,
    study: dict[str, Any],
    sources: list[dict[str, str]],
    model: dict[str, Any],
    software: dict[str, Any],
    files: dict[str, str],
    ledger: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The card as a dictionary that keeps ``card.schema.yaml``.

    Parameters
    ----------
    sources : list of dict
        Datasets (:func:`.inputs.sources`).
    model : dict
        ``generator``, ``summary``, ``reference``, ``settings``, ``code``.
    software : dict
        ``version``, ``commit``, ``packages`` (name -> version).
    files : dict of str
        SHA-256 of the data files, by name.
    ledger : dict, optional
        Ledger of the released model itself (the state of :class:`..generators.base.ledger.Ledger`). With a guarantee,
        nothing that is computed exactly from its training donors is on the card: not their number, no measure of
        fidelity, no result of an attack.

    Raises
    ------
    UserError
        If the card breaks its schema.
    """
    own = members[(members["training_set"] == training_set).to_numpy()]
    trained_on = None if protected(ledger) else int((own["role"].astype(str) == "train").sum())
    kind = "simulated" if study["simulated"] else "real"
    number_of = "" if trained_on is None else f"{trained_on} "
    counts = profiles.obs.groupby(["condition", "level"], observed=True).size()
    unit = str(profiles.uns["pseudocohort"]["unit"])
    made_by = f"pseudocohort {software['version']}" + (f" (commit {software['commit']})" if software["commit"] else "")
    card = {
        "schema_version": SCHEMA_VERSION,
        "name": f"{study['study']}-{model['generator']}",
        "title": study["title"] or study["study"],
        "simulated": bool(study["simulated"]),
        "what": (
            f"{profiles.n_obs} synthetic expression profiles of {profiles.n_vars} genes ({unit}), sampled from the "
            f"generator {model['generator']} that was trained on {number_of}{kind} profiles."
        ),
        "profiles": profiles.n_obs,
        "genes": profiles.n_vars,
        "unit": unit,
        "provenance": {
            "study": study["study"],
            "seed": study["seed"],
            "training_set": training_set,
            "training_profiles": trained_on,
            "datasets": [{"licence": LICENCE_UNKNOWN[bool(study["simulated"])], **row} for row in sources],
            "software": {"name": "pseudocohort", **software},
        },
        "model": model,
        "counts": [{"condition": str(c), "level": str(v), "profiles": int(n)} for (c, v), n in counts.items()],
        "fidelity": [] if protected(ledger) else fidelity(fidelity_summary, model["generator"]),
        "privacy": privacy(decision, ledger),
        "limits": _limits(decision.evidence, profiles, trained_on),
        "cite": [
            f"Synthetic cohort {study['study']}-{model['generator']}, seed {study['seed']}, made with {made_by}.",
            *([f"Generator {model['generator']}: {model['reference']}."] if model["reference"] else []),
            *[f"Dataset {row['dataset']}: {row['citation']}." for row in sources if row.get("citation")],
        ],
        "files": files,
    }
    validate(card, SCHEMA, "card.json")
    return card


def _shown(cell: dict[str, float | None]) -> str:
    """ "mean [low, high]" of a cell of the card."""
    value, low, high = (np.nan if v is None else v for v in list(cell.values())[:3])
    return number(value) + between(low, high, number)


def render(card: dict[str, Any]) -> str:
    """The card as one self-contained HTML page; every text of it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": _shown, "words": words, "number": number}
    return environment.get_template("card.html").render(card=card, style=Markup((TEMPLATES / "card.css").read_text()))
