"""Predict perturbations with each operator and compare them with the known do-effects."""

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pseudocohort.core import contracts, io, logs
from pseudocohort.experiments.interventions.score import interventions
from pseudocohort.generators.base import registry
from pseudocohort.generators.fit.inference import expected_given

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
generators = {}
for batch in map(Path, snakemake.input.models):
    name = batch.parent.name
    kind = registry.get(snakemake.params.kinds[name])
    settings = registry.settings_of({"generator_settings": snakemake.params.generator_settings}, name)
    if not kind.merge_settings(settings).get("components", 1):
        logging.getLogger(name).info("works on the genes themselves and cannot clamp them")
        continue
    folder = min(path for path in batch.iterdir() if path.is_dir())  # the first repeat
    generators[name] = partial(
        expected_given, folder, generator=kind.name, seed=snakemake.params.seed, device=snakemake.params.device
    )
result = interventions(
    io.read_profiles(snakemake.input.profiles, contracts.HARMONISED),
    io.read_table(snakemake.input.donors, contracts.DONORS_COLUMNS),
    io.read_table(snakemake.params.settings["graph"]),
    io.read_table(snakemake.params.settings["truth"]),
    study=snakemake.params.study,
    settings=snakemake.params.settings,
    seed=snakemake.params.seed,
    generators=generators,
)
io.write_evaluation(result.table, snakemake.output.table)
io.write_table(result.refusals, snakemake.output.refusals)
