"""Tissue-level profiles on all genes that their datasets share."""

from pseudocohort.core import contracts, io, logs
from pseudocohort.intervene.run import EVERY_GENE
from pseudocohort.prepare.gene_table import load_gene_table
from pseudocohort.prepare.harmonise import harmonise

logs.configure(snakemake.log[0])
profiles, _ = harmonise(
    [io.read_profiles(path, contracts.PREPARED, backed=True) for path in snakemake.input.profiles],
    io.read_table(snakemake.input.donors, contracts.DONORS_COLUMNS),
    EVERY_GENE,
    load_gene_table(snakemake.input.genes),
)
io.write_profiles(profiles, snakemake.output.profiles, contracts.HARMONISED, compressed=False)
