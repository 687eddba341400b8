"""Sentences of the data card: what attacks and measures are, what the evidence says and does not, limits."""

from __future__ import annotations

#: Measure of fidelity -> name and how to read it.
METRICS = {
    "discriminator_auc": ("Discriminator AUC", "a classifier of real against synthetic; .5: cannot tell"),
    "precision": ("Precision", "share of synthetic profiles among the real ones; higher is better"),
    "coverage": ("Coverage", "share of real profiles with a synthetic one near; higher is better"),
    "correlation_score_within": ("Correlations", "gene-gene correlations within condition agree; 1: fully"),
    "gene_sd_ratio": ("SD ratio", "spread of genes, synthetic over real; 1: the same"),
    "de_logfc_r": ("Log fold changes", "differences between conditions agree; 1: fully"),
    "tstr_balanced_accuracy": ("Train on synthetic", "balanced accuracy on real donors of a classifier so trained"),
    "memorisation_share": ("Memorised", "share of synthetic profiles that repeat a training profile; 0 is best"),
    "closer_to_train_share": ("Closer to training", "share nearer to training than to other donors; .5: neither"),
}
SAYS = (
    "The same generator was trained again on donors chosen by coin, and each attack was asked which they were. "
    "An AUC of .5 is guessing, 1 is knowing.",
    "The negative control is the same attack on a cohort whose training left all these donors out: what it finds "
    "there is chance, and so is as much in the audit.",
    "The lower bound on epsilon is what these attacks prove to leak, in nats; the ceiling is the most that so many "
    "donors could have proved. A bound near 0 proves nothing either way.",
)
PRIVATE_SAYS = (
    "The same generator was trained again on donors chosen by coin, and each attack of the study was asked which "
    "they were. What the attacks found is in the study's report and not here: their numbers are exact statistics of "
    "the donors, which this model protects. That the gate let it pass is one such bit.",
)
PRIVATE_LIMIT = (
    "How many profiles of a condition there are follows the study's held-out donors. The model never saw these, and "
    "its guarantee is not about them: the numbers are exact statistics of them."
)
DOES_NOT_SAY = (
    "It does not say that no attack can succeed: only that these, with the release alone and a reference sample, did "
    "as well as shown.",
    "It does not cover an attacker who has the model or its weights, who can ask for further samples, or who knows "
    "other releases from the same donors.",
    "Attacks that fail are no guarantee of differential privacy, and nothing here is a legal finding about whether the "
    "data are personal.",
    "A guarantee is about the model's training. What was decided by looking at the donors elsewhere, such as which "
    "study to release, is not in it.",
    "It is an average over donors: a donor unlike all others, or of a small condition, may stand out more.",
    "Distances between synthetic and real profiles are similarity, and are not part of this evidence.",
)
LIMITS = (
    "Fit for developing and testing methods. Findings about biology or medicine have to be confirmed on real data.",
    "Not for decisions about persons, and not to be linked with other data in order to find a person.",
    "A generator keeps the biases of its sources, and what few donors showed it shows no better: more synthetic "
    "profiles are not more evidence.",
    "Values are on the study's harmonised scale and gene set, not counts; methods that need counts do not apply.",
)
#: Note for a dataset without a licence in the sheet: simulated data or not.
LICENCE_UNKNOWN = {
    False: "not recorded in the dataset sheet; the terms of the source apply to the real data and may apply to what is "
    "derived from them: settle this before passing the bundle on",
    True: "simulated by the software; no terms of a source apply",
}
