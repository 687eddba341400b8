"""Write what the study was made with."""

from typing import TYPE_CHECKING

import pandas as pd
import yaml

from pseudocohort import io, logs, provenance
from pseudocohort.generators import registry

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
with io.atomic(snakemake.output.config) as temporary:
    temporary.write_text(yaml.safe_dump(snakemake.params.config, sort_keys=False))
io.write_table(provenance.software(), snakemake.output.software)
io.write_json(provenance.machine(), snakemake.output.machine)
kinds = [registry.get(name) for name in snakemake.params.config["generators"]]
rows = [{"name": k.name, "summary": k.summary, "reference": k.reference} for k in kinds]
io.write_table(pd.DataFrame(rows), snakemake.output.generators)
