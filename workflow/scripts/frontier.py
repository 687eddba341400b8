"""Draw use against leakage."""

from typing import TYPE_CHECKING

from pseudocohort.core import io, logs
from pseudocohort.experiments.privacy.figures import frontier
from pseudocohort.experiments.shared.style import save

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
figure = frontier.draw(io.read_table(snakemake.input.summary), bound=snakemake.params.bound)
save(figure, snakemake.output.figure)
