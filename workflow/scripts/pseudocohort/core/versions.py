"""Digest of the code behind a rule, so that editing a module re-plans exactly the rules that run it.

What a file says (its digest and its imports) is kept beside Python's own byte code and read again only where the file
changed: every job of a cluster starts Snakemake, which asks for the digests of all rules.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
#: Seconds after a change in which a file's time does not tell whether it changed again (some file systems count in
#: whole seconds).
SETTLED = 2.0


def _file(module: str) -> Path | None:
    path = PACKAGE.joinpath(*module.split(".")) if module else PACKAGE
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


class _Known:
    """What the files of a package say, kept on disk between runs."""

    def __init__(self, package: Path) -> None:
        self.package = package
        self.kept = package / "__pycache__" / f"code_versions.{sys.implementation.cache_tag}.json"
        self.files: dict[str, dict[str, Any]] = {}
        self.changed = False
        with suppress(OSError, ValueError, TypeError):
            self.files = dict(json.loads(self.kept.read_text(encoding="utf-8")))

    def of(self, file: Path) -> dict[str, Any]:
        """``code`` (digest), ``imports`` (level, module, names) and ``scans`` of a file."""
        stat, name = file.stat(), file.relative_to(self.package).as_posix()
        stamp = [stat.st_mtime_ns, stat.st_size]
        found = self.files.get(name)
        if not (isinstance(found, dict) and found.get("stamp") == stamp):
            found = {"stamp": stamp, **_read(file)}
            if time.time() - stat.st_mtime > SETTLED:
                self.files[name], self.changed = found, True
        return found

    def keep(self) -> None:
        """Write what is new; where that is not allowed, the next run reads the files again."""
        if not self.changed or sys.dont_write_bytecode:
            return
        self.changed = False
        with suppress(OSError):
            self.kept.parent.mkdir(exist_ok=True)
            temporary = self.kept.with_suffix(f".{os.getpid()}")
            temporary.write_text(json.dumps(self.files), encoding="utf-8")
            temporary.replace(self.kept)


@cache
def _known(package: Path) -> _Known:
    return _Known(package)


def _read(file: Path) -> dict[str, Any]:
    """What a file says. Comments, docstrings and the texts of errors do not count."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imports, scans = [], False
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            imports.append([node.level, node.module or "", [alias.name for alias in node.names]])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "scan" and node.args:
            scans |= isinstance(node.args[0], ast.Name) and node.args[0].id == "__name__"
    code = hashlib.sha256(ast.dump(_Bare().visit(tree)).encode()).hexdigest()
    return {"code": code, "imports": imports, "scans": scans}


def _imports(module: str, file: Path, said: dict[str, Any]) -> Iterator[str]:
    """Modules of the package that `module` imports (relative imports, at any depth of the file)."""
    is_package = file.name == "__init__.py"
    if is_package and said["scans"]:  # a package that scans itself depends on the plug-ins that it finds
        yield from (f"{module}.{path.stem}" for path in file.parent.glob("*.py") if path.stem[0] != "_")
    parts = module.split(".") if module else []
    for level, source, names in said["imports"]:
        base = parts[: len(parts) - level + (1 if is_package else 0)]
        target = [*base, *(source.split(".") if source else [])]
        for alias in names:
            name = ".".join([*target, alias])
            yield name if _file(name) else ".".join(target)


@cache
def code_version(*modules: str) -> str:
    """Digest of `modules` (dotted, relative to the package) and of everything in the package that they import.

    Comments, docstrings and the texts of errors do not count.

    Raises
    ------
    ValueError
        If a module does not exist.
    """
    for module in modules:
        if _file(module) is None:
            raise ValueError(f"no module {module!r} in the package")
    known, digest = _known(PACKAGE), hashlib.sha256()
    seen: dict[str, str] = {}
    todo = list(modules)
    while todo:
        module = todo.pop()
        if module not in seen and (file := _file(module)):
            said = known.of(file)
            seen[module] = said["code"]
            todo.extend(_imports(module, file, said))
    for module, code in sorted(seen.items()):
        digest.update(f"{module}\0{code}".encode())
    known.keep()
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


def folder_version(folder: Path) -> str:
    """Digest of the files directly in a folder."""
    digest = hashlib.sha256()
    for file in sorted(f for f in folder.iterdir() if f.is_file()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
