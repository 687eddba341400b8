"""Draw a figure of an experiment."""

from typing import TYPE_CHECKING

from pseudocohort.core import logs
from pseudocohort.experiments.registry import figure_of
from pseudocohort.experiments.shared.style import save

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
given = snakemake.input
files = {key: [given[key]] if isinstance(given[key], str) else list(given[key]) for key, _ in given.items()}
experiment, figure = figure_of(snakemake.wildcards.figure)
save(experiment.load(figure.draw)(files, snakemake.params.config), snakemake.output.figure)
