"""Names of classifiers and of their metrics, for plans, tables, figures and verdicts, which need no classifier."""

from __future__ import annotations

#: Those that synthetic profiles are added to.
CLASSIFIERS = ("logistic", "svm", "mlp")
#: What a practitioner would use without synthetic profiles, the simplest first; each has one setting, chosen by inner
#: cross-validation.
BASELINES = ("nearest_centroids", "lda", "logistic", "svm", "empirical_bayes")
#: Estimator of the baseline that inner cross-validation chooses in each repeat.
BEST = "best"
#: Before the class in the name of its recall.
RECALL = "recall_"
#: Smallest gain that is worth having: one percentage point of balanced accuracy.
SMALLEST = 0.01
