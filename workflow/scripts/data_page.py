"""Write the data page: what entered the study, before anything is trained."""

from pathlib import Path

from pseudocohort import __version__
from pseudocohort.core import io, logs
from pseudocohort.report import page
from pseudocohort.report.data_section import data_section, read_tables, render_page

logs.configure(snakemake.log[0])
given = snakemake.input
section = data_section(
    {Path(path).stem: io.read_json(path) for path in given.quality}, io.read_json(given.study), **read_tables(given)
)
page.write(render_page(section, snakemake.params.title, __version__), snakemake.output.page)
