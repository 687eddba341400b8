"""Names of the guesses without a generator, for figures and verdicts."""

from __future__ import annotations

BASELINES = ("pan_mean", "nearest_type", "ridge_map", "coral", "standardised_cells", "level_shift")
