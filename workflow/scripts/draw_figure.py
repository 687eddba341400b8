"""Draw a figure of an experiment."""

from pseudocohort.core import io, logs
from pseudocohort.experiments.registry import figure_of
from pseudocohort.experiments.shared.style import save

logs.configure(snakemake.log[0])
given = snakemake.input
experiment, figure = figure_of(snakemake.wildcards.figure)
drawn_from = (
    {key: [given[key]] if isinstance(given[key], str) else list(given[key]) for key, _ in given.items()}
    if figure.inputs
    else io.read_table(given.summary)
)
save(experiment.load(figure.draw)(drawn_from, snakemake.params.config), snakemake.output.figure)
