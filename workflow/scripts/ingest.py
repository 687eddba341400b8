"""Read a dataset's raw files into the AnnData contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pseudocohort.ingest.dataset import ingest_dataset

from pseudocohort import contracts, io, logs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
profiles = ingest_dataset(snakemake.params.row, conditions=snakemake.params.conditions)
io.write_profiles(profiles, snakemake.output.profiles, contracts.INGESTED)
