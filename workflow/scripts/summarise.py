"""Join an evaluation's tables and summarise them over repeats."""

from typing import TYPE_CHECKING

import pandas as pd

from pseudocohort.core import io, logs
from pseudocohort.experiments.shared.learning_curve import CURVES
from pseudocohort.experiments.shared.statistics import summarise

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
table = pd.concat([io.read_table(path) for path in snakemake.input], ignore_index=True)
summary = summarise(table)
# The curve of real profiles alone is in another table than the generators.
if (curves := CURVES.get(snakemake.wildcards.evaluation)) is not None:
    summary = pd.concat([summary, curves(table)], ignore_index=True)
io.write_evaluation(table, snakemake.output.table)
io.write_evaluation(summary, snakemake.output.summary, summary=True)
