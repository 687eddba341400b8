"""Draw leakage against training length and release size."""

from typing import TYPE_CHECKING

from pseudocohort.core import io, logs
from pseudocohort.experiments.privacy.figures import leakage
from pseudocohort.experiments.shared.style import save

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
save(leakage.draw(io.read_table(snakemake.input.summary)), snakemake.output.figure)
