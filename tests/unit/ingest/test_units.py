"""Units that are converted, and layouts of published files that mislead."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from support.in_memory import check_unit, ingest_dataset, read_delimited, read_h5ad

from pseudocohort.core import contracts
from pseudocohort.core.errors import UserError
from pseudocohort.ingest.dataset import ingest_to_file
from pseudocohort.prepare.cell_lines import LineNames
from pseudocohort.prepare.quality import control_cells, control_samples
from pseudocohort.prepare.tpm import to_tpm

ANY = {"min_donors": 1}
ROW = {
    "dataset": "mine", "kind": "bulk", "format": "tsv", "orientation": "genes_by_samples", "gene_ids": "ensembl",
    "unit": "counts", "sample_column": "sample", "donor_column": "patient", "condition_column": "type",
    "technology": "bulk", "aggregation": "bulk", "context": "tumour",
}  # fmt: skip
SETTINGS = {
    "gene_duplicates": "highest_mean", "seed": 1, "lines": LineNames(),
    "sample_quality": {"min_detected_genes": 1, "max_correlation_outlier_mads": 6},
    "cell_quality": {"min_counts": 1, "min_genes": 1, "max_mitochondrial_share": 1.0, "doublets": "none"},
}  # fmt: skip


def bulk(x, genes, unit, **uns):
    n = len(x)
    obs = pd.DataFrame(
        {
            "donor": [f"d{i}" for i in range(n)], "dataset": "mine", "condition": "A", "technology": "bulk",
            "aggregation": "bulk", "context": "tumour", "level": "tumour",
        },
        index=[f"s{i}" for i in range(n)],
    )  # fmt: skip
    var = pd.DataFrame({"symbol": genes, "source_id": genes}, index=genes)
    about = {"unit": unit, "dataset": "mine", "source": "f", "unit_verdict": "", "dropped": {}} | uns
    return ad.AnnData(np.asarray(x, dtype=np.float32), obs=obs, var=var, uns={"pseudocohort": about})


def test_counts_and_fpkm_of_the_same_samples_give_the_same_tpm(table):
    genes = table.genes.index[table.genes["length"] > 0][:50]
    lengths = table.genes.loc[genes, "length"].to_numpy(dtype=float)
    counts = np.random.default_rng(1).poisson(80, (4, 50)).astype(float)
    fpkm = counts / (lengths / 1e3) / (counts.sum(1, keepdims=True) / 1e6)
    rate = counts / lengths
    expected = rate / rate.sum(1, keepdims=True) * 1e6
    for x, unit, extra in (
        (counts, "counts", {}),
        (fpkm, "fpkm", {}),
        (np.log2(fpkm + 0.5), "fpkm", {"log_offset": 0.5}),
    ):
        out, report = to_tpm(bulk(x, genes, unit, **extra), table, fewest=10)
        np.testing.assert_allclose(out.X, expected, rtol=1e-4)
        assert out.uns["pseudocohort"]["unit"] == "tpm" and "log_offset" not in out.uns["pseudocohort"]
        assert report == {"from": unit, "to": "tpm", "genes_without_length": 0}
        contracts.PREPARED.check(out, "test")


def test_genes_without_length_are_left_out_and_counted(table):
    known, unknown = table.genes.index[table.genes["length"] > 0][:3], table.genes.index[table.genes["length"].isna()]
    out, report = to_tpm(bulk(np.ones((2, 5)), [*known, *unknown[:2]], "counts"), table, fewest=1)
    assert list(out.var_names) == list(known) and report["genes_without_length"] == 2


@pytest.mark.parametrize(
    ("unit", "x", "fewest", "message"),
    [
        ("rsem", np.ones((1, 3)), 1, "rsem cannot be converted"),
        ("counts", np.ones((1, 3)), 5000, "only 3 genes"),
        ("fpkm", np.zeros((1, 3)), 1, "has no reads"),
    ],
)
def test_conversions_that_make_no_sense_are_refused(table, unit, x, fewest, message):
    genes = table.genes.index[table.genes["length"] > 0][:3]
    with pytest.raises(UserError, match=message):
        to_tpm(bulk(x, genes, unit), table, fewest=fewest)


def test_declared_conversion_is_in_the_quality_report(table, monkeypatch):
    monkeypatch.setattr("pseudocohort.prepare.tpm.to_tpm.__kwdefaults__", {"fewest": 1})
    genes = table.genes.index[table.genes["length"] > 0][:30]
    data = bulk(np.random.default_rng(1).poisson(80, (4, 30)), genes, "counts")
    kept, report = control_samples(data, ROW | {"convert": "tpm"}, SETTINGS, table)
    np.testing.assert_allclose(kept.X.sum(1), 1e6, rtol=1e-5)
    assert report["conversion"]["from"] == "counts"


def write(folder, matrix, samples):
    (folder / "m.tsv").write_text(matrix)
    (folder / "s.tsv").write_text(samples)
    return ROW | {"source": str(folder / "m.tsv"), "samples": str(folder / "s.tsv")}


def test_coverage_sums_of_recount3_become_counts(tmp_path):
    row = write(
        tmp_path,
        "##annotation=G026\n##date.generated=2020-11-11\ngene_id\ta\tb\nENSG1.1\t30000000300\t99\nENSG2.1\t149\t0\n",
        "sample\tpatient\ttype\tlength\na\tp1\tA\t100.0\nb\tp2\tA\t198\n",
    ) | {"unit": "coverage", "read_length_column": "length"}
    data = ingest_dataset(row, conditions=ANY)
    np.testing.assert_array_equal(data.X, [[300000003, 1], [0, 0]])
    assert data.X.dtype == np.float64  # 300,000,003 is not a float32
    assert data.uns["pseudocohort"]["unit"] == "counts"
    assert "coverage sums" in data.uns["pseudocohort"]["unit_verdict"]
    with pytest.raises(UserError, match="need the average length"):
        ingest_dataset({k: v for k, v in row.items() if k != "read_length_column"}, conditions=ANY)
    (tmp_path / "s.tsv").write_text("sample\tpatient\ttype\tlength\na\tp1\tA\t100.0\nb\tp2\tA\t0\n")
    with pytest.raises(UserError, match="'0' of sample 'b'"):
        ingest_dataset(row, conditions=ANY)


KINKER = "\tc1\tc2\tc3\nCell_line\tA549_LUNG\tA549_LUNG\tMCF7_BREAST\nPool_ID\t1\t1\t2\nTP53\t3\t0\t1\nEGFR\t0\t2\t5\n"


def test_header_rows_of_kinker_annotate_the_cells(tmp_path):
    row = write(tmp_path, KINKER, "") | {
        "kind": "single_cell", "annotation_rows": 2, "donor_column": "Cell_line", "condition_column": "Pool_ID",
        "technology": "umi_3prime", "aggregation": "cell", "context": "in_vitro", "gene_ids": "symbol",
    }  # fmt: skip
    row.pop("samples"), row.pop("sample_column")
    ingest_to_file(row, tmp_path / "out.h5ad", conditions=ANY)
    data = ad.read_h5ad(tmp_path / "out.h5ad")
    assert list(data.obs["donor"]) == ["A549_LUNG", "A549_LUNG", "MCF7_BREAST"]
    assert list(data.obs["condition"]) == ["1", "1", "2"]
    np.testing.assert_array_equal(data.X.toarray(), [[3, 0], [0, 2], [1, 5]])
    with pytest.raises(UserError, match="'A549_LUNG' is not a number") as caught:
        read_delimited(tmp_path / "m.tsv", format="tsv", orientation="genes_by_samples")
    assert "line 2" in caught.value.where


def test_cpm_and_log_normalised_cells_do_not_pass_as_counts(tmp_path, data_root):
    rng = np.random.default_rng(1)
    x = rng.poisson(2, (20, 300)).astype(float)
    x = x / x.sum(1, keepdims=True) * 1e6
    frame = pd.DataFrame(x, index=[f"s{i}" for i in range(20)], columns=[f"g{i}" for i in range(300)])
    samples = "sample\tpatient\ttype\n" + "".join(f"s{i}\tp{i}\tA\n" for i in range(20))
    row = write(tmp_path, frame.to_csv(sep="\t"), samples) | {"orientation": "samples_by_genes"}
    with pytest.raises(UserError, match="not whole; they look like counts per million"):
        ingest_dataset(row, conditions=ANY)
    with pytest.raises(UserError, match="counts per million as cpm"):
        frame.T.to_csv(tmp_path / "m.tsv", sep="\t")
        ingest_dataset(row | {"orientation": "genes_by_samples"}, conditions=ANY)
    assert (
        "a whole transcriptome"
        in ingest_dataset(row | {"orientation": "genes_by_samples", "unit": "cpm"}, conditions=ANY).uns["pseudocohort"][
            "unit_verdict"
        ]
    )
    trap = data_root / "traps/log_normalised_not_counts.h5ad"
    with pytest.raises(UserError, match="not whole; they look log-normalised"):
        check_unit(read_h5ad(trap, exact=True), "counts", None, str(trap))


def test_lung_plates_as_published_lose_their_spike_ins(data_root, table, tmp_path):
    plate = data_root / "lung-cell-lines/sc_celseq2_5cl_p1"
    row = {k: v for k, v in ROW.items() if k != "sample_column"} | {
        "kind": "single_cell", "format": "csv", "source": f"{plate}.count.csv.gz",
        "samples": f"{plate}.metadata.csv.gz", "donor_column": "cell_line_demuxlet",
        "condition_column": "cell_line_demuxlet", "technology": "umi_3prime", "aggregation": "cell",
        "context": "in_vitro",
    }  # fmt: skip
    ingest_to_file(row, tmp_path / "in.h5ad", conditions=ANY)
    raw = pd.read_csv(f"{plate}.count.csv.gz", index_col=0)
    ingested = ad.read_h5ad(tmp_path / "in.h5ad")
    names = ingested.obs_names.str.removeprefix("mine:")
    np.testing.assert_array_equal(ingested.X.toarray(), raw[names].T.to_numpy())
    report = control_cells(ad.read_h5ad(tmp_path / "in.h5ad", backed="r"), row, SETTINGS, table, tmp_path / "out.h5ad")
    assert report["genes"]["set_aside"] and all(g.startswith("ERCC-") for g in report["genes"]["set_aside"])
    kept = ad.read_h5ad(tmp_path / "out.h5ad")
    assert not kept.var_names.str.startswith("ERCC").any()
    some = kept.var_names[:200]
    source = raw.loc[[g for g in some if g in raw.index]]
    np.testing.assert_array_equal(
        kept[:, source.index].X.toarray(), source[kept.obs_names.str.removeprefix("mine:")].T.to_numpy()
    )
