"""Map gene ids and remove or flag poor cells and samples."""

from typing import TYPE_CHECKING

from pseudocohort import contracts, io, logs
from pseudocohort.prepare.gene_table import load_gene_table
from pseudocohort.prepare.quality import quality_control

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
settings = {name: snakemake.params[name] for name in ("cell_quality", "sample_quality", "gene_duplicates", "seed")}
profiles, report = quality_control(
    io.read_profiles(snakemake.input.profiles, contracts.INGESTED),
    snakemake.params.row,
    settings,
    load_gene_table(snakemake.input.genes),
)
io.write_profiles(profiles, snakemake.output.profiles, contracts.PREPARED)
io.write_json(report, snakemake.output.report)
