"""Dependencies of a condition's tumours, carried over from cell lines."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ..dependency import Dependencies
from ..dependency_models import DependencyModels, standardised
from ..lines import Lines
from ..questions import Question
from ..study import Study
from .base import ASSUMPTIONS, NOT_FOR, Answer

#: Dependent and other lines of a modelled gene at least.
MIN_OF_EACH = 3


def dependencies_of(question: Question, study: Study, dependencies: Dependencies | None, lines: Lines | None) -> Answer:
    """Predicted dependency of each tumour on each gene, as the share of lines like it that depend on the gene.

    Raises
    ------
    UserError
        If there are no lines or dependencies, too few lines, or no model that beats its baselines.
    """
    if dependencies is None or lines is None:
        raise UserError(
            "dependencies or cell lines are missing", where="interventions.dependencies",
            remedy="give DepMap's tables and a data set of cell lines",
        )  # fmt: skip
    rows = study.rows(question.condition, question.level, question.donors)
    at, columns = lines.matched(dependencies)
    table = dependencies.dependent[columns]
    names = [g for g in dict.fromkeys(lines.symbols) if (lines.symbols == g).sum() == 1]
    shared = [g for g in names if g in study.ids and (study.symbols == g).sum() == 1]
    of_lines = {g: i for i, g in enumerate(lines.symbols)}
    z = standardised(lines.x[at][:, [of_lines[g] for g in shared]], np.zeros(len(at)))
    y = table.to_numpy()
    able = np.minimum((y == 1).sum(1), (y == 0).sum(1)) >= MIN_OF_EACH
    genes = list(table.index[able])
    position = {g: i for i, g in enumerate(shared)}
    own = np.array([position.get(g, -1) for g in genes])
    lineage = dependencies.lineage[columns].to_numpy(str)
    # How many genes a line depends on says how well its screen worked, and how fast it grows.
    dependent = np.nanmean(y, axis=0)[:, None]
    models = DependencyModels.fit(z, y[able].T, own, lineage, dependent)
    out = Answer(question, assumptions=[ASSUMPTIONS["dependencies"]], not_for=NOT_FOR["dependencies"])
    out.facts = {
        "Lines": f"{len(at)} with expression and dependency, {len(set(lineage))} lineage(s)",
        "Models": f"{int(models.kept.sum())} kept of {len(genes)}: those that predict lines held out better than the "
        "mean of the nearest lineage and the share of genes a line depends on, at a false discovery rate of 5 %",
        "Genes": f"{len(shared):,} that lines and tumours share",
        "Unit": "share of lines with such a profile that depend on the gene",
        "Interval": "95 %: low and high for one tumour, from the error on lines held out; difference_low and "
        "difference_high for the difference of means over tumours",
    }
    if not models.kept.any():
        raise UserError(
            f"none of {len(genes)} models beats its baselines on lines held out",
            where="interventions.dependencies",
            remedy="use the share of dependent lines of the lineage, a column of the answer about targets",
        )
    level = study.level == question.level
    columns_of = [study.index[study.ids[g]] for g in shared]
    made = models.predict(standardised(study.x.at(level, columns_of), np.zeros(level.sum())))
    asked = np.isin(np.flatnonzero(level), rows)
    rest = level[level] & (study.condition[level] != question.condition)
    kept = np.flatnonzero(models.kept)
    inside, outside = made[asked][:, kept], made[rest][:, kept]
    result = pd.DataFrame({"symbol": np.array(genes)[kept], "predicted": inside.mean(0)})
    # The error of a model is shared by all tumours; that of a mean of tumours is theirs alone.
    result["low"], result["high"] = (result["predicted"] + sign * 1.96 * models.error[kept] for sign in (-1, 1))
    result["own_lines"] = np.nanmean(y[able].T, axis=0)[kept]
    for name, values in models.held_out.items():
        result[f"r_held_out_{name}"] = values[kept]
    if len(outside) > 1:
        result["difference_to_others"] = inside.mean(0) - outside.mean(0)
        error = np.sqrt(inside.var(0, ddof=1) / len(inside) + outside.var(0, ddof=1) / len(outside))
        result["difference_low"] = result["difference_to_others"] - 1.96 * error
        result["difference_high"] = result["difference_to_others"] + 1.96 * error
    order = "difference_to_others" if "difference_to_others" in result else "predicted"
    out.table = result.sort_values(order, ascending=False, ignore_index=True)
    patients = pd.DataFrame(inside.round(4), columns=result["symbol"])
    patients.insert(0, "donor", study.donor[np.flatnonzero(level)[asked]])
    out.extra["patients"] = patients
    out.words = [
        f"{len(kept)} of {len(genes)} genes have a model that holds on lines left out; their dependency is predicted "
        f"for {len(rows)} tumours of {question.condition}."
    ]
    if order == "predicted":
        out.words.append(f"Highest: {', '.join(out.table['symbol'][:5])}.")
    else:
        above, below = (out.table[out.table["difference_low"] > 0], out.table[out.table["difference_high"] < 0][::-1])
        for text, part in (("Above the other conditions", above), ("Below them", below)):
            if len(part):
                out.words.append(f"{text}: {', '.join(part['symbol'][:5])}.")
    out.figures = {"kind": "dependencies"}
    return out
