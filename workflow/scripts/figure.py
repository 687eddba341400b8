"""Draw the figure of an evaluation from its summary table."""

import importlib
from typing import TYPE_CHECKING

from pseudocohort.core import io, logs
from pseudocohort.experiments.shared.style import save

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
name = snakemake.wildcards.evaluation
figure = importlib.import_module(f"pseudocohort.experiments.{name}.figures.{name}")
save(figure.draw(io.read_table(snakemake.input.summary), **snakemake.params.options), snakemake.output.figure)
