"""Draw tissue, lines and tissue generated from lines."""

from typing import TYPE_CHECKING

from pseudocohort import contracts, io, logs
from pseudocohort.generators.store import SyntheticStore
from pseudocohort.plan.members import with_split
from pseudocohort.report.figures.levels import draw
from pseudocohort.report.figures.style import save

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
