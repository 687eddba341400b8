"""The demo's report in a real browser: no script errors, tables that sort, nothing fetched from elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pseudocohort.report import page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")

TABLE = """<table class="sortable"><thead><tr><th aria-sort="none">name</th><th aria-sort="none">value</th></tr></thead>
<tbody><tr><td data-sort="b">b</td><td data-sort="10">10</td></tr>
<tr><td data-sort="a">a</td><td data-sort="-2.5">-2.5</td></tr>
<tr><td data-sort="c">c</td><td data-sort="9">9</td></tr></tbody></table>"""


def dom(file: Path) -> str:
    """HTML after the page's scripts have run."""
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=3000",
            "--dump-dom",
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("clicks", "order"), [([1], ["-2.5", "9", "10"]), ([1, 1], ["10", "9", "-2.5"]), ([1, 0], ["a", "b", "c"])]
)
def test_tables_sort_by_number_and_by_text(tmp_path, clicks, order):
    script = (page.TEMPLATES / "sort.js").read_text()
    click = "".join(f"document.querySelectorAll('th')[{i}].click();" for i in clicks)
    column = clicks[-1]
    report = (
        f"document.title=[...document.querySelectorAll('tbody tr')].map(r=>r.cells[{column}].textContent).join('|')"
    )
    file = tmp_path / "t.html"
    file.write_text(f"<html><body>{TABLE}<script>{script}</script><script>{click}{report}</script></body></html>")
    assert f"<title>{'|'.join(order)}</title>" in dom(file)
