"""Draw learning curves of augmentation."""

from typing import TYPE_CHECKING

from pseudocohort.core import io, logs
from pseudocohort.experiments.augmentation.figures import learning
from pseudocohort.experiments.shared.style import save

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
save(learning.draw(io.read_table(snakemake.input.summary), snakemake.params.titles), snakemake.output.figure)
