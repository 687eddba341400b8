"""Sum the cells of each line into pseudo-bulk profiles."""

from pseudocohort.core import contracts, io, logs
from pseudocohort.prepare.pseudobulk import pseudobulk

logs.configure(snakemake.log[0])
cells = io.read_profiles(snakemake.input.profiles, contracts.PREPARED, backed=True)
profiles = pseudobulk(cells, **snakemake.params.pseudobulk, seed=snakemake.params.seed)
io.write_profiles(profiles, snakemake.output.profiles, contracts.PREPARED)
