"""Read a dataset's raw files into the AnnData contract."""

from pseudocohort.core import logs
from pseudocohort.ingest.dataset import ingest_to_file

logs.configure(snakemake.log[0])
ingest_to_file(snakemake.params.row, snakemake.output.profiles, conditions=snakemake.params.conditions)
