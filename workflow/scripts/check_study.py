"""Compare the datasets of the study with each other: the same donors, labels, sources."""

from pathlib import Path

from pseudocohort.core import contracts, io, logs
from pseudocohort.prepare.study_checks import check_study

logs.configure(snakemake.log[0])
given, out = snakemake.input, snakemake.output
checked = check_study(
    [io.read_profiles(path, contracts.PREPARED, backed=True) for path in given.profiles],
    io.read_profiles(given.harmonised, contracts.HARMONISED),
    {Path(path).stem: io.read_json(path) for path in given.quality},
    io.read_table(given.donors, contracts.DONORS_COLUMNS),
    seed=snakemake.params.seed,
)
io.write_json(checked.report, out.report)
for name in ("conditions", "lines", "identity", "sources", "signal"):
    io.write_table(getattr(checked, name), out[name])
