"""Pseudo-bulks of real cell lines: equal to scanpy's sums, and near bulk of the same line."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

from pseudocohort.prepare.pseudobulk import pseudobulk

DATA = Path(__file__).parents[4] / "shared" / "data"
BREAST = DATA / "breast-cell-lines" / "counts.h5ad"
LUNG = sorted((DATA / "lung-cell-lines").glob("sc_*.count.csv.gz"))
BULK = DATA / "bulk-cell-lines"

needs_data = pytest.mark.skipif(not BREAST.is_file(), reason="real data are not there")


def _cells(counts: sparse.csr_matrix, line: pd.Series, genes: pd.Index) -> ad.AnnData:
    obs = pd.DataFrame(
        {
            "donor": line.to_numpy(dtype=str), "condition": "x", "dataset": "d", "technology": "umi_3prime",
            "aggregation": "cell", "context": "in_vitro",
        },
        index=line.index.astype(str),
    )  # fmt: skip
    var = pd.DataFrame({"symbol": genes.to_numpy(dtype=str)}, index=genes)
    return ad.AnnData(counts, obs=obs, var=var, uns={"pseudocohort": {"dataset": "d", "unit": "counts"}})


def _breast() -> ad.AnnData:
    data = ad.read_h5ad(BREAST)
    return _cells(sparse.csr_matrix(data.X), data.obs["cell_line"].astype(str), data.var_names)


def _check(cells: ad.AnnData) -> ad.AnnData:
    first = pseudobulk(cells, bootstraps=1, min_cells=1, seed=1)
    expected = sc.get.aggregate(cells, by="donor", func="sum")
    order = expected.obs_names.get_indexer(first.obs["donor"])
    assert (order >= 0).all() and len(order) == cells.obs["donor"].nunique()
    found = expected.layers["sum"]
    np.testing.assert_array_equal(first.X.toarray(), (found.toarray() if sparse.issparse(found) else found)[order])
    return first


@needs_data
def test_breast_lines_equal_scanpys_sums_and_t47d_finds_itself_in_bulk() -> None:
    """Own-line retrieval over 31 lines after centring genes; MDA-MB-231 is not among them: it finds its kind."""
    first = _check(_breast())
    tpm = pd.read_csv(BULK / "pson_expr_tpm_df.tsv.gz", sep="\t", index_col=0)
    lines = pd.read_csv(BULK / "pson_sample_map.csv").set_index("sample")["cellLine"].reindex(tpm.columns)
    genes = first.var_names.intersection(tpm.index)
    counts = first.X.toarray()
    pseudo = np.log2(counts / counts.sum(1, keepdims=True) * 1e6 + 1)[:, first.var_names.get_indexer(genes)]
    bulk = np.log2(tpm.loc[genes].to_numpy(dtype=float).T + 1)
    kept = (pseudo.mean(0) > 1) & (bulk.mean(0) > 1)
    pseudo, bulk = (x[:, kept] - x[:, kept].mean(0) for x in (pseudo, bulk))

    def nearest(name: str) -> tuple[str, float]:
        profile = bulk[(lines == name).to_numpy()].mean(0)
        r = np.array([np.corrcoef(profile, row)[0, 1] for row in pseudo])
        return str(first.obs["donor"].iloc[int(r.argmax())]), float(np.sort(r)[-1] - np.sort(r)[-2])

    own, lead = nearest("T-47D")
    assert own == "T47D" and lead > 0.1
    subtype = ad.read_h5ad(BREAST).obs.drop_duplicates("cell_line").set_index("cell_line")["mol.sub"]
    assert "MDAMB231" not in subtype.index
    assert subtype[nearest("MDA-MB-231")[0]] == "TNBCB"  # mesenchymal, as MDA-MB-231 is


@needs_data
@pytest.mark.parametrize("path", LUNG, ids=lambda p: p.name.split(".")[0])
def test_lung_plates_equal_scanpys_sums(path: Path) -> None:
    table = pd.read_csv(path, index_col=0)
    about = pd.read_csv(path.with_name(path.name.replace("count", "metadata")), index_col=0)
    line = about["cell_line_demuxlet"].reindex(table.columns).astype(str)
    _check(_cells(sparse.csr_matrix(table.to_numpy().T.astype(np.float64)), line, table.index))
