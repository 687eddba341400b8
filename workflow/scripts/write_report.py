"""Write the report."""

import os
from pathlib import Path

from pseudocohort import __version__
from pseudocohort.core import contracts, io, logs
from pseudocohort.report import page
from pseudocohort.report.cost import costs
from pseudocohort.report.data_section import data_section, read_tables

logs.configure(snakemake.log[0])
given, config = snakemake.input, snakemake.params.config
docs = Path(snakemake.params.docs)
tables = read_tables(given)

html = page.render(
    config=config,
    verdicts=io.read_json(given.verdicts),
    summaries={Path(p).stem.removesuffix("_summary"): io.read_table(p) for p in given.summaries},
    figures={Path(p).stem: Path(p) for p in given.figures},
    data=data_section({Path(p).stem: io.read_json(p) for p in given.quality}, io.read_json(given.study), **tables),
    conditions=tables["conditions"],
    donors=io.read_table(given.donors, contracts.DONORS_COLUMNS),
    genes=io.read_table(given.genes),
    generators=io.read_table(given.generators).to_dict("records"),
    further=snakemake.params.further,
    software=io.read_table(given.software),
    machine=io.read_json(given.machine),
    cost=costs(Path(snakemake.params.benchmarks), config["generators"]),
    version=__version__,
    docs=os.path.relpath(docs, Path(snakemake.output.page).parent) if docs.is_dir() else "",
)
page.write(html, snakemake.output.page)
