"""Train one generator on each training set of a batch."""

from pathlib import Path

from pseudocohort.core import contracts, io, logs
from pseudocohort.generators.fit.batch import train_batch

logs.configure(snakemake.log[0])
members = io.read_table(snakemake.input.members, contracts.MEMBERS_COLUMNS)
train_batch(
    io.read_profiles(snakemake.input.profiles, contracts.HARMONISED),
    members[members["training_set"].isin(snakemake.params.training_sets)],
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
