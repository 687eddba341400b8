"""Write the training sets and their members."""

from pathlib import Path

import pandas as pd

from pseudocohort.core import contracts, io, logs
from pseudocohort.experiments.shared.plan import with_split
from pseudocohort.plan.members import members
from pseudocohort.plan.training_sets import training_sets

logs.configure(snakemake.log[0])
config = snakemake.params.config
obs = with_split(
    io.read_profiles(snakemake.input.profiles, contracts.HARMONISED, backed=True).obs,
    io.read_table(snakemake.input.donors, contracts.DONORS_COLUMNS),
)
rows = training_sets(config)
for path in snakemake.output.members:
    experiment = Path(path).stem
    io.write_table(members(obs, [row for row in rows if row["experiment"] == experiment], config), path)
io.write_table(pd.DataFrame(rows, columns=contracts.TRAINING_SETS_COLUMNS), snakemake.output.training_sets)
