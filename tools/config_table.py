"""Rewrite the parameter tables of config/README.md from the schemas and the plug-ins.

Usage: python tools/config_table.py [--check]   (--check only says whether the page is up to date)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

from pseudocohort.configuration import schema as config_schema

PAGE = ROOT / "config/README.md"
START, END = "<!-- {name}: made by tools/config_table.py -->", "<!-- end of {name} -->"


def _walk(schema: dict[str, Any], properties: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for key, entry in properties.items():
        if path + key == "generator_settings":  # docs/generators has a page for each
            entry = {k: v for k, v in entry.items() if k != "properties"}
        if "$ref" in entry:
            entry = {**schema["$defs"][entry["$ref"].rsplit("/", 1)[1]], **entry}
        yield path + key, entry
        yield from _walk(schema, entry.get("properties", {}), f"{path}{key}.")


def _allowed(entry: dict[str, Any]) -> str:
    values = entry.get("enum") or entry.get("items", {}).get("enum")
    if values:
        return ", ".join(map(str, values))
    kind = entry.get("type", "list" if "items" in entry else "")
    return kind if isinstance(kind, str) else " or ".join(kind)


def config_table() -> str:
    """Markdown table of every configuration key."""
    schema = config_schema(ROOT / "workflow/schemas")
    lines = ["| key | meaning | allowed | default |", "|---|---|---|---|"]
    for path, entry in _walk(schema, schema["properties"]):
        shown = f"`{json.dumps(entry['default'])}`" if "default" in entry else ""
        cells = [f"`{path}`", entry.get("description", ""), _allowed(entry), shown]
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return "\n".join(lines)


def sheet_table() -> str:
    """Markdown table of every column of the dataset sheet."""
    schema = yaml.safe_load((ROOT / "workflow/schemas/datasets.schema.yaml").read_text())
    lines = ["| column | needed | meaning | allowed |", "|---|---|---|---|"]
    for name, entry in schema["properties"].items():
        needed = "yes" if name in schema["required"] else ""
        allowed = ", ".join(map(str, entry.get("enum", []))) or entry.get("type", "")
        lines.append(f"| `{name}` | {needed} | {entry.get('description', '')} | {allowed} |")
    return "\n".join(lines)


def render(text: str) -> str:
    """`text` with both tables renewed between their markers."""
    for name, table in (("keys", config_table()), ("columns", sheet_table())):
        start, end = START.format(name=name), END.format(name=name)
        before, rest = text.split(start)
        text = f"{before}{start}\n{table}\n{end}{rest.split(end)[1]}"
    return text


if __name__ == "__main__":
    new = render(PAGE.read_text())
    if "--check" in sys.argv:
        sys.exit("config/README.md is out of date: run tools/config_table.py" if new != PAGE.read_text() else 0)
    PAGE.write_text(new)
