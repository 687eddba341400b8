"""Names of arms and of the ways to use the cell level without a generator, for tables, figures and verdicts."""

from __future__ import annotations

import re
from typing import Any

from ...core.levels import CELL_LEVELS

QUESTION = "What are cell lines worth for tissues, without any label and with a few?"
#: Arms in which the cell level is used with its right labels.
COMBINED = ("both", "cell_only")
#: Methods of :mod:`.pool_baselines` that use labelled patients and lines, and those that use unlabelled ones as well.
WITHOUT_POOL = ("stacking_centred", "empirical_bayes_centred", "ridge_map", "shrunken_centroids")
WITH_POOL = ("em", "em_logistic", "label_spreading", "self_training")
#: Ways to use the cell level without a generator.
BASELINES = ("stacking", "level_shift", "empirical_bayes", *WITHOUT_POOL, *WITH_POOL)
#: By the name of a group: the baselines in it.
GROUPS = {
    "best_without_pool": ("own_centre", "stacking", "level_shift", "empirical_bayes", *WITHOUT_POOL),
    "best_with_pool": WITH_POOL,
}
#: Names that are no generator of the study.
NOT_TRAINED = ("real", "own_centre", *BASELINES, *GROUPS)


def named(text: str, config: dict[str, Any]) -> str:
    """What is told of lines, told of the level that the study has in their place: the normals of other organs, say."""
    level = config.get("combination", {}).get("cell_level", CELL_LEVELS[0])
    return text if level in CELL_LEVELS else re.sub(r"\b(cell )?lines\b", f"{level} profiles", text)
