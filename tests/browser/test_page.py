"""The report in a real browser without network: nothing fails, nothing is asked for, everything that it offers works.

The page is that of ``tests/support/reports.py``, whose title, dataset and labels try to break out of the HTML.
axe.min.js is axe-core 4.14.1 (MPL-2.0, axe.LICENSE).
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import BROWSER, Chromium
from PIL import Image
from support.reports import CONFIG, TABLES, whole_page

from pseudocohort.experiments.shared.verdicts import verdicts
from pseudocohort.report.studies import render_studies

pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
HERE = Path(__file__).parent
SIZES = [(1280, 900), (390, 800)]
TABLE = "document.querySelector('#augmentation table.sortable')"


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """The report of small tables."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text(whole_page(folder), encoding="utf-8")
    return folder / "index.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as tab:
        yield tab


@pytest.fixture
def tab(browser, page) -> Chromium:
    browser.open(page)
    return browser


@pytest.fixture
def saved(browser, tmp_path):
    """What a script saves as a file."""
    browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))

    def run(script: str, name: str) -> Path:
        browser.run(script)
        for _ in range(600):
            if (tmp_path / name).is_file():
                return tmp_path / name
            time.sleep(0.1)
        raise AssertionError(f"{name} was not saved: {[p.name for p in tmp_path.iterdir()]}")

    return run


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_error_no_request_no_overflow(browser, page, width, height, dark):
    browser.open(page, width=width, height=height, dark=dark)
    browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]
    assert browser.run("document.documentElement.scrollWidth") == width
    assert browser.run("document.title") == "<script>alert(1)</script> · pseudocohort"


def test_the_browser_has_no_network_and_complaints_are_heard(browser, tmp_path):
    (tmp_path / "bad.html").write_text(
        "<script src='http://127.0.0.1:9/x.js'></script><script>console.error(1); x</script>"
    )
    browser.open(tmp_path / "bad.html")
    assert len(browser.requests()) == 2
    assert any("ERR_INTERNET_DISCONNECTED" in c for c in browser.complaints())
    assert any("ReferenceError" in c for c in browser.complaints())


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_axe_finds_nothing_serious(browser, page, width, height, dark):
    browser.open(page, width=width, height=height, dark=dark)
    browser.run((HERE / "axe.min.js").read_text(encoding="utf-8"))
    browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    found = browser.run(
        "axe.run(document).then((r) => ({passed: r.passes.map((p) => p.id), failed: r.violations.map((v) => "
        "[v.impact, v.id, v.nodes[0].html])}))"
    )
    assert {"color-contrast", "button-name", "scrollable-region-focusable"} <= set(found["passed"])
    assert [v for v in found["failed"] if v[0] in ("serious", "critical")] == []


def test_dark_and_light_follow_the_system_until_the_reader_chooses(browser, page):
    paper = "getComputedStyle(document.body).backgroundColor"
    browser.open(page, dark=True)
    dark = browser.run(paper)
    browser.open(page, dark=False)
    light = browser.run(paper)
    assert light == "rgb(255, 255, 255)" != dark
    switch = "document.querySelector('#page-tools button:last-child').click()"
    browser.run(switch)
    assert browser.run(paper) == dark
    browser.run(switch)
    assert browser.run(paper) == light
    browser.run("localStorage.clear()")


def test_hostile_names_are_text(tab):
    assert tab.run("document.querySelectorAll('main b, main i').length") == tab.run(
        "document.querySelectorAll('.advice b, .checks b').length"
    )
    assert tab.run("document.querySelectorAll('script').length") == 1
    assert "<b>x</b>" in tab.run("document.querySelector('#data').textContent")


def column(tab: Chromium, number: int) -> list[str]:
    """Sort keys of a column of the first table of augmentation, in the order shown."""
    return tab.run(f"[...{TABLE}.tBodies[0].rows].map((r) => r.cells[{number}].dataset.sort)")


def test_tables_sort_by_number_and_by_text_with_the_keyboard_as_well(tab):
    tab.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    heads = tab.run(f"[...{TABLE}.tHead.rows[0].cells].map((c) => c.textContent)")
    number, text = heads.index("Balanced accuracy"), heads.index("Generator")
    before = column(tab, number)
    tab.run(f"{TABLE}.tHead.rows[0].cells[{number}].querySelector('button').focus()")
    tab.press("Enter")
    up = [float(v) for v in column(tab, number)]
    assert up == sorted(map(float, before)) and up != list(map(float, before))
    assert tab.run(f"{TABLE}.tHead.rows[0].cells[{number}].getAttribute('aria-sort')") == "ascending"
    tab.press("Enter")
    assert [float(v) for v in column(tab, number)] == up[::-1]
    tab.run(f"{TABLE}.tHead.rows[0].cells[{text}].querySelector('button').click()")
    assert column(tab, text) == sorted(column(tab, text))
    gain = heads.index("Gain")  # real profiles alone have none
    for _ in range(2):
        tab.run(f"{TABLE}.tHead.rows[0].cells[{gain}].querySelector('button').click()")
        missing = [float(v) == -1e9 for v in column(tab, gain)]
        assert any(missing) and missing == sorted(missing), "empty cells are last in both directions"


def test_tables_filter_and_download_what_is_shown(tab, saved):
    tools = f"{TABLE}.parentElement.previousElementSibling"
    total = tab.run(f"{TABLE}.tBodies[0].rows.length")
    tab.run(
        f"{{ const i = {tools}.querySelector('input'); i.value = 'ddpm oracle'; i.dispatchEvent(new Event('input')); }}"
    )
    shown = tab.run(f"[...{TABLE}.tBodies[0].rows].filter((r) => !r.hidden).map((r) => r.textContent)")
    assert 0 < len(shown) < total and all("ddpm" in row and "oracle" in row for row in shown)
    assert tab.run(f"{tools}.querySelector('[role=status]').textContent") == f"{len(shown)} of {total} rows"
    heads = tab.run(f"[...{TABLE}.tHead.rows[0].cells].map((c) => c.textContent)")
    for i, (kind, dialect) in enumerate((("tsv", "excel-tab"), ("csv", "excel"))):
        file = saved(f"{tools}.querySelectorAll('button')[{i}].click()", f"augmentation.{kind}")
        rows = list(csv.reader(file.open(encoding="utf-8", newline=""), dialect=dialect))
        assert rows[0] == heads and len(rows) == 1 + len(shown) and {len(row) for row in rows} == {len(heads)}
        assert any("[" in cell and "," in cell for cell in rows[1])


def test_figures_are_saved_as_svg_and_png_in_light_colours(browser, page, saved):
    browser.open(page, dark=True)
    figure = "document.querySelector('#figure-fidelity')"
    svg = saved(f"{figure}.querySelectorAll('.tools button')[0].click()", "fidelity.svg").read_text(encoding="utf-8")
    assert svg.startswith("<svg") and "var(" not in svg and "#1d2430" in svg
    png = Image.open(saved(f"{figure}.querySelectorAll('.tools button')[1].click()", "fidelity.png")).convert("RGB")
    assert png.width > 1000 and png.getpixel((3, 3)) == (255, 255, 255) and len(png.getcolors(1 << 24)) > 20
    assert browser.complaints() == []


def test_search_finds_opens_and_steps_through_what_it_finds(tab):
    tab.run("{ const i = document.querySelector('#page-tools input'); i.focus(); i.value = 'seen all training';"
            "i.dispatchEvent(new Event('input')); }")  # fmt: skip
    count = "document.querySelector('#page-tools [role=status]').textContent"
    first, total = map(int, tab.run(count).split(" of "))
    assert first == 1 and total >= 1 and tab.run("CSS.highlights.get('found').size") == total
    where = "[...CSS.highlights.get('now')][0]"
    assert tab.run(f"{where}.toString().toLowerCase()") == "seen all training"
    assert tab.run(f"{where}.startContainer.parentElement.closest('details').open")
    assert 0 <= tab.run(f"{where}.getBoundingClientRect().top") < 900
    tab.press("Enter")
    assert tab.run(count) == f"{2 if total > 1 else 1} of {total}"


def test_the_contents_follow_the_reader(tab):
    marked = "[...document.querySelectorAll('nav [aria-current]')].map((a) => a.hash).join()"
    assert tab.run(marked) == "#answers"
    for section in ("privacy", "fidelity", "provenance"):
        tab.run(f"document.querySelector('#{section}').scrollIntoView()")
        tab.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert tab.run(marked) == f"#{section}"


def test_paper_has_every_closed_part(tab):
    tab.run("dispatchEvent(new Event('beforeprint'))")
    assert tab.run("document.querySelectorAll('details:not([open])').length") == 0
    tab.send("Emulation.setEmulatedMedia", media="print")
    assert tab.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    tab.send("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_page_of_studies(browser, tmp_path, width, height):
    asked = verdicts(TABLES, CONFIG)["questions"]
    about = {"simulated": True, "questions": asked, "page": "a/report/index.html"}
    studies = [{"study": name, "title": f"<b>{name}</b>", **about} for name in ("a", "b")]
    (tmp_path / "index.html").write_text(render_studies(studies, "0"), encoding="utf-8")
    browser.open(tmp_path / "index.html", width=width, height=height)
    assert browser.complaints() == [] and len(browser.requests()) == 1
    assert browser.run("document.documentElement.scrollWidth") == width
    assert browser.run("[...document.querySelectorAll('tbody th')].map((h) => h.innerText.split('\\n')[0].trim())") == [
        "<b>a</b> simulated", "<b>b</b> simulated",
    ]  # fmt: skip
    browser.run((HERE / "axe.min.js").read_text(encoding="utf-8"))
    failed = browser.run("axe.run(document).then((r) => r.violations.map((v) => [v.impact, v.id]))")
    assert [v for v in failed if v[0] in ("serious", "critical")] == []
