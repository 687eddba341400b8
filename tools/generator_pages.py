"""Write what plug-ins of generators say of themselves into the documentation.

Usage: python tools/generator_pages.py [--check]   (--check only says whether the pages are up to date)

Writes docs/generators/<name>.md, the table of generators in docs/methods.md and that of their settings in
config/README.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

from pseudocohort.core.settings import allowed
from pseudocohort.generators.base.description import Description
from pseudocohort.generators.base.registry import generators

PAGES = ROOT / "docs/generators"
MADE = "<!-- made by tools/generator_pages.py from the plug-in; edit that instead -->"
#: Capabilities in words.
ABILITIES = {
    "trained": "It is a network: training has a loss curve and checkpoints, and runs on a GPU where there is one.",
    "composition": "It can sample a condition at a level at which it was not seen.",
    "unlabeled": "It learns from profiles without a condition as well.",
    "mask": "Genes can be clamped: it draws, or expects, the others given them.",
    "covariates": "Its profiles carry the effects of covariates.",
    "private": "It is differentially private: a ledger counts all that is fitted.",
    "needs_public": "It needs public profiles (setting `public`).",
    "counts": "It learns from counts, and makes them.",
}


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def shown(value: Any) -> str:
    """A value as it is written in a configuration."""
    return f"`{json.dumps(value)}`"


def sentence(text: str) -> str:
    """`text` with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def page(described: Description) -> str:
    """Page of a generator."""
    can = [text for name, text in ABILITIES.items() if getattr(described.capabilities, name)]
    parts = [
        f"# `{described.name}`",
        MADE,
        sentence(described.summary),
        *(["It is a control: a floor or ceiling that other generators are read against."] if described.control else []),
        f"**Source.** {sentence(described.source)}",
        f"**Assumptions.** {described.assumptions}",
        f"**Limits.** {described.limits}",
        "\n".join(f"- {text}" for text in can),
    ]
    if described.all_settings:
        rows = [
            [f"`{name}`", setting.help, allowed(setting.schema), shown(setting.default)]
            for name, setting in described.all_settings.items()
        ]
        parts += [
            f"## Settings\n\n`generator_settings.{described.name}` of a study:",
            table(["setting", "meaning", "allowed", "default"], rows),
        ]
    else:
        parts.append("It has no settings.")
    for preset, values in described.presets.items():
        rows = [[f"`{name}`", shown(value), shown(described.defaults[name])] for name, value in values.items()]
        parts.append(f"`preset: {preset}` changes these defaults:")
        parts.append(table(["setting", preset, "tuned"], rows))
    return "\n\n".join(part for part in parts if part) + "\n"


def generator_table(up: str) -> str:
    """Table of all generators; `up` leads from its page to docs."""
    rows = [
        [f"[`{name}`]({up}generators/{name}.md)", sentence(described.summary), described.source]
        for name, described in generators().items()
    ]
    return table(["name", "model", "source"], rows)


def settings_table() -> str:
    """Table of all settings: one row for each meaning of a name, with the generators that have it."""
    found: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    for name, described in generators().items():
        for key, setting in described.all_settings.items():
            defaults = found.setdefault((key, setting.help, allowed(setting.schema)), {})
            defaults.setdefault(shown(setting.default), []).append(name)
    rows = [
        [f"`{key}`", meaning, values, "; ".join(f"{value}: {', '.join(names)}" for value, names in defaults.items())]
        for (key, meaning, values), defaults in sorted(found.items())
    ]
    return table(["setting", "meaning", "allowed", "default: generators"], rows)


def between(text: str, name: str, new: str) -> str:
    """`text` with what stands between the markers of `name` renewed."""
    start, end = f"<!-- {name}: made by tools/generator_pages.py -->", f"<!-- end of {name} -->"
    before, rest = text.split(start)
    return f"{before}{start}\n{new}\n{end}{rest.split(end)[1]}"


def wanted() -> dict[Path, str]:
    """Files of the documentation that depend on plug-ins, as they should be."""
    files = {PAGES / f"{name}.md": page(described) for name, described in generators().items()}
    methods, config = ROOT / "docs/methods.md", ROOT / "config/README.md"
    files[methods] = between(methods.read_text(encoding="utf-8"), "generators", generator_table(""))
    files[config] = between(config.read_text(encoding="utf-8"), "settings", settings_table())
    return files


def main() -> int:
    """Write the files, or say which of them are out of date."""
    files = wanted()
    left = [path for path in PAGES.glob("*.md") if path not in files]
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for path in [*stale, *left]:
            print(f"{path.relative_to(ROOT)} is out of date: run tools/generator_pages.py", file=sys.stderr)
        return int(bool(stale or left))
    PAGES.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(files[path], encoding="utf-8")
    for path in left:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
