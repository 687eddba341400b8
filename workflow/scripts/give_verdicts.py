"""Turn the evaluation tables into answers."""

from pathlib import Path
from typing import TYPE_CHECKING

from pseudocohort.core import io, logs
from pseudocohort.experiments.shared.verdicts import verdicts

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
tables = {Path(path).stem: io.read_table(path) for path in snakemake.input}
io.write_json(verdicts(tables, snakemake.params.config), snakemake.output.verdicts)
