"""Answer the questions of the configuration, a table and a page each."""

from pseudocohort.core import contracts, io, logs
from pseudocohort.intervene.run import answers, study_of
from pseudocohort.intervene.write import write

logs.configure(snakemake.log[0])
params = snakemake.params
profiles = io.read_profiles(snakemake.input.profiles, contracts.HARMONISED, backed=True)
lines = [io.read_profiles(path, contracts.PREPARED) for path in snakemake.input.lines]
study = study_of(profiles, params.settings, seed=params.seed, root=params.root)
write(
    answers(study, params.settings, root=params.root, gene_sets=params.gene_sets, lines=lines),
    snakemake.output.folder,
    study=params.title,
    simulated=params.simulated,
)
