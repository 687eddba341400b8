"""Score one generator (or the real data) in one evaluation."""

import importlib
from typing import TYPE_CHECKING

import pandas as pd

from pseudocohort.core import contracts, io, logs
from pseudocohort.generators.fit.synthetic_store import SyntheticStore
from pseudocohort.plan.enumerate import PURPOSE_OF_EVALUATION

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
evaluation, generator = snakemake.wildcards.evaluation, snakemake.wildcards.generator
score = getattr(importlib.import_module(f"pseudocohort.experiments.{evaluation}.score"), evaluation)
training_sets = io.read_table(snakemake.input.training_sets, contracts.TRAINING_SETS_COLUMNS)
further = {}
if snakemake.input.signals:
    parts = {kind: [f for f in snakemake.input.signals if f.endswith(kind)] for kind in (".tsv", ".json")}
    further["signals"] = pd.concat([io.read_table(f, contracts.SIGNALS_COLUMNS) for f in parts[".tsv"]])
    further["ledgers"] = {name: ledger for f in parts[".json"] for name, ledger in io.read_json(f).items()}
table = score(
    io.read_profiles(snakemake.input.profiles, contracts.HARMONISED),
    SyntheticStore(snakemake.input.synthetic),
    training_sets[training_sets["purpose"] == PURPOSE_OF_EVALUATION[evaluation]],
    io.read_table(snakemake.input.members, contracts.MEMBERS_COLUMNS),
    study=snakemake.params.study,
    generator=generator,
    settings=snakemake.params.settings,
    seed=snakemake.params.seed,
    **further,
)
io.write_evaluation(table, snakemake.output.table)
