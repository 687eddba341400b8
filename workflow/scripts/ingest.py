"""Read a dataset's raw files into the AnnData contract."""

from typing import TYPE_CHECKING

from pseudocohort import contracts, io, logs
from pseudocohort.ingest.dataset import ingest_dataset

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
profiles = ingest_dataset(snakemake.params.row, conditions=snakemake.params.conditions)
io.write_profiles(profiles, snakemake.output.profiles, contracts.INGESTED)
