"""The house: no import runs upwards, plug-ins are found by a scan, and nothing else names them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "workflow/scripts/pseudocohort"
#: Rooms from the ground up: a room imports from those before it, or from itself.
FLOORS = (
    "core",
    "acquire",
    "ingest",
    "prepare",
    "generators.base",
    "generators.space",
    "generators.engine",
    "generators.private",
    "generators.fit",
    "generators.models",
    "metrics",
    "intervene",
    "experiments",
    "plan",
    "release",
    "report",
    "referee",
    "study",
    "configuration",
    "api",
    "command",
    "__main__",
)


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.name != "__init__.py")


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Modules of the package that a file imports, where it runs them: not for type checks alone."""
    tree = ast.parse(path.read_text())
    typed = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    package = path.relative_to(PACKAGE).parent.parts
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and id(node) not in typed:
            base = package[: len(package) - node.level + 1]
            target = [*base, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                full = [*target, alias.name]
                whole = PACKAGE.joinpath(*full)
                is_module = whole.with_suffix(".py").exists() or (whole / "__init__.py").exists()
                found.add(".".join(full if is_module else target))
    return found


def floor(module: str) -> int:
    """Number of the floor that a module is on."""
    on = [i for i, room in enumerate(FLOORS) if module == room or module.startswith(f"{room}.")]
    assert on, f"{module} is in no room; add the room to FLOORS"
    return on[-1]


def test_no_import_runs_upwards():
    paths = modules()
    assert len(paths) > 150
    upwards = [
        f"{name_of(path)} imports {target}"
        for path in paths
        for target in imports(path)
        if target and floor(target) > floor(name_of(path))
    ]
    assert not upwards, "\n".join(upwards)


def test_there_is_no_circle():
    graph = {name_of(path): {t for t in imports(path) if t} for path in modules()}
    state: dict[str, int] = {}

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert state.get(module) != 1, f"circle: {' -> '.join([*path[path.index(module) :], module])}"
        if state.get(module) == 2:
            return
        state[module] = 1
        for target in graph.get(module, ()):
            if target != module:
                visit(target, (*path, module))
        state[module] = 2

    for module in graph:
        visit(module, ())
    assert len(state) > 150


def test_the_package_never_imports_snakemake():
    wrong = [name_of(p) for p in modules() if re.search(r"^\s*(import|from) snakemake\b", p.read_text(), re.M)]
    assert not wrong


def test_scans_need_neither_torch_nor_scipy():
    code = (
        "import sys; from pseudocohort.generators.base.registry import generators; "
        "from pseudocohort.experiments.registry import experiments; "
        "assert len(generators()) > 15 and len(experiments()) > 7; "
        "sys.exit(bool({'torch', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(PACKAGE.parent)}).returncode == 0


def plugin_names() -> dict[str, str]:
    """Names of plug-ins that are no common words, and the room that may mention them."""
    from pseudocohort.experiments.registry import experiments
    from pseudocohort.generators.base.registry import generators

    common = {"copy", "flow", "gan", "independent", "jitter", "mixup", "privacy", "fidelity", "augmentation"}
    common |= {"combination", "interventions"}
    names = dict.fromkeys(generators(), "generators/models") | dict.fromkeys(experiments(), "experiments")
    return {name: room for name, room in names.items() if name not in common}


@pytest.mark.parametrize("folder", ["workflow/scripts/pseudocohort", "workflow/rules", "workflow/schemas"])
def test_nothing_outside_of_a_plugin_mentions_its_name(folder, project_root):
    names, seen = plugin_names(), 0
    wrong = []
    for path in sorted((project_root / folder).rglob("*")):
        if path.suffix not in (".py", ".smk", ".yaml") or "__pycache__" in path.parts:
            continue
        seen += 1
        text = path.read_text()
        for name, room in names.items():
            inside = f"pseudocohort/{room}/" in path.as_posix() or "pseudocohort/experiments/" in path.as_posix()
            if not inside and re.search(rf"""["']{name}["']""", text):
                wrong.append(f"{path.relative_to(project_root)}: {name}")
    assert seen > 3
    assert not wrong, "\n".join(wrong)


def test_make_help_names_every_target(project_root):
    text = (project_root / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", text, re.M)[1].split()
    assert len(targets) > 20
    assert [name for name in targets if not re.search(rf"^# make {name} ", text, re.M)] == ["help"]
