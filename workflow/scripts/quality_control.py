"""Map gene ids and remove or flag poor cells and samples."""

from pseudocohort.core import contracts, io, logs
from pseudocohort.prepare.cell_lines import LineNames, read_line_names
from pseudocohort.prepare.gene_table import load_gene_table
from pseudocohort.prepare.quality import control_cells, control_samples

logs.configure(snakemake.log[0])
row, out = snakemake.params.row, snakemake.output
settings = {name: snakemake.params[name] for name in ("cell_quality", "sample_quality", "gene_duplicates", "seed")}
aliases = snakemake.input.get("lines")
settings["lines"] = read_line_names(aliases) if aliases else LineNames()
genes = load_gene_table(snakemake.input.genes)
ingested = io.read_profiles(snakemake.input.profiles, contracts.INGESTED, backed=True)
if row["kind"] == "single_cell":
    report = control_cells(ingested, row, settings, genes, out.profiles)
else:
    profiles, report = control_samples(ingested, row, settings, genes)
    io.write_profiles(profiles, out.profiles, contracts.PREPARED)
io.write_json(report, out.report)
