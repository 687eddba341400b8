"""Turn the evaluation tables into answers."""

from pathlib import Path

from pseudocohort.core import io, logs
from pseudocohort.experiments.shared.verdicts import verdicts

logs.configure(snakemake.log[0])
tables = {Path(path).stem: io.read_table(path) for path in snakemake.input}
io.write_json(verdicts(tables, snakemake.params.config), snakemake.output.verdicts)
