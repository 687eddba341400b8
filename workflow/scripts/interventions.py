"""Predict perturbations with each operator and compare them with the known do-effects."""

from typing import TYPE_CHECKING

from pseudocohort import contracts, io, logs
from pseudocohort.evaluate.interventions import interventions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
result = interventions(
    io.read_profiles(snakemake.input.profiles, contracts.HARMONISED),
    io.read_table(snakemake.input.donors, contracts.DONORS_COLUMNS),
    io.read_table(snakemake.params.settings["graph"]),
    io.read_table(snakemake.params.settings["truth"]),
    study=snakemake.params.study,
    settings=snakemake.params.settings,
    seed=snakemake.params.seed,
)
io.write_evaluation(result.table, snakemake.output.table)
io.write_table(result.refusals, snakemake.output.refusals)
