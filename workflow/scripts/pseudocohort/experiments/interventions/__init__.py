"""Interventions: how well operators predict what a change of one gene does, where that is known."""

from ...core.settings import Setting, integer, many, mapping, text
from ..description import Experiment, Figure

EXPERIMENT = Experiment(
    name="interventions",
    title="Interventions",
    summary="Interventions, targets and translations against known effects, pairs, dependencies and perturbations.",
    question="What happens when a gene is perturbed, and which genes are targets?",
    order=3,
    headline=True,
    documentation="interventions.md#what-was-measured",
    evaluated=("operators",),
    settings={
        "graph": text("", "Regulatory graph, TSV or CSV: regulator target sign (symbols or Ensembl ids), or the "
            "tables of DoRothEA or CollecTRI; {data_root} is replaced, and catalogue:NAME downloaded."),
        "confidence": many(["A", "B", "C"], "Levels of confidence kept, where the graph has a column confidence.",
            {"type": "string"}),
        "max_depth": integer(1, "Steps of the graph that DO|G follows; 0 = any, for sparse graphs without cycles.",
            minimum=0),
        "questions": Setting([], "What is asked (`snakemake intervene`): a list of questions, or a TSV with the same "
            "keys; see docs/interventions.md.", {"type": ["array", "string"], "items": {"type": "object"}}),
        "dependencies": many([], "Tables of the dependency of cell lines (DepMap's tiers: genes by lines named "
            "NAME_LINEAGE); {data_root} is replaced.", {"type": "string"}),
        "lineages": mapping({}, "Lineage of the cell lines of each condition, e.g. {BRCA: breast}.",
            {"type": "string"}),
        "druggable": text("", "List of druggable genes, one symbol a line; {data_root} is replaced."),
        "perturbations": text("", "Table of measured perturbations, genes by perturbed genes or wells; {data_root} "
            "is replaced."),
        "perturbation_columns": text("", "Where the table's columns are wells: TSV with the columns id, pert_iname and "
            "pert_type (L1000)."),
        "truths": many(["effects"], "What predictions are scored against: known effects (key truth), pairs of tumour "
            "and normal, dependencies of cell lines, measured perturbations.",
            {"enum": ["effects", "pairs", "dependencies", "perturbations"]}),
        "truth": text("", "Known do-effects, TSV: gene condition target delta (log2 units)."),
        "generators": many([], "Networks that are asked what goes along with a clamped gene (truth effects); [] = all "
            "of the study's that can clamp genes.", {"$ref": "#/$defs/clamping"}),
        "n_genes": integer(12, "Regulators perturbed.", minimum=1),
        "n_leaves": integer(12, "Genes without targets perturbed, as negative control.", minimum=0),
    },
    by_task=True,
    keys={"task": "Truth", "generator": "Operator", "estimator": "Graph or genes", "regime": "Condition",
        "level": "Level", "n_real": "Pairs"},
    columns={
        "pearson_delta": "Correlation with truth", "pearson_delta_gain_over_see": "Over SEE",
        "pearson_delta_gain_over_see_pc5": "Over SEE, 5 PCs",
        "sign_at_20": "Right sign, top 20", "pds": "Discrimination",
        "leaf_effect": "Effect of leaves", "regulator_vs_leaf_auroc": "Regulator v. leaf AUROC",
        "r2": "R² over class mean", "r": "r beyond class mean", "r_gain_over_plain_shift": "r over plain shift",
        "own_rank": "Rank of the own normal", "own_first": "Own normal first", "auc": "AUC of an attack",
        "matched_minus_mismatched": "Own less other lineages", "permutation_p": "p, lineages permuted",
        "matched_stratified_auroc": "AUROC in strata of popularity", "matched_auroc": "AUROC",
        "pearson": "Correlation", "changed_auroc": "AUROC, changed genes", "dependent_auroc": "AUROC, dependent lines",
        "requested": "Requested", "asked": "Asked", "refused": "Refused",
    },
    figures=(Figure(name="interventions", draw="figures.interventions:draw", caption=(
        "Agreement of predicted with known changes after a do-intervention, by operator. DO|G, in blue, and the "
        "operators named with a graph use the given, a corrupted or a shuffled one; the others use none. ``see`` "
        "is association with the gene's change: from the covariance, or, as ``see_<generator>``, from a trained "
        "generator whose gene is clamped. Association is not an effect. "
        "Pairs: correlation of predicted normals with the patients' own, both less the class mean. Targets: AUROC of a "
        "ranking for dependencies of the own lineage less that for other lineages; a ranking that is the same for "
        "all lineages gets 0."
    )),),
)  # fmt: skip
