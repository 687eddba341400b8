"""Messages of docs/troubleshooting.md are those that the package gives."""

from __future__ import annotations

import ast
import re


def strings(source: str) -> str:
    """Text of all string literals of a module, the parts of f-strings included."""
    return "\n".join(
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def test_every_message_is_one_of_the_package(project_root):
    page = (project_root / "docs/troubleshooting.md").read_text(encoding="utf-8")
    before = page.partition("## The report")[0]
    messages = re.findall(r"^\| `([^`]+)` \|", before, re.M)
    package = "\n".join(
        strings(path.read_text(encoding="utf-8")) for path in project_root.glob("workflow/scripts/pseudocohort/**/*.py")
    )
    assert len(messages) > 15
    assert [message for message in messages if message not in package] == []
