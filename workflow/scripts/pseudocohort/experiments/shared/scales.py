"""Where the number of a metric can lie, from its name; its interval is to lie there as well."""

from __future__ import annotations

import math
import re

REAL = (-math.inf, math.inf)
POSITIVE = (0.0, math.inf)
SHARE = (0.0, 1.0)
CORRELATION = (-1.0, 1.0)

#: No interval over repeats: p-values, standard errors and limits of other intervals, settings, numbers of rows.
_NONE = re.compile(
    r"p|p_.*|.*_se|auc_low|auc_high|members|non_members|guarantee|delta|requested|asked|refused|hits|not_run_.*"
)
#: Paired differences, which may have either sign.
_DIFFERENCE = re.compile(r".*(_gain|_saved|_loss|_difference)|.*(gain_over|_over_|_minus_).*|excess|leaf_effect")
_CORRELATION = re.compile(r"(.*_)?r|pearson_delta|em_kept|correlation_score(_.*)?")
_SHARE = re.compile(
    r"(.*_)?(accuracy|auc|auroc|share|half|rate)|own_rank|own_first|attribution_overlap|em_(used|source_used|confident|labels_right)|macro_f1|discriminative_f1|auprc|aa(_test|_train)?|precision(_train)?"
    r"|recall(_.*)?|coverage(_train)?|calibration_error|tpr_at_fpr_.*|de_tpr|de_fpr|(discovery|set|survival)_recall"
)
#: Not MMD: its unbiased squared estimate is often below 0 where the distributions are equal.
_POSITIVE = re.compile(
    r"feature_overlap|frechet(_.*)?|.*_calls|correlation_error(_.*)?|density(_train)?|dcr(_base)?|brier|gene_sd_ratio"
    r"|epsilon.*"
)


def bounds(metric: str) -> tuple[float, float] | None:
    """Smallest and largest value of a metric; None for what gets no interval over repeats.

    A metric without a rule may be any number.

    Examples
    --------
    >>> bounds("balanced_accuracy"), bounds("balanced_accuracy_gain"), bounds("p_corrected")
    ((0.0, 1.0), (-inf, inf), None)
    """
    if _NONE.fullmatch(metric):
        return None
    if _DIFFERENCE.fullmatch(metric):
        return REAL
    for pattern, range_ in ((_CORRELATION, CORRELATION), (_SHARE, SHARE), (_POSITIVE, POSITIVE)):
        if pattern.fullmatch(metric):
            return range_
    return REAL
