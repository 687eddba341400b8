"""Write requirements.lock and requirements-dev.lock: exact pins of everything that pyproject.toml asks for.

Usage: python tools/lock.py   (resolves with pip, installs nothing)
torch is pinned without a local version label, so that each machine gets its own build (CPU or CUDA).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TORCH = "torch==2.13.0"


def resolve(target: str) -> list[str]:
    """Pins of `target`, sorted, without the project itself."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        subprocess.run([*command, "--report", str(report), target, TORCH], check=True, cwd=ROOT)
        items = json.loads(report.read_text())["install"]
    pins = {item["metadata"]["name"].lower(): item["metadata"]["version"].split("+")[0] for item in items}
    pins.pop("pseudocohort")
    # CUDA libraries come with torch's own build for the machine, in the versions that it asks for.
    return [f"{name}=={pins[name]}" for name in sorted(pins) if not name.startswith(("nvidia-", "triton"))]


def main() -> None:
    """Resolve both lock files."""
    for target, name in ((".", "requirements.lock"), (".[dev]", "requirements-dev.lock")):
        header = (
            f"# Exact pins of {target}, made by tools/lock.py from pyproject.toml. Install: pip install -r {name}\n"
        )
        (ROOT / name).write_text(header + "\n".join(resolve(target)) + "\n")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
