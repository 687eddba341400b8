"""Join an experiment's tables and summarise them over repeats."""

from typing import TYPE_CHECKING

import pandas as pd

from pseudocohort.core import io, logs
from pseudocohort.experiments.registry import describe
from pseudocohort.experiments.shared.statistics import summarise

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
table = pd.concat([io.read_table(path) for path in snakemake.input], ignore_index=True)
experiment = describe(snakemake.wildcards.experiment)
if experiment.has("finish:finish"):  # rows that need the tables of several generators
    table = experiment.load("finish:finish")(table)
io.write_evaluation(table, snakemake.output.table)
io.write_evaluation(summarise(table), snakemake.output.summary, summary=True)
