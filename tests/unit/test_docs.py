"""Links, anchors, tables, targets of make and settings of the documentation exist; its example of a sheet is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pseudocohort.configuration import schema
from pseudocohort.study import read_datasets

PAGES = ("README.md", "CONTRIBUTING.md", "config/README.md", "profiles/README.md", "resources/README.md")


@pytest.fixture(scope="module")
def pages(project_root) -> dict[Path, str]:
    """Text of each page, by its path."""
    paths = [project_root / name for name in PAGES] + sorted(project_root.glob("docs/**/*.md"))
    return {path: path.read_text(encoding="utf-8") for path in paths}


def anchors(text: str) -> set[str]:
    """Anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def test_every_link_leads_somewhere(pages):
    lost = []
    for page, text in pages.items():
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if link.startswith(("http", "mailto")):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
                lost.append(f"{page.name}: {link}")
    assert lost == []


def test_no_row_stands_outside_its_table(pages):
    """A blank line ends a table: rows after it are shown as text."""
    loose = []
    for page, text in pages.items():
        for block in re.split(r"\n\s*\n", re.sub(r"```.*?```", "", text, flags=re.S)):
            rows = [line for line in block.strip().splitlines() if line.lstrip().startswith("|")]
            if rows and not any(re.fullmatch(r"\s*\|[\s:|-]+\|", row) for row in rows):
                loose.append(f"{page.name}: {rows[0][:60]}")
    assert loose == []


def test_targets_of_make_and_settings_exist(pages, project_root):
    targets = set(re.findall(r"^([a-z-]+):", (project_root / "Makefile").read_text(), re.M))
    known = schema(project_root / "workflow/schemas")["properties"]
    wrong = []
    for page, text in pages.items():
        for name in re.findall(r"(?:`|^)make ([a-z][a-z-]*[a-z])(?=[` \n])", text, re.M):
            wrong += [f"{page.name}: make {name}"] if name not in targets else []
        for section, key in re.findall(r"`([a-z_]+)\.([a-z_]+)[`.:]", text):
            keys = known.get(section, {}).get("properties", {})
            if keys and key not in keys and key not in ("yaml", "tsv", "py"):  # names of files
                wrong.append(f"{page.name}: {section}.{key}")
    assert wrong == []


def test_the_example_of_a_sheet_is_read(project_root, tmp_path):
    text = (project_root / "docs/extending.md").read_text(encoding="utf-8")
    found = re.search(r"^ *(dataset\t.*)\n *(mine\t.*)$", text, re.M)
    (tmp_path / "sheet.tsv").write_text(f"{found[1]}\n{found[2]}\n")
    rows = read_datasets(
        {"datasets": ["mine"], "datasets_sheet": str(tmp_path / "sheet.tsv")},
        project_root / "workflow/schemas/datasets.schema.yaml",
    )
    assert rows["mine"]["unit"] == "counts" and rows["mine"]["samples"] == "samples.csv"


def test_every_command_is_on_the_page_about_usage(project_root):
    page = (project_root / "docs/usage.md").read_text(encoding="utf-8")
    folder = project_root / "workflow/scripts/pseudocohort/command"
    listed = re.findall(r"^    \"(\w+)\": ", (folder / "main.py").read_text(), re.M)
    assert len(listed) > 5 and [name for name in listed if f"`pseudocohort {name} " not in page] == []
