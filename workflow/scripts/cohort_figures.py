"""Draw the map of real and synthetic profiles, and the loss curves."""

from pathlib import Path
from typing import TYPE_CHECKING

from pseudocohort.core import contracts, io, logs
from pseudocohort.experiments.fidelity.figures import map as profile_map
from pseudocohort.experiments.fidelity.figures import training
from pseudocohort.experiments.shared.style import save
from pseudocohort.generators.fit.synthetic_store import SyntheticStore

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
first = "full-r0"
members = io.read_table(snakemake.input.members, contracts.MEMBERS_COLUMNS)
members = members[(members["training_set"] == first).to_numpy()]
train = members.loc[(members["role"] == "train").to_numpy(), "sample_id"].astype(str).tolist()
profiles = io.read_profiles(snakemake.input.profiles, contracts.HARMONISED)
synthetic = {Path(path).parent.name: SyntheticStore([path])[first] for path in snakemake.input.synthetic}
levels = sorted(profiles[train].obs["level"].astype(str).unique())
save(profile_map.draw(profiles, synthetic, train, levels), snakemake.output.map)
curves = {Path(path).parent.name: Path(path) / first / "history.tsv" for path in snakemake.input.models}
save(training.draw({name: io.read_table(path) for name, path in curves.items()}), snakemake.output.training)
