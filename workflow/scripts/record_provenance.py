"""Write what the study was made with."""

import pandas as pd
import yaml

from pseudocohort.core import io, logs, provenance
from pseudocohort.generators.base import registry

logs.configure(snakemake.log[0])
with io.atomic(snakemake.output.config) as temporary:
    temporary.write_text(yaml.safe_dump(snakemake.params.config, sort_keys=False))
io.write_table(provenance.software(), snakemake.output.software)
io.write_json(provenance.machine(), snakemake.output.machine)
config, rows = snakemake.params.config, []
for name in config["generators"]:
    kind = registry.describe_kind(config, name)
    changed = ", ".join(f"{key} {value}" for key, value in registry.settings_of(config, name).items())
    variant = f"{kind.name} with {changed}: " if kind.name != name else ""
    rows.append({"name": name, "summary": variant + kind.summary, "reference": kind.source})
io.write_table(pd.DataFrame(rows), snakemake.output.generators)
