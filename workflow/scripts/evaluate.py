"""Score one generator (or the real data) in one experiment."""

import inspect
from typing import TYPE_CHECKING

from pseudocohort.core import contracts, io, logs
from pseudocohort.experiments.registry import describe
from pseudocohort.generators.fit.synthetic_store import SyntheticStore

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
given, name = snakemake.input, snakemake.wildcards.experiment
experiment = describe(name)
training_sets = io.read_table(given.training_sets, contracts.TRAINING_SETS_COLUMNS)
score, further = experiment.load(experiment.score), {}
if "inputs" in inspect.signature(score).parameters:
    own = {key for key, _ in given.items()} - {"profiles", "training_sets", "members", "synthetic"}
    further["inputs"] = {key: [given[key]] if isinstance(given[key], str) else list(given[key]) for key in own}
table = score(
    io.read_profiles(given.profiles, contracts.HARMONISED),
    SyntheticStore(given.synthetic),
    training_sets[training_sets["experiment"] == name],
    io.read_table(given.members, contracts.MEMBERS_COLUMNS),
    study=snakemake.params.study,
    generator=snakemake.wildcards.generator,
    settings=snakemake.params.settings,
    seed=snakemake.params.seed,
    **further,
)
io.write_evaluation(table, snakemake.output.table)
