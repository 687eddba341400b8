"""Sample what the plan asks of each model of a batch."""

from pathlib import Path

from pseudocohort.core import contracts, io, logs
from pseudocohort.generators.base.registry import get
from pseudocohort.generators.fit.covariates import described
from pseudocohort.generators.fit.inference import sample_batch
from pseudocohort.plan.requests import request

logs.configure(snakemake.log[0])
profiles = io.read_profiles(snakemake.input.profiles, contracts.HARMONISED, backed=True)
sets = io.read_table(snakemake.input.training_sets, contracts.TRAINING_SETS_COLUMNS).set_index(
    "training_set", drop=False
)
members = io.read_table(snakemake.input.members, contracts.MEMBERS_COLUMNS)
requests = {
    name: request(
        sets.loc[name].to_dict(),
        members[members["training_set"] == name],
        profiles.obs,
        snakemake.params.config,
        private=get(snakemake.params.kind).capabilities.private,
        covariates=described(profiles),
    )
    for name in snakemake.params.training_sets
}
synthetic = sample_batch(
    Path(snakemake.input.models),
    requests,
    profiles.var,
    generator=snakemake.params.kind,
    name=snakemake.wildcards.generator,
    seeds=sets["seed"].to_dict(),
    device=snakemake.params.device,
)
io.write_profiles(synthetic, snakemake.output.profiles, contracts.SYNTHETIC)
