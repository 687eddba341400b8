"""Bring all datasets into one gene space on log scale."""

from pseudocohort.core import contracts, io, logs
from pseudocohort.prepare.gene_table import load_gene_table
from pseudocohort.prepare.harmonise import harmonise

logs.configure(snakemake.log[0])
profiles, genes = harmonise(
    [io.read_profiles(path, contracts.PREPARED, backed=True) for path in snakemake.input.profiles],
    io.read_table(snakemake.input.donors, contracts.DONORS_COLUMNS),
    snakemake.params.gene_space,
    load_gene_table(snakemake.input.genes),
    snakemake.params.covariates,
    snakemake.params.sources,
    snakemake.params.harmonisation,
    snakemake.params.survival,
)
io.write_profiles(profiles, snakemake.output.profiles, contracts.HARMONISED)
io.write_table(genes, snakemake.output.genes)
