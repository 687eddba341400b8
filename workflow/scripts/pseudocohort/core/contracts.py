"""What one stage hands to the next: one schema per file kind, one check used at every read and write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .errors import ContractError
from .levels import FACTORS, LEVELS

if TYPE_CHECKING:
    import anndata as ad
    from scipy import sparse

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")
ENSEMBL = re.compile(r"^ENSG\d{11}$")

#: Key columns of every evaluation table; NA where a key does not apply.
EVALUATION_KEYS = (
    "study", "dataset", "task", "generator", "regime", "level",
    "n_real", "n_synthetic", "repeat", "seed", "estimator",
)  # fmt: skip
#: White-box signals about the candidates of an audit.
SIGNALS_COLUMNS = ("training_set", "sample_id", "signal", "score")


@dataclass(frozen=True)
class ProfilesContract:
    """Contract of an AnnData hand-over (architecture, section 4)."""

    kind: str
    obs: tuple[str, ...]
    needs_ensembl: bool = True
    needs_log_scale: bool = True

    def check(self, profiles: ad.AnnData, where: str) -> None:
        """Raise :class:`ContractError` naming the first thing wrong with `profiles`."""
        from .blocks import row_blocks  # imports anndata, which a table needs not

        self.check_annotation(profiles, where)
        for block in row_blocks(profiles.X):
            self.check_values(block, where)

    def _fail(self, what: str, where: str) -> None:
        remedy = f"this file is written by the workflow as {self.kind!r}; delete it and run the rule again"
        raise ContractError(what, where=where, remedy=remedy)

    def check_values(self, x: np.ndarray | sparse.csr_matrix, where: str) -> None:
        """Check a block of values: finite, and float32 on log scale."""
        values = x if isinstance(x, np.ndarray) else x.data
        if self.needs_log_scale and values.dtype != np.float32:
            self._fail(f"X is {values.dtype}, not float32", where)
        if not np.isfinite(values).all():
            self._fail("X holds NaN or infinite values", where)

    def check_annotation(self, profiles: ad.AnnData, where: str) -> None:
        """Check everything but the values."""

        def fail(what: str) -> None:
            self._fail(what, where)

        if profiles.n_obs == 0 or profiles.n_vars == 0:
            fail(f"no data: {profiles.n_obs} profiles x {profiles.n_vars} genes")
        missing = [c for c in self.obs if c not in profiles.obs]
        if missing:
            fail(f"missing obs column(s): {', '.join(missing)}")
        for axis, names in (("profile", profiles.obs_names), ("gene", profiles.var_names)):
            if not names.is_unique:
                fail(f"duplicated {axis} id {names[names.duplicated()][0]!r}")
        if self.needs_ensembl:
            bad = [g for g in profiles.var_names if not ENSEMBL.match(g)]
            if bad:
                fail(f"gene id {bad[0]!r} is not an unversioned Ensembl id ({len(bad)} in all)")
            if "symbol" not in profiles.var:
                fail("missing var column 'symbol'")
        for column in ("condition", "dataset", "donor"):
            if column in self.obs and profiles.obs[column].isna().any():
                row = profiles.obs_names[profiles.obs[column].isna()][0]
                fail(f"empty {column} for profile {row!r}")
        if "condition" in self.obs:
            for value in profiles.obs["condition"].unique():
                if not NAME.match(str(value)):
                    fail(f"condition {value!r} has characters other than letters, digits and _ . + -")
        for column, allowed in {**FACTORS, "level": LEVELS}.items():
            if column in self.obs and (wrong := set(profiles.obs[column].astype(str)) - set(allowed)):
                fail(f"obs column {column!r} holds {sorted(wrong)[0]!r}, not one of {', '.join(allowed)}")
        if "pseudocohort" not in profiles.uns or "unit" not in profiles.uns["pseudocohort"]:
            fail("uns['pseudocohort']['unit'] is missing")


_OBS = ("donor", "dataset", "condition", "technology", "aggregation", "context", "level")
#: Ingested: X is on the declared unit of the source, gene ids as declared (raw counts may be sparse integers).
INGESTED = ProfilesContract("ingested", _OBS, needs_ensembl=False, needs_log_scale=False)
#: Quality-controlled and pseudo-bulk: like ingested, with unversioned Ensembl ids.
PREPARED = ProfilesContract("prepared", _OBS, needs_log_scale=False)
#: Harmonised: one gene space, float32 log2 scale, obs column ``unit`` with the source's own log scale.
HARMONISED = ProfilesContract("harmonised", (*_OBS, "unit"))
#: Synthetic: profiles of one batch of training sets.
SYNTHETIC = ProfilesContract(
    "synthetic", ("training_set", "generator", "condition", "technology", "aggregation", "context", "level")
)

TRAINING_SETS_COLUMNS = (
    "training_set", "experiment", "generators", "task", "regime", "variant", "n_real", "repeat", "training_length",
    "seed",
)  # fmt: skip
MEMBERS_COLUMNS = ("training_set", "sample_id", "role", "condition")
DONORS_COLUMNS = ("donor", "dataset", "split", "genes")


def evaluation_columns(summary: bool) -> list[str]:
    """Columns of an evaluation table; a summary is over repeats, and has no column of theirs."""
    keys = [k for k in EVALUATION_KEYS if not (summary and k in ("repeat", "seed"))]
    return [*keys, "metric", "value", *(["ci_low", "ci_high", "n"] if summary else [])]


def check_evaluation(table: pd.DataFrame, where: str, *, summary: bool = False) -> None:
    """Check a tidy long evaluation table: key columns, ``metric``, ``value``; summaries add ``ci_low ci_high n``.

    Raises
    ------
    ContractError
        If columns are missing or out of order, or keys are duplicated.
    """
    wanted = evaluation_columns(summary)
    if list(table.columns) != wanted:
        missing = [c for c in wanted if c not in table.columns]
        extra = [c for c in table.columns if c not in wanted]
        raise ContractError(
            f"evaluation table: missing columns {missing}, unexpected columns {extra}",
            where=where, remedy=f"the columns are, in this order: {' '.join(wanted)}",
        )  # fmt: skip
    keys = wanted[: wanted.index("value")]
    duplicated = table.duplicated(keys)
    if duplicated.any():
        row = table.loc[duplicated.idxmax(), keys].to_dict()
        raise ContractError(f"evaluation table: two values for the same keys {row}", where=where)
