"""Write the raw files of a simulation in public formats."""

from pathlib import Path

import yaml

from pseudocohort.acquire.simulate.write import simulate
from pseudocohort.core import logs

logs.configure(snakemake.log[0])
parameters = yaml.safe_load(Path(snakemake.input.parameters).read_text())
simulate(Path(snakemake.output.normal).parent, seed=parameters["seed"], parameters=parameters)
