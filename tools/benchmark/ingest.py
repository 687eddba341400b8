"""Time and peak memory of ingestion on synthetic files of upstream size, beside decompressing, pandas and scanpy.

Scale 1 is GTEx v8 (GCT of 56,200 genes x 17,382 samples, gzipped) and a million cells x 30,000 genes with 1,500
entries per cell (10x folder, gzipped). A scale shrinks samples or cells and keeps the genes. Each measurement is a
process of its own, with ``--threads`` for numerical libraries and one that decompresses; a tiny file is ingested first,
so that imports and compiling the parser (some seconds, once per machine) are not counted. The files are removed.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from pathlib import Path

import numpy as np
from common import alone, peak_memory, row, seconds

GTEX_GENES, GTEX_SAMPLES = 56_200, 17_382
GENES, CELLS, ENTRIES, LINES = 30_000, 1_000_000, 1_500, 200
CONDITIONS = {"min_donors": 1}
ROW = {
    "dataset": "bench", "gene_ids": "ensembl", "orientation": "genes_by_samples", "sample_column": "sample",
    "donor_column": "donor", "condition_column": "condition",
}  # fmt: skip
QUALITY = {"min_counts": 500, "min_genes": 200, "max_mitochondrial_share": 0.2, "doublets": "label"}


def add_options(parser) -> None:
    parser.add_argument("--scales", type=float, nargs="+", default=[0.01, 0.02], help="1 = upstream size")
    parser.add_argument("--what", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--folder", type=Path, help="where the files are written (default: the temporary folder)")
    parser.add_argument("--references", type=float, default=0.02, help="largest scale for pandas and scanpy")


def gene_ids(count: int) -> list[str]:
    """Ids of genes that the shipped table knows, as far as it goes."""
    import pandas as pd

    return list(pd.read_csv("resources/genes.tsv.gz", sep="\t", usecols=["ensembl"])["ensembl"][:count])


def write_gct(folder: Path, scale: float) -> None:
    """A GCT whose values are spelled like GTEx's: TPM of up to 4 significant digits, 45 % of them 0."""
    samples, rng = max(int(GTEX_SAMPLES * scale), 4), np.random.default_rng(0)
    values = rng.gamma(0.3, 60, 1 << 20)
    words = np.array(
        [b"0" if z else f"{v:.4g}".encode() for v, z in zip(values, rng.random(1 << 20) < 0.45, strict=True)]
    )
    names = [f"GTEX-{i:05d}-0001-SM-AAAAA" for i in range(samples)]
    with gzip.open(folder / "m.gct.gz", "wb", compresslevel=6) as file:
        file.write(f"#1.2\n{GTEX_GENES}\t{samples}\nName\tDescription\t{chr(9).join(names)}\n".encode())
        for j, gene in enumerate(gene_ids(GTEX_GENES)):
            picked = words[rng.integers(0, len(words), samples)]
            file.write(f"{gene}.1\tG{j}\t".encode() + b"\t".join(picked.tolist()) + b"\n")
    lines = [f"{name}\tD{i // 2}\tT{i % 30}\n" for i, name in enumerate(names)]
    (folder / "samples.tsv").write_text("sample\tdonor\tcondition\n" + "".join(lines))


def write_cells(folder: Path, scale: float) -> None:
    """A 10x folder: entries sorted by cell, as cellranger writes them."""
    cells, rng = max(int(CELLS * scale), 100), np.random.default_rng(0)
    (folder / "tenx").mkdir(exist_ok=True)
    genes = np.sort(np.stack([rng.choice(GENES, ENTRIES, replace=False) for _ in range(200)]), axis=1) + 1
    with gzip.open(folder / "tenx/matrix.mtx.gz", "wb", compresslevel=4) as file:
        file.write(b"%%MatrixMarket matrix coordinate integer general\n%\n")
        file.write(f"{GENES} {cells} {cells * ENTRIES}\n".encode())
        value = [[str(v) for v in row] for row in np.minimum(rng.geometric(0.6, (200, ENTRIES)), 99)]
        left = [[f"{g} " for g in row] for row in genes]
        for cell in range(cells):
            middle = f"{cell + 1} "
            a, b = left[cell % 200], value[(cell * 7) % 200]
            file.write("\n".join([g + middle + v for g, v in zip(a, b, strict=True)]).encode() + b"\n")
    (folder / "tenx/genes.tsv").write_text("".join(f"{g}\tG{j}\n" for j, g in enumerate(gene_ids(GENES))))
    (folder / "tenx/barcodes.tsv").write_text("".join(f"C{i}\n" for i in range(cells)))
    lines = [f"C{i}\tL{i % LINES}\tT{i % LINES % 10}\n" for i in range(cells)]
    (folder / "samples.tsv").write_text("sample\tdonor\tcondition\n" + "".join(lines))


def decompress(path: Path) -> None:
    """What any reader has to do at least."""
    with gzip.open(path) as file:
        while file.read(1 << 24):
            pass


def gct_row(folder: Path) -> dict[str, str]:
    """Row of the dataset sheet."""
    place = {"source": str(folder / "m.gct.gz"), "samples": str(folder / "samples.tsv"), "format": "gct"}
    level = {"kind": "bulk", "unit": "rsem", "technology": "bulk", "aggregation": "bulk", "context": "normal"}
    return ROW | place | level


def cell_row(folder: Path) -> dict[str, str]:
    """Row of the dataset sheet."""
    place = {"source": str(folder / "tenx"), "samples": str(folder / "samples.tsv"), "format": "mtx"}
    level = {"kind": "single_cell", "unit": "counts", "technology": "umi_3prime"}
    return ROW | place | level | {"aggregation": "cell", "context": "in_vitro"}


def run_gct_decompress(folder: Path) -> None:
    """Decompress the GCT."""
    decompress(folder / "m.gct.gz")


def run_gct_ingest(folder: Path) -> None:
    """All samples, to an h5ad file."""
    from pseudocohort.ingest.dataset import ingest_to_file

    ingest_to_file(gct_row(folder), folder / "out.h5ad", conditions=CONDITIONS)


def run_gct_tenth(folder: Path) -> None:
    """Every tenth sample, to an h5ad file."""
    from pseudocohort.ingest.dataset import ingest_to_file

    header, *lines = (folder / "samples.tsv").read_text().splitlines(keepends=True)
    (folder / "tenth.tsv").write_text("".join([header, *lines[::10]]))
    row = gct_row(folder) | {"samples": str(folder / "tenth.tsv")}
    ingest_to_file(row, folder / "out.h5ad", conditions=CONDITIONS)


def run_gct_pandas(folder: Path) -> None:
    """pandas.read_csv, as float32, transposed; nothing checked or written."""
    import pandas as pd

    names = (folder / "samples.tsv").read_text().split()[3::3]
    path = folder / "m.gct.gz"
    table = pd.read_csv(path, sep="\t", skiprows=2, index_col=[0, 1], dtype=dict.fromkeys(names, np.float32))
    np.ascontiguousarray(table.to_numpy().T)


def run_cells_decompress(folder: Path) -> None:
    """Decompress the matrix."""
    decompress(folder / "tenx/matrix.mtx.gz")


def run_cells_ingest(folder: Path) -> None:
    """To an h5ad file."""
    from pseudocohort.ingest.dataset import ingest_to_file

    ingest_to_file(cell_row(folder), folder / "out.h5ad", conditions=CONDITIONS)


def run_cells_pseudobulk(folder: Path) -> None:
    """Quality control and pseudo-bulk of the ingested cells."""
    from pseudocohort.core import contracts, io
    from pseudocohort.prepare.cell_lines import LineNames
    from pseudocohort.prepare.gene_table import load_gene_table
    from pseudocohort.prepare.pseudobulk import pseudobulk
    from pseudocohort.prepare.quality import control_cells

    settings = {"cell_quality": QUALITY, "gene_duplicates": "sum", "lines": LineNames(), "seed": 1}
    table = load_gene_table("resources/genes.tsv.gz")
    cells = io.read_profiles(folder / "out.h5ad", contracts.INGESTED, backed=True)
    control_cells(cells, cell_row(folder), settings, table, folder / "kept.h5ad")
    kept = io.read_profiles(folder / "kept.h5ad", contracts.PREPARED, backed=True)
    pseudobulk(kept, bootstraps=5, seed=1)


def run_cells_scanpy(folder: Path) -> None:
    """scanpy's in-memory route: read_10x_mtx, metrics, aggregate; nothing checked or written."""
    import pandas as pd
    import scanpy as sc

    shutil.move(folder / "tenx/genes.tsv", folder / "genes.tsv")
    features = (folder / "genes.tsv").read_text().splitlines()
    with gzip.open(folder / "tenx/features.tsv.gz", "wt") as file:
        file.write("".join(f"{line}\tGene Expression\n" for line in features))
    (folder / "tenx/barcodes.tsv.gz").write_bytes(gzip.compress((folder / "tenx/barcodes.tsv").read_bytes()))
    cells = sc.read_10x_mtx(folder / "tenx", var_names="gene_ids")
    cells.obs["donor"] = pd.read_csv(folder / "samples.tsv", sep="\t")["donor"].to_numpy()
    sc.pp.calculate_qc_metrics(cells, percent_top=None, log1p=False, inplace=True)
    sc.get.aggregate(cells, by="donor", func="sum")


RUNS = {
    "gct": {
        "decompress": run_gct_decompress, "ingest": run_gct_ingest, "ingest a tenth": run_gct_tenth,
        "pandas.read_csv": run_gct_pandas,
    },
    "cells": {
        "decompress": run_cells_decompress, "ingest": run_cells_ingest, "quality + pseudo-bulk": run_cells_pseudobulk,
        "scanpy in memory": run_cells_scanpy,
    },
}  # fmt: skip
REFERENCES = ("pandas.read_csv", "scanpy in memory")
TINY = {"gct": 1e-4, "cells": 4e-3}
WRITERS = {"gct": write_gct, "cells": write_cells}


def measure(what: str, name: str, folder: Path, tiny: Path) -> tuple[float, float]:
    """Seconds and peak GiB; imports and compiling are done on the tiny file first."""
    if name not in REFERENCES and name != "decompress":
        RUNS[what][name](tiny)
    return seconds(RUNS[what][name], folder), peak_memory()


def run(options) -> None:
    row("what", "scale", "MB packed", "run", "seconds", "x decompress", "peak GiB")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        tiny, folder = Path(name) / "tiny", Path(name) / "files"
        for what in options.what:
            tiny.mkdir()
            WRITERS[what](tiny, TINY[what])
            for scale in options.scales:
                folder.mkdir()
                WRITERS[what](folder, scale)
                packed = folder / ("m.gct.gz" if what == "gct" else "tenx/matrix.mtx.gz")
                size, base = packed.stat().st_size / 1e6, 0.0
                for way in RUNS[what]:
                    if way in REFERENCES and scale > options.references:
                        continue
                    time, peak = alone(measure, what, way, folder, tiny)
                    base = base or time
                    row(what, f"{scale:g}", f"{size:.0f}", way, f"{time:.1f}", f"{time / base:.2f}", f"{peak:.2f}")
                shutil.rmtree(folder)
            shutil.rmtree(tiny)
