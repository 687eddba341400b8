"""Interventions: how well operators predict what a change of one gene does, where that is known."""

from ...core.settings import integer, text
from ..description import Experiment, Figure

EXPERIMENT = Experiment(
    name="interventions",
    title="Interventions",
    summary="Operators for single-gene interventions against known effects, with their baselines and refusals.",
    question="What happens when a gene is perturbed?",
    order=3,
    headline=True,
    evaluated=("operators",),
    settings={
        "graph": text("", "Regulatory graph, TSV: regulator target sign (symbols or Ensembl ids)."),
        "truth": text("", "Known do-effects, TSV: gene condition target delta (log2 units)."),
        "n_genes": integer(12, "Regulators perturbed.", minimum=1),
        "n_leaves": integer(12, "Genes without targets perturbed, as negative control.", minimum=0),
    },
    keys={"generator": "Operator", "estimator": "Graph", "level": "Level"},
    columns={
        "pearson_delta": "Correlation with truth", "pearson_delta_gain_over_see": "Over SEE",
        "pearson_delta_gain_over_see_pc5": "Over SEE, 5 PCs",
        "sign_at_20": "Right sign, top 20", "pds": "Discrimination",
        "leaf_effect": "Effect of leaves", "regulator_vs_leaf_auroc": "Regulator v. leaf AUROC",
        "requested": "Requested", "refused": "Refused",
    },
    figures=(Figure(name="interventions", draw="figures.interventions:figure", caption=(
        "Agreement of predicted with known changes after a do-intervention, by operator. DO|G, in blue, and the "
        "operators named with a graph use the given, a corrupted or a shuffled one; the others use none. ``see`` "
        "asks what goes along with the gene's change: by the covariance, or, as ``see_<generator>``, by a trained "
        "generator whose gene is clamped. What goes along with a gene is not yet what follows from it."
    )),),
)  # fmt: skip
