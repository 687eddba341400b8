"""Counts and FPKM to TPM."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
from scipy import sparse

from ..core.errors import UserError
from ..ingest.units import COUNTED, taken_back
from .gene_table import GeneTable

#: Units that can become TPM.
CONVERTIBLE = ("counts", "expected_counts", "fpkm")
#: TPM is a share of the whole transcriptome: of fewer genes it would be a share of the panel.
FEWEST_GENES = 5_000


def to_tpm(profiles: ad.AnnData, table: GeneTable, *, fewest: int = FEWEST_GENES) -> tuple[ad.AnnData, dict[str, Any]]:
    """Profiles in TPM, linear, and a report.

    Counts are divided by the gene's length and brought to a sum of a million (Li & Dewey 2011, BMC Bioinformatics
    12:323); FPKM are divided by length already, so that only the sum is left to do (Pachter 2011, arXiv:1104.3889).

    Parameters
    ----------
    profiles : AnnData
        Bulk samples with unversioned Ensembl ids, on counts, expected counts or FPKM (linear or log2 with an offset).
    table : GeneTable
        ``length``: effective lengths in base pairs; genes without one are left out of a conversion of counts.
    fewest : int
        Fewest genes that pass for a transcriptome.

    Raises
    ------
    UserError
        If the unit cannot be converted, too few genes are left, or a sample has no reads.
    """
    source = dict(profiles.uns["pseudocohort"])
    where = f"dataset {source['dataset']!r}, column 'convert'"
    if source["unit"] not in CONVERTIBLE:
        raise UserError(
            f"{source['unit']} cannot be converted to TPM",
            where=where,
            remedy="leave convert empty; counts, expected_counts, coverage and fpkm can be converted",
        )
    x = profiles.X.toarray() if sparse.issparse(profiles.X) else np.asarray(profiles.X)
    if "log_offset" in source:
        x = taken_back(x, float(source.pop("log_offset")))
    keep = np.ones(profiles.n_vars, dtype=bool)
    if source["unit"] in COUNTED:
        lengths = table.genes["length"].reindex(profiles.var_names).to_numpy(dtype=float)
        keep = lengths > 0
        x = x[:, keep] / lengths[keep]
    if keep.sum() < fewest:
        raise UserError(
            f"TPM need a whole transcriptome, and only {keep.sum()} genes are left",
            where=where,
            remedy="leave convert empty, or give the whole matrix",
        )
    sums = x.sum(axis=1, dtype=np.float64)
    if not (sums > 0).all():
        raise UserError(f"sample {profiles.obs_names[sums <= 0][0]!r} has no reads", where=where, remedy="leave it out")
    report = {"from": source["unit"], "to": "tpm", "genes_without_length": int((~keep).sum())}
    source["unit"] = "tpm"
    out = ad.AnnData(
        (x / sums[:, None] * 1e6).astype(np.float32),
        obs=profiles.obs.copy(),
        var=profiles.var[keep].copy(),
        uns={**profiles.uns, "pseudocohort": source},
    )
    return out, report
