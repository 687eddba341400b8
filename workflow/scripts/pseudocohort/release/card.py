"""The data card: what a released cohort is, what it was made from, and what is known of its privacy.

The card is a dictionary (``workflow/schemas/card.schema.yaml``), written as JSON and shown as one HTML page. It holds
no date: the same study gives the same card.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..core.errors import ContractError
from ..core.validation import validate
from ..experiments.shared.verdicts import between, number, words
from .gate import Area, Decision, Evidence
from .statements import ATTACKS, DOES_NOT_SAY, LICENCE_UNKNOWN, LIMITS, METRICS, SAYS

TEMPLATES = Path(__file__).parent / "templates"
SCHEMA = Path(__file__).parents[3] / "schemas/card.schema.yaml"
SCHEMA_VERSION = 1


def _finite(value: float | None) -> float | None:
    """JSON has no NaN: None stands for a number that is not defined."""
    return None if value is None or not np.isfinite(value) else float(value)


def _area(area: Area) -> dict[str, float | None]:
    return {"auc": _finite(area.auc), "low": _finite(area.low), "high": _finite(area.high)}


def fidelity(summary: pd.DataFrame, generator: str) -> list[dict[str, Any]]:
    """Measures of fidelity of a generator beside those of real data in its place, over all conditions.

    Parameters
    ----------
    summary : DataFrame
        Fidelity summary (``tables/fidelity_summary.tsv``).
    generator : str
        Its name.

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
        row = overall[(overall["generator"] == name) & (overall["metric"] == metric)]
        values = row.iloc[0] if len(row) else {"value": np.nan, "ci_low": np.nan, "ci_high": np.nan}
        return {k: _finite(values[c]) for k, c in (("value", "value"), ("low", "ci_low"), ("high", "ci_high"))}

    rows = [
        {"metric": m, "label": label, "reading": reading, "synthetic": cell(generator, m), "real": cell("real", m)}
        for m, (label, reading) in METRICS.items()
    ]
    return [row for row in rows if row["synthetic"]["value"] is not None]


def guarantee(found: Evidence) -> list[str]:
    """What the ledger of a private generator claims, held against the audits' bound; nothing without a ledger."""
    if found.claim is None:
        return []
    epsilon, delta = found.claim
    if epsilon is None:
        return ["No DP guarantee: noise was added, but the models' ledgers list something that was fitted without."]
    broken = max((bound for bound, _ in found.epsilon), default=0.0) > epsilon
    return [
        f"The audited models claim differential privacy of each donor, epsilon {number(epsilon)} and delta {delta:g}; "
        + ("an audit's lower bound lies above: the claim is false." if broken else "no audit's lower bound lies above.")
    ]


def privacy(decision: Decision) -> dict[str, Any]:
    """The gate's decision and the evidence behind it."""
    found = decision.evidence
    card: dict[str, Any] = {
        "evaluated": found is not None,
        "gate": {
            "max_auc_high": decision.max_auc_high,
            "passed": not decision.failed,
            "failed": list(decision.failed),
            "override": decision.override,
        },
        "says": [*SAYS, *guarantee(found)] if found else [],
        "does_not_say": list(DOES_NOT_SAY),
        "attacks": [],
    }
    if found:
        card |= {
            "coins": found.coins,
            "levels": list(found.levels),
            "p_corrected": _finite(found.p_corrected),
            "epsilon": [{"lower_bound": _finite(b), "ceiling": _finite(c)} for b, c in found.epsilon],
            "attacks": [
                {"name": a.name, "what": ATTACKS.get(a.name, ""), "audit": _area(a.audit), "control": _area(a.control)}
                for a in found.attacks
            ],
        }
    return card


def _limits(found: Evidence | None, profiles: ad.AnnData, trained_on: int) -> list[str]:
    """What a user has to know of this very cohort, before what holds of all."""
    special = []
    if found:
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
) -> dict[str, Any]:
    """The card as a dictionary that keeps ``card.schema.yaml``.

    Parameters
    ----------
    profiles : AnnData
        The released profiles (log2 units).
    decision : Decision
        Of the gate.
    training_set : str
        What the generator was trained on.
    members : DataFrame
        Members of the training sets (``contracts.MEMBERS_COLUMNS``).
    fidelity_summary : DataFrame
        Fidelity summary of the study.
    study : dict
        ``study``, ``title``, ``simulated``, ``seed`` of the configuration.
    sources : list of dict
        Datasets (:func:`.inputs.sources`).
    model : dict
        ``generator``, ``summary``, ``reference``, ``settings``, ``code``.
    software : dict
        ``version``, ``commit``, ``packages`` (name -> version).
    files : dict of str
        SHA-256 of the data files, by name.

    Raises
    ------
    UserError
        If the card breaks its schema.
    """
    own = members[(members["training_set"] == training_set).to_numpy()]
    trained_on = int((own["role"].astype(str) == "train").sum())
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
            f"generator {model['generator']} that was trained on {trained_on} "
            f"{'simulated' if study['simulated'] else 'real'} profiles."
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
        "fidelity": fidelity(fidelity_summary, model["generator"]),
        "privacy": privacy(decision),
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
