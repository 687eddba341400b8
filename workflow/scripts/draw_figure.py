"""Draw a figure of an experiment."""

from pseudocohort.core import io, logs
from pseudocohort.experiments.registry import figure_of
from pseudocohort.experiments.shared.style import save

logs.configure(snakemake.log[0])
given = snakemake.input
files = {key: [given[key]] if isinstance(given[key], str) else list(given[key]) for key, _ in given.items()}
experiment, figure = figure_of(snakemake.wildcards.figure)
drawn_from = files if figure.inputs else io.read_table(files["summary"][0])
save(experiment.load(figure.draw)(drawn_from, snakemake.params.config), snakemake.output.figure)
