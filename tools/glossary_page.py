"""Write docs/glossary.md from the terms of the report.

Usage: python tools/glossary_page.py [--check]   (--check only says whether the page is up to date)
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

from pseudocohort.report.glossary import markdown

PAGE = ROOT / "docs/glossary.md"

if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == markdown() else f"{PAGE} is out of date")
    PAGE.write_text(markdown(), encoding="utf-8")
