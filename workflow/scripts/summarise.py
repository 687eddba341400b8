"""Join an evaluation's tables and summarise them over repeats."""

from typing import TYPE_CHECKING

import pandas as pd

from pseudocohort.core import io, logs
from pseudocohort.experiments.shared.learning_curve import real_profiles_saved
from pseudocohort.experiments.shared.statistics import summarise

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
table = pd.concat([io.read_table(path) for path in snakemake.input], ignore_index=True)
if (
    snakemake.wildcards.evaluation == "augmentation"
):  # the curve of real profiles is in another table than the generators
    table = pd.concat([table, real_profiles_saved(table)], ignore_index=True)
io.write_evaluation(table, snakemake.output.table)
io.write_evaluation(summarise(table), snakemake.output.summary, summary=True)
