"""Memory and time of preparing tissue of all genes, at growing numbers of samples.

So many normals of 56,200 genes, tumours of 56,485 and lines of 19,193 in the proportions of config/full.yaml (17,382
normals at full size), random values spelled like TPM. Quality control of the normals, one gene space of all (5,000
genes), the profiles of interventions (all genes) and the checks of the study, each in a process of its own.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from common import alone, peak_memory, row

from pseudocohort.intervene.run import EVERY_GENE
from pseudocohort.prepare.cell_lines import LineNames
from pseudocohort.prepare.donors import assign_donors
from pseudocohort.prepare.gene_table import load_gene_table
from pseudocohort.prepare.harmonise import harmonise, harmonise_to_file
from pseudocohort.prepare.quality import control_samples
from pseudocohort.prepare.study_checks import check_study

ROOT = Path(__file__).resolve().parents[2]
FULL = {"normals": 17_382, "tumours": 11_250, "lines": 1_673}
GENES = {"normals": 56_200, "tumours": 56_485, "lines": 19_193}
CONDITIONS = {"normals": 29, "tumours": 33, "lines": 12}
CONTEXTS = {"normals": "normal", "tumours": "tumour", "lines": "in_vitro"}
SPACE = {"kind": "most_variable", "n": 5000, "min_median": -1, "min_sd": 0, "min_cell_level_mean": 0}
QUALITY = {
    "sample_quality": {"min_detected_genes": 100, "max_correlation_outlier_mads": 6},
    "gene_duplicates": "highest_mean", "lines": LineNames(),
}  # fmt: skip


def add_options(parser) -> None:
    parser.add_argument("--samples", type=int, nargs="+", default=[300, 600, 1200], help="normals; 17,382 is full size")
    parser.add_argument("--folder", type=Path, help="where the files are written (default: the temporary folder)")


def write(folder: Path, name: str, n: int) -> None:
    """Profiles of one kind, as ingested."""
    table = pd.read_csv(ROOT / "resources/genes.tsv.gz", sep="\t", dtype=str, keep_default_na=False)
    # Genes with an Entrez id first, so that all kinds share those of the lines.
    genes = table.iloc[np.argsort(table["entrez"] == "", kind="stable")[: GENES[name]]]
    rng = np.random.default_rng(len(name))
    pool = np.where(rng.random(1 << 20) < 0.45, 0, rng.gamma(0.3, 60, 1 << 20)).astype(np.float32)
    x = np.empty((n, len(genes)), np.float32)
    for profile in x:
        profile[:] = pool[rng.integers(0, len(pool), len(genes))]
    context = CONTEXTS[name]
    level = "line_bulk" if context == "in_vitro" else context
    obs = pd.DataFrame(
        {
            "donor": [f"{name}-{i // 2 if context == 'normal' else i}" for i in range(n)], "dataset": name,
            "condition": [f"{name}{i % CONDITIONS[name]}" for i in range(n)], "technology": "bulk",
            "aggregation": "bulk", "context": context, "level": level,
        },
        index=[f"{name}:{i}" for i in range(n)],
    )  # fmt: skip
    ids = genes["ensembl"].to_numpy()
    var = pd.DataFrame({"source_id": ids + ".1", "symbol": genes["symbol"].to_numpy()}, index=ids)
    uns = {"unit": "tpm", "dataset": name, "source": "simulated", "unit_verdict": "linear tpm", "dropped": {}}
    ad.AnnData(x, obs=obs, var=var, uns={"pseudocohort": uns}).write_h5ad(folder / f"{name}.h5ad")


def steps(folder: Path) -> dict[str, Callable[[], Any]]:
    """What is measured, by the rule that does it."""
    table = load_gene_table(ROOT / "resources/genes.tsv.gz")

    def opened(*names: str) -> list[ad.AnnData]:
        return [ad.read_h5ad(folder / f"{name}.h5ad", backed="r") for name in names]

    donors = assign_donors({d.obs["dataset"].iloc[0]: d.obs for d in opened(*FULL)}, test_share=0.3, seed=1)

    def quality_control() -> None:
        row = {"dataset": "normals", "kind": "bulk", "gene_ids": "ensembl"}
        control_samples(opened("normals")[0], row, QUALITY, table)[0].write_h5ad(folder / "checked.h5ad")

    def one_space() -> None:
        harmonise(opened("checked", "tumours", "lines"), donors, SPACE, table)[0].write_h5ad(folder / "space.h5ad")

    def every_gene() -> None:
        harmonise_to_file(opened("checked", "tumours"), donors, EVERY_GENE, table, folder / "every_gene.h5ad")

    def checks() -> None:
        reports = {name: {"samples": {"labels": {"checked": 0}}} for name in FULL}
        datasets = opened("checked", "tumours", "lines")
        check_study(datasets, ad.read_h5ad(folder / "space.h5ad"), reports, donors, seed=1)

    return {
        "quality_control": quality_control, "harmonise": one_space, "intervention_profiles": every_gene,
        "check_study": checks,
    }  # fmt: skip


RULES = ("quality_control", "harmonise", "intervention_profiles", "check_study")


def measure(rule: str, folder: Path) -> tuple[float, float]:
    """CPU seconds and peak GiB."""
    step = steps(folder)[rule]
    start = time.process_time()
    step()
    return time.process_time() - start, peak_memory()


def run(options) -> None:
    row("normals", "profiles", "rule", "CPU s", "peak GiB")
    for normals in options.samples:
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            sizes = {kind: max(round(normals * n / FULL["normals"]), 24) for kind, n in FULL.items()}
            for kind, n in sizes.items():
                alone(write, Path(name), kind, n)
            for rule in RULES:
                seconds, peak = alone(measure, rule, Path(name))
                row(normals, sum(sizes.values()), rule, f"{seconds:.1f}", f"{peak:.2f}")
