"""Draw leakage against training length and release size."""

from typing import TYPE_CHECKING

from pseudocohort import io, logs
from pseudocohort.report.figures import leakage
from pseudocohort.report.figures.style import save

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
save(leakage.draw(io.read_table(snakemake.input.summary)), snakemake.output.figure)
