"""Stop with instructions: the file needs a login, and is not there."""

from pathlib import Path
from typing import TYPE_CHECKING

from pseudocohort.acquire.sources import ask_for_file
from pseudocohort.core import logs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

logs.configure(snakemake.log[0])
ask_for_file(Path(snakemake.output[0]))
