"""Stop with instructions: the file needs a login, and is not there."""

from pathlib import Path

from pseudocohort.acquire.sources import ask_for_file
from pseudocohort.core import logs

logs.configure(snakemake.log[0])
ask_for_file(Path(snakemake.output[0]))
