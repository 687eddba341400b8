"""Read from each model of a batch what it knows of the candidates, and its privacy ledger."""

from pathlib import Path

from pseudocohort.core import contracts, io, logs
from pseudocohort.generators.fit.inference import signals_batch

logs.configure(snakemake.log[0])
signals, ledgers = signals_batch(
    Path(snakemake.input.models),
    io.read_profiles(snakemake.input.profiles, contracts.HARMONISED),
    io.read_table(snakemake.input.members, contracts.MEMBERS_COLUMNS),
    snakemake.params.training_sets,
    generator=snakemake.params.kind,
    device=snakemake.params.device,
)
io.write_table(signals, snakemake.output.signals)
io.write_json(ledgers, snakemake.output.ledgers)
