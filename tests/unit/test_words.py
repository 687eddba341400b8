"""Phrases that trip a reader stay out of code and documentation."""

from __future__ import annotations

import re
import subprocess

BANNED = (
    "told from" + " 0",
    "nobody a" + " member",
    "dressed" + " with",
    "mend what" + " they",
    "three" + " doors",
    "is no" + " knowledge",
    "the choice of the best of [^.]{0,40}? allowed" + " for",
)


def test_no_banned_phrase(project_root):
    files = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.rst", "*.smk", "*.html", "*.yaml"],
        cwd=project_root, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    files = files or [str(p.relative_to(project_root)) for p in project_root.glob("docs/*.md")]
    pattern = re.compile("|".join(BANNED), re.I)
    found = [
        f"{name}: {match.group()}"
        for name in files
        for match in pattern.finditer(" ".join((project_root / name).read_text(encoding="utf-8").split()))
    ]
    assert len(files) > 5 and not found, "\n".join(found)
