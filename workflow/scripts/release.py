"""Write the release bundle, if the gate lets it."""

from typing import TYPE_CHECKING

from pseudocohort import __version__
from pseudocohort.core import contracts, io, logs
from pseudocohort.release import bundle, gate, inputs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
given, params = snakemake.input, snakemake.params
generator = params.release["generator"]
tables = [io.read_table(path) for path in ([given.privacy] if isinstance(given.privacy, str) else given.privacy)]
decision = gate.decide(
    tables[0] if tables else None,
    generator,
    max_auc_high=params.release["max_auc_high"],
    override=params.release["override"],
)
kinds = io.read_table(given.generators).fillna("").set_index("name")
software = io.read_table(given.software)
key = software[software["key"].astype(str).str.lower() == "true"]
bundle.write(
    snakemake.output.bundle,
    io.read_profiles(given.synthetic, contracts.SYNTHETIC),
    decision,
    training_set=inputs.TRAINING_SET,
    members=io.read_table(given.members, contracts.MEMBERS_COLUMNS),
    fidelity=io.read_table(given.fidelity),
    study=params.study,
    sources=params.sources,
    model={
        "generator": generator,
        "summary": kinds.loc[generator, "summary"],
        "reference": kinds.loc[generator, "reference"],
        "settings": params.settings,
        "code": params.generator_code,
    },
    software={
        "version": __version__,
        "commit": io.read_json(given.machine).get("commit", ""),
        "packages": dict(zip(key["package"], key["version"].astype(str), strict=True)),
    },
)
