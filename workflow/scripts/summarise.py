"""Join an experiment's tables and summarise them over repeats."""

import pandas as pd

from pseudocohort.core import io, logs
from pseudocohort.experiments.registry import describe
from pseudocohort.experiments.shared.statistics import summarise

logs.configure(snakemake.log[0])
table = pd.concat([io.read_table(path) for path in snakemake.input], ignore_index=True)
experiment = describe(snakemake.wildcards.experiment)
if experiment.has("finish:finish"):  # comparisons of several generators, in each repeat
    table = experiment.load("finish:finish")(table)
summary = summarise(table)
if experiment.has("curves:curves"):  # rows that need the tables of several generators
    summary = pd.concat([summary, experiment.load("curves:curves")(table)], ignore_index=True)
io.write_evaluation(table, snakemake.output.table)
io.write_evaluation(summary, snakemake.output.summary, summary=True)
