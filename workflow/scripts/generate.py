"""Sample what the plan asks of each model of a batch."""

from pathlib import Path

from pseudocohort.core import contracts, io, logs
from pseudocohort.generators.base.registry import get
from pseudocohort.generators.fit.covariates import described
from pseudocohort.generators.fit.inference import sample_batch
from pseudocohort.plan.members import drawn_members
from pseudocohort.plan.requests import request

logs.configure(snakemake.log[0])
profiles = io.read_profiles(snakemake.input.profiles, contracts.HARMONISED, backed=True)
donors = io.read_table(snakemake.input.donors, contracts.DONORS_COLUMNS)
asked = snakemake.params.asked
members = drawn_members(profiles.obs, donors, asked)
requests = {
    row["training_set"]: request(
        row,
        members[members["training_set"] == row["training_set"]],
        profiles.obs,
        asked["settings"],
        private=get(snakemake.params.kind).capabilities.private,
        covariates=described(profiles),
    )
    for row in asked["rows"]
}
synthetic = sample_batch(
    Path(snakemake.input.models),
    requests,
    profiles.var,
    generator=snakemake.params.kind,
    name=snakemake.wildcards.generator,
    seeds={row["training_set"]: row["seed"] for row in asked["rows"]},
    device=snakemake.params.device,
)
io.write_profiles(synthetic, snakemake.output.profiles, contracts.SYNTHETIC)
