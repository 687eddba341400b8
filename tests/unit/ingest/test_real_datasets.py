"""Every real dataset of the sheet goes in as published: values and annotation as in the raw text."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pytest
from scipy import sparse

from pseudocohort.ingest.dataset import ingest_to_file
from pseudocohort.study import read_datasets

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "workflow/schemas/datasets.schema.yaml"
CONDITIONS = {"min_donors": 1}
TEXT = (
    "tcga_brca", "tcga_paired", "gtex", "pson_lines", "lung_celseq2", "lung_celseq2_p1", "lung_celseq2_p2",
    "lung_celseq2_p3", "lung_dropseq",
)  # fmt: skip


def _row(name: str, data_root: Path) -> dict:
    config = {"datasets_sheet": ROOT / "config/datasets.tsv", "datasets": [name], "data_root": str(data_root)}
    return read_datasets(config, SCHEMA)[name]


def _lines(path: str) -> csv.reader:
    """Rows of a delimited file, by Python's own reader; R's missing name of the first column is put there."""
    opened = gzip.open if path.endswith(".gz") else open
    rows = csv.reader(opened(path, "rt", newline=""), delimiter="," if ".csv" in path else "\t")
    header, first = next(rows), next(rows)
    yield header if len(header) == len(first) else ["", *header]
    yield first
    yield from rows


@pytest.mark.parametrize("name", TEXT)
def test_values_and_annotation_are_those_of_the_text(name: str, data_root: Path, tmp_path: Path) -> None:
    row = _row(name, data_root)
    ingest_to_file(row, tmp_path / "p.h5ad", conditions=CONDITIONS)
    profiles = ad.read_h5ad(tmp_path / "p.h5ad")
    x = profiles.X.tocsc() if sparse.issparse(profiles.X) else profiles.X
    samples = profiles.obs_names.str.removeprefix(f"{name}:")

    raw = _lines(row["source"])
    header = next(raw)[1:]
    column = {sample: j for j, sample in enumerate(header)}
    wanted = np.array([column[sample] for sample in samples])
    compared = 0
    for j, line in enumerate(raw):
        assert profiles.var["source_id"].iloc[j] == line[0]
        if j % 37 == 0:  # every 37th gene, whole
            found = x[:, j].toarray()[:, 0] if sparse.issparse(x) else x[:, j]
            np.testing.assert_array_equal(found, np.array(line[1:], dtype=float)[wanted].astype(found.dtype))
            compared += len(found)
    assert j + 1 == profiles.n_vars and compared > 1000

    annotated = _lines(row["samples"])
    names = next(annotated)
    key = names.index(row["sample_column"]) if "sample_column" in row else 0
    table = {line[key]: dict(zip(names, line, strict=True)) for line in annotated}
    assert set(samples) <= set(table)
    for sample, donor, condition in zip(samples, profiles.obs["donor"], profiles.obs["condition"], strict=True):
        assert donor == table[sample][row["donor_column"]]
        said = row["condition_column"]
        if said.startswith("@"):  # GTEx's tissue without its part
            assert table[sample]["detailed_category"].replace(" ", "_").startswith(condition)
        elif not said.startswith("="):
            # Names become parts of paths: letters, digits, "_", "-" and "." only.
            assert [c for c in condition if c.isalnum()] == [c for c in table[sample][said] if c.isalnum()]
    left_out = set(header) & set(table) - set(samples)
    for sample in left_out:  # only what has no usable label, and cultured cells
        if name == "gtex":
            assert table[sample]["detailed_category"].startswith("Cells - ")
            continue
        assert table[sample][row["condition_column"]] in ("", "NA", "<not provided>"), sample


@pytest.mark.parametrize(
    "changes", [{}, {"source": "lung-cell-lines/sc_10x_5cl_500genes.h5ad", "condition_column": "=LUAD"}]
)
def test_cells_are_those_of_the_hdf5_file(data_root: Path, tmp_path: Path, changes: dict[str, str]) -> None:
    row = _row("breast_lines", data_root) | changes
    row["source"] = str(data_root / row["source"])
    ingest_to_file(row, tmp_path / "p.h5ad", conditions=CONDITIONS)
    profiles = ad.read_h5ad(tmp_path / "p.h5ad")
    with h5py.File(row["source"]) as file:
        data, indices, indptr = (file["X"][name][:] for name in ("data", "indices", "indptr"))
    assert profiles.n_obs == len(indptr) - 1
    assert profiles.X.sum() == data.sum() and profiles.X.nnz == np.count_nonzero(data)
    for i in (0, 17, profiles.n_obs - 1):
        dense = np.zeros(profiles.n_vars)
        dense[indices[indptr[i] : indptr[i + 1]]] = data[indptr[i] : indptr[i + 1]]
        np.testing.assert_array_equal(profiles.X[[i]].toarray()[0], dense)
