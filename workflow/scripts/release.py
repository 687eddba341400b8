"""Write the release bundle, if the gate lets it."""

from pathlib import Path

from pseudocohort import __version__
from pseudocohort.core import contracts, io, logs
from pseudocohort.experiments.privacy.evidence import Bounds
from pseudocohort.generators.base.serialization import ledger_of
from pseudocohort.generators.fit.covariates import described
from pseudocohort.release import bundle, gate, inputs

logs.configure(snakemake.log[0])
given, params = snakemake.input, snakemake.params
generator = params.release["generator"]
tables = [io.read_table(path) for path in ([given.privacy] if isinstance(given.privacy, str) else given.privacy)]
profiles = io.read_profiles(given.profiles, contracts.HARMONISED)
synthetic = bundle.without_follow_up(io.read_profiles(given.synthetic, contracts.SYNTHETIC), described(profiles))
members = io.read_table(given.members, contracts.MEMBERS_COLUMNS)
own = members[(members["training_set"] == inputs.TRAINING_SET).to_numpy()]
trained = profiles[own.loc[(own["role"].astype(str) == "train").to_numpy(), "sample_id"].to_numpy()]
decision = gate.decide(
    tables[0] if tables else None,
    generator,
    bounds=Bounds.of(params.release),
    cohort=gate.Cohort.of(bundle.released(synthetic, inputs.TRAINING_SET, generator), trained),
    override=params.release["override"],
)
kinds = io.read_table(given.generators).fillna("").set_index("name")
software = io.read_table(given.software)
key = software[software["key"].astype(str).str.lower() == "true"]
bundle.write(
    snakemake.output.bundle,
    synthetic,
    decision,
    training_set=inputs.TRAINING_SET,
    members=members,
    ledger=ledger_of(Path(given.models) / inputs.TRAINING_SET / "model", params.kind),
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
