"""Train one generator on each training set of a batch."""

from pathlib import Path

from pseudocohort.core import contracts, io, logs
from pseudocohort.generators.fit.batch import train_batch
from pseudocohort.plan.members import drawn_members

logs.configure(snakemake.log[0])
profiles = io.read_profiles(snakemake.input.profiles, contracts.HARMONISED)
donors = io.read_table(snakemake.input.donors, contracts.DONORS_COLUMNS)
train_batch(
    profiles,
    drawn_members(profiles.obs, donors, snakemake.params.drawn),
    snakemake.params.training_sets,
    Path(snakemake.output.models),
    generator=snakemake.params.kind,
    settings=snakemake.params.settings,
    seed=snakemake.params.seed,
    device=snakemake.params.device,
    checkpoints=Path(snakemake.params.checkpoints),
    checkpoint_minutes=snakemake.params.checkpoint_minutes,
    alignments=snakemake.params.alignments,
    scope=snakemake.params.scope,
    lengths=snakemake.params.lengths,
    together=snakemake.params.together,
)
