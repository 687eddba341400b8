"""Score predictions of interventions, targets and translations against what is known."""

import logging
from functools import partial
from pathlib import Path

import pandas as pd

from pseudocohort.core import contracts, io, logs
from pseudocohort.experiments.interventions.score import REFUSAL_COLUMNS, interventions
from pseudocohort.experiments.interventions.truths import scores
from pseudocohort.generators.base import registry
from pseudocohort.generators.fit.inference import expected_given
from pseudocohort.intervene.regulons import read_graph
from pseudocohort.intervene.run import resolved

logs.configure(snakemake.log[0])
given, params = snakemake.input, snakemake.params
settings, tables, refusals = params.settings, [], pd.DataFrame(columns=list(REFUSAL_COLUMNS))
if "effects" in settings["truths"]:
    generators = {}
    for batch in map(Path, given.models):
        name = batch.parent.name
        kind = registry.get(params.kinds[name])
        own = registry.settings_of({"generator_settings": params.generator_settings}, name)
        if not kind.merge_settings(own).get("components", 1):
            logging.getLogger(name).info("works on the genes themselves and cannot clamp them")
            continue
        folder = min(path for path in batch.iterdir() if path.is_dir())  # the first repeat
        generators[name] = partial(expected_given, folder, generator=kind.name, seed=params.seed, device=params.device)
    result = interventions(
        io.read_profiles(given.profiles, contracts.HARMONISED),
        io.read_table(given.donors, contracts.DONORS_COLUMNS),
        read_graph(resolved(settings["graph"], params.root), settings["confidence"]),
        io.read_table(resolved(settings["truth"], params.root)),
        study=params.study,
        settings=settings,
        seed=params.seed,
        generators=generators,
    )
    tables, refusals = [result.table], result.refusals
# Profiles of all genes are the largest file of a study: they are read where they are needed.
if set(settings["truths"]) != {"effects"}:
    flows = [name for name, kind in params.kinds.items() if kind == "flow"]
    own = {"generator_settings": params.generator_settings}
    tables += scores(
        io.read_profiles(given.every_gene, contracts.HARMONISED),
        [io.read_profiles(path, contracts.PREPARED) for path in given.lines],
        settings,
        study=params.study,
        seed=params.seed,
        root=params.root,
        gene_sets=params.gene_sets,
        flow=registry.settings_of(own, flows[0]) if flows else None,
    )
io.write_evaluation(pd.concat(tables, ignore_index=True), snakemake.output.table)
io.write_table(refusals, snakemake.output.refusals)
