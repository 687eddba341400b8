"""Hold out a share of the tissue donors from everything that is fitted."""

from pseudocohort.core import contracts, io, logs
from pseudocohort.prepare.donors import assign_donors

logs.configure(snakemake.log[0])
obs = [io.read_profiles(path, contracts.PREPARED, backed=True).obs for path in snakemake.input]
by_dataset = {str(table["dataset"].iloc[0]): table for table in obs}
donors = assign_donors(by_dataset, test_share=snakemake.params.test_share, seed=snakemake.params.seed)
io.write_table(donors, snakemake.output.donors)
