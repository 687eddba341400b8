"""What an answer holds, and what every kind of question assumes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..questions import Question
from ..study import Study

MIN_PROFILES = 10
ASSUMPTIONS = {
    "do_g": (
        "DO|G: if the graph is right about what the gene reaches, and if all that drives both the gene and its "
        "targets shows in the other genes, the targets change by this much. Direct targets only at depth 1; feedback "
        "to the gene is cut."
    ),
    "see": (
        "SEE: profiles in which the gene differs by this much differ in the others by this much. An association: it "
        "says nothing of what a knock-down would do."
    ),
    "targets": (
        "Regulators are ranked by their expression in this condition against other conditions. On six TCGA cancers "
        "this told lineage-selective dependencies of cell lines from those of other lineages; the columns beside the "
        "rank did so less well or not at all, and are not added to it."
    ),
    "dependencies": (
        "Models learned on cell lines hold for tumours once each gene is brought to mean 0 and spread 1 within its "
        "level. A gene is modelled only where its model predicts lines held out better than the nearest lineage does, "
        "and than the share of genes on which a line depends."
    ),
    "translate": (
        "TRANSLATE: what other patients' pairs say of this patient's normal, given the tumour: the class mean plus "
        "what the tumour tells of the leading components of normals and of each gene."
    ),
}
NOT_FOR = {
    "genes": (
        "It does not say what happens to a patient, to viability or over time; nor for a factor whose activity does "
        "not follow its mRNA. A change outside of what was seen is refused, not extrapolated."
    ),
    "targets": (
        "It is a list to look into, not evidence that a drug would work. Dependency is that of cell lines. For genes "
        "that are no regulators, no score told matched from mismatched cancers reliably."
    ),
    "dependencies": (
        "It is what cell lines with such a profile would do in culture, not evidence about a patient's tumour. "
        "Intervals hold for one tumour and are wide; a difference between conditions shares the models' errors."
    ),
    "translate": (
        "A translated profile is personal data: it keeps what identifies its patient, and is no part of a release. "
        "Most of what sets a normal apart from its class mean is not in the tumour."
    ),
}


def graph_in_words(study: Study) -> str:
    """The graph that answers rest on."""
    return f"{study.graph_label}, {len(study.graph.edges):,} edges, depth {study.depth or 'any'}"


def normals_of(study: Study, condition: str) -> np.ndarray | None:
    """Normal profiles (n, G) of a condition, log2 units; None where there are too few."""
    rows = (study.condition == condition) & (study.level == "normal")
    return study.x[rows] if rows.sum() >= MIN_PROFILES else None


@dataclass
class Answer:
    """Answer to one question.

    Attributes
    ----------
    question : Question
    status : {'answered', 'association only', 'refused'}
    words : list of str
        The answer in sentences.
    assumptions, not_for : list of str, str
    facts : dict of str
        What it rests on.
    table : DataFrame
        What is written as TSV.
    refusals : list of dict
        ``operator``, ``gene``, ``reason``, ``alternative``.
    extra : dict of DataFrame
        Further tables; those named ``patients...`` are personal data.
    figures : dict
        Numbers behind the page's figures.
    """

    question: Question
    status: str = "answered"
    words: list[str] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    not_for: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    refusals: list[dict[str, str]] = field(default_factory=list)
    extra: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
