"""Privacy: can an attacker with the synthetic cohort tell whose profiles the generator was trained on?"""

from ...core.settings import boolean, choice, integer, many, mapping, number
from ..description import Experiment, Figure
from ..shared.plan import GENERATORS, LEVEL
from .attacks import ALL, ATTACKS

EXPERIMENT = Experiment(
    name="privacy",
    title="Privacy",
    summary="A battery of membership attacks on cohorts whose donors were in or out by their own fair coin.",
    question="Can the synthetic cohort be shared instead of the patients' data?",
    order=2,
    headline=True,
    real=False,
    overview="verdict:overview",
    documentation="privacy.md#how-to-read-the-numbers",
    counted=("generators", "coins", "training_lengths"),
    sampled=("release_sizes",),
    scored=("attacks", "white_box", "shadow", "attributes", "genotype_genes"),
    settings={
        "generators": GENERATORS,
        "coins": integer(3, "Audits: each donor is in or out by its own fair coin in each.", minimum=1),
        "reference_share": number(0.2, "Share of donors that the attacker holds as reference.", above=0, below=1),
        "level": choice("tumour", "Level audited.", LEVEL["enum"]),
        "attacks": many(
            [], "Attacks of the battery; [] = the default ones, [all] = every attack.", {"enum": [ALL, *ATTACKS]}
        ),
        "white_box": boolean(
            False,
            "Also attack with the trained networks in hand (losses, critics, every stage), as a release of the model "
            "would allow.",
        ),
        "shadow": boolean(
            False, "Also compare each donor's scores with those under the other coins' models; needs five coins."
        ),
        "attributes": boolean(
            False,
            "Also infer half of a donor's genes, its condition and its genotype-driven genes from the cohort: members "
            "less others.",
        ),
        "genotype_genes": many(
            [],
            "Symbols of genes driven by common variants, beside the built-in panel (attributes).",
            {"type": "string"},
        ),
        "training_lengths": mapping(
            {},
            "<generator>: [factors]; audits of networks that were trained so many times as long as their settings say.",
            {
                "type": "array", "minItems": 1, "uniqueItems": True,
                "items": {"type": "number", "exclusiveMinimum": 0},
            },
            propertyNames={"$ref": "#/$defs/generator"},
        ),
        "release_sizes": many(
            [],
            "Synthetic profiles per member; audits attack as many as there are members, and releases of these sizes as "
            "well.",
            {"type": "number", "exclusiveMinimum": 0},
        ),
    },
    keys={"generator": "Generator", "estimator": "Attack", "regime": "Audit or control", "task": "Changed"},
    columns={
        "auc": "AUC", "tpr_at_fpr_0.1": "TPR at FPR .1", "tpr_at_fpr_0.01": "TPR at FPR .01",
        "tpr_at_fpr_0.01_high": "TPR at FPR .01, at most", "exact_copies": "Exact copies", "near_copies": "Near copies",
        "disguised_copies": "Disguised copies",
        "auc_bound": "AUC proved", "tpr_bound": "TPR at FPR .01 proved", "tied_share": "Tied", "max_auc": "Largest AUC",
        "p_corrected": "Corrected p", "epsilon_lower_bound": "ε lower bound", "epsilon_ceiling": "ε detectable",
        "members": "Members",
        "non_members": "Non-members", "excess": "Excess", "epsilon": "ε claimed", "guarantee": "DP guarantee",
        "dcr_member_share": "Nearer to members",
    },
    figures=(
        Figure(name="privacy", draw="figures.privacy:draw", caption=(
        "AUC of each attack at separating training donors from donors left out at random: .5 is chance, 1 finds "
        "every member. The column ``control`` is the largest value in the negative control (no candidate was in the "
        "training set). Nearest-neighbour attacks alone can miss a complete leak."
    )),
        Figure(name="frontier", draw="figures.frontier:draw", caption=(
        "Use against leakage, of the same cohorts. Vertical: balanced accuracy, on donors whom the generator never "
        "saw, of a classifier trained on the synthetic profiles; the dashed line is a classifier trained on the "
        "generator's own training donors. Horizontal: AUC of the attack that finds those donors best, shadow "
        "attacks included; bars are intervals over coins. The best position is the upper left. A cohort passes this "
        "bound of the release gate (``release.max_auc_high``) if its whole bar lies in the shaded part. "
        "The best of several attacks lies above .5 by chance alone. A square is a private generator, "
        "filled if its ledger supports the stated ε, hollow if an exact value voids it."
    )),
        Figure(
            name="leakage", draw="figures.leakage:draw", when="plan:varies_training_or_release",
            caption=(
        "Leakage against training length and number of synthetic profiles: AUC of the best attack at each point, by "
        "generator. Solid: attacks on the cohort. Dashed: with the model in hand (``privacy.white_box``). 1 on "
        "the x axes is the audit itself: the configured length, and as many profiles as there were members. Grey "
        "line: .5, chance; light grey: generators of which no attack reaches .58 at any point. The best of "
        "several attacks lies a little above .5 by chance alone."
    ),
        ),
    ),
)  # fmt: skip
