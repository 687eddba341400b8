"""Digest of the code behind a rule, so that editing a module re-plans exactly the rules that run it."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def _file(module: str) -> Path | None:
    path = PACKAGE.joinpath(*module.split(".")) if module else PACKAGE
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _imports(module: str) -> frozenset[str]:
    """Modules of the package that `module` imports (relative imports, at any depth of the file)."""
    file = _file(module)
    if file is None:
        return frozenset()
    is_package = file.name == "__init__.py"
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if is_package and isinstance(node, ast.Call) and ast.unparse(node).startswith("scan(__name__"):
            # A package that scans itself depends on the plug-ins that it finds.
            found |= {f"{module}.{path.stem}" for path in file.parent.glob("*.py") if path.stem[0] != "_"}
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        parts = module.split(".") if module else []
        base = parts[: len(parts) - node.level + (1 if is_package else 0)]
        target = [*base, *(node.module.split(".") if node.module else [])]
        for alias in node.names:
            name = ".".join([*target, alias.name])
            found.add(name if _file(name) else ".".join(target))
    return frozenset(found)


@cache
def code_version(*modules: str) -> str:
    """Digest of `modules` (dotted, relative to the package) and of everything in the package that they import.

    Comments, docstrings and the texts of errors do not count.

    Raises
    ------
    ValueError
        If a module does not exist.
    """
    seen: set[str] = set()
    todo = list(modules)
    for module in modules:
        if _file(module) is None:
            raise ValueError(f"no module {module!r} in the package")
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo.extend(_imports(module))
    digest = hashlib.sha256()
    for module in sorted(seen):
        if file := _file(module):
            digest.update(module.encode() + b"\0" + _code(file.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:12]


class _Bare(ast.NodeTransformer):
    """Takes out what changes no number: docstrings, and the texts of errors."""

    def _body(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body = node.body[1:]
        return node

    visit_Module = visit_ClassDef = visit_FunctionDef = visit_AsyncFunctionDef = _body

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                part.value = ""
        return node


@cache
def _code(text: str) -> str:
    """The code of a module without comments, layout, docstrings and the texts of errors."""
    return ast.dump(_Bare().visit(ast.parse(text)))


def folder_version(folder: Path) -> str:
    """Digest of the files directly in a folder."""
    digest = hashlib.sha256()
    for file in sorted(f for f in folder.iterdir() if f.is_file()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
