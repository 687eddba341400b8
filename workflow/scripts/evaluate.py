"""Score some generators, or the real data, in one experiment."""

import logging
from typing import Any

import pandas as pd
import sklearn

from pseudocohort.core import contracts, io, logs
from pseudocohort.experiments.registry import describe
from pseudocohort.experiments.shared.inputs import ScoreInputs
from pseudocohort.generators.fit.synthetic_store import SyntheticStore

logs.configure(snakemake.log[0])
sklearn.set_config(skip_parameter_validation=True)  # thousands of small fits, whose settings are ours
given, name = snakemake.input, snakemake.wildcards.experiment
files = {key: [given[key]] if isinstance(given[key], str) else list(given[key]) for key, _ in given.items()}
profiles = io.read_profiles(given.profiles, contracts.HARMONISED)
training_sets = io.read_table(given.training_sets, contracts.TRAINING_SETS_COLUMNS)
members = io.read_table(given.members, contracts.MEMBERS_COLUMNS)
experiment = describe(name)
score, tables = experiment.load(experiment.score), []
shared: dict[str, Any] = {}
for generator in snakemake.params.generators:
    logging.info("scoring %s", generator)
    own = {key.split(".", 1)[1]: paths for key, paths in files.items() if key.startswith(f"{generator}.")}
    tables.append(
        score(
            ScoreInputs(
                profiles,
                SyntheticStore(own.pop("synthetic", [])),
                training_sets[training_sets["experiment"] == name],
                members,
                study=snakemake.params.study,
                generator=generator,
                settings=snakemake.params.settings,
                seed=snakemake.params.seed,
                files=own,
                shared=shared,
            )
        )
    )
io.write_evaluation(pd.concat(tables, ignore_index=True), snakemake.output.table)
