"""Tissue-level profiles on all genes that their datasets share."""

from pseudocohort.core import contracts, io, logs
from pseudocohort.intervene.run import EVERY_GENE
from pseudocohort.prepare.gene_table import load_gene_table
from pseudocohort.prepare.harmonise import harmonise_to_file

logs.configure(snakemake.log[0])
harmonise_to_file(
    [io.read_profiles(path, contracts.PREPARED, backed=True) for path in snakemake.input.profiles],
    io.read_table(snakemake.input.donors, contracts.DONORS_COLUMNS),
    EVERY_GENE,
    load_gene_table(snakemake.input.genes),
    snakemake.output.profiles,
)
