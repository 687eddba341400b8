"""Write the page of all studies."""

from pathlib import Path

from pseudocohort import __version__
from pseudocohort.core import logs
from pseudocohort.report import page
from pseudocohort.report.studies import finished, render_studies

logs.configure(snakemake.log[0])
target = Path(snakemake.output.page)
page.write(render_studies(finished(target.parent), __version__), target)
