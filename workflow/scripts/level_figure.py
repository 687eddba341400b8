"""Draw tissue, lines and tissue generated from lines."""

from typing import TYPE_CHECKING

from pseudocohort.core import contracts, io, logs
from pseudocohort.experiments.combination.figures.levels import draw
from pseudocohort.experiments.shared.style import save
from pseudocohort.generators.fit.synthetic_store import SyntheticStore
from pseudocohort.plan.members import with_split

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
settings, generator = snakemake.params.settings, snakemake.params.generator
profiles = io.read_profiles(snakemake.input.profiles, contracts.HARMONISED)
donors = io.read_table(snakemake.input.donors, contracts.DONORS_COLUMNS)
profiles.obs["condition"] = profiles.obs["condition"].astype(str).replace(settings["map"])
train = with_split(profiles.obs, donors)["split"] == "train"
shared = (train & profiles.obs["condition"].isin(settings["conditions"])).to_numpy()
tissue, lines = (
    profiles[shared & (profiles.obs["level"] == settings[name]).to_numpy()] for name in ("tissue_level", "cell_level")
)
alone = "comb-cell_only-k0-d0"
store = SyntheticStore(snakemake.input.synthetic)
save(draw(tissue, lines, settings["conditions"], store.get(alone), generator), snakemake.output.figure)
