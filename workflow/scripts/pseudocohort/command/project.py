"""What the commands share that work on a study: the project's files, its configuration, a run of Snakemake."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .. import configuration, study
from ..core.errors import UserError
from ..core.io import check_writable

#: Most errors of a failed run that are repeated at its end.
SHOWN = 3
#: Root of the checkout in which the package lies.
ROOT = Path(__file__).resolve().parents[4]


def schemas() -> Path:
    """Folder of the schemas of a configuration.

    Raises
    ------
    UserError
        If the package does not lie in a checkout.
    """
    folder = ROOT / "workflow/schemas"
    if not folder.is_dir():
        raise UserError(
            "the workflow is not beside the package",
            where=str(ROOT),
            remedy="run the command in a checkout of the project: pip install -e . there",
        )
    return folder


def add_config(parser: argparse.ArgumentParser) -> None:
    """Arguments that change single keys of a configuration."""
    parser.add_argument(
        "--config", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="as for Snakemake"
    )
    parser.add_argument("--data-root", metavar="FOLDER", help="replaces {data_root} in the dataset sheet")


def setting(item: str, where: str = "--config") -> tuple[str, Any]:
    """``KEY=VALUE`` as Snakemake takes it."""
    key, equals, value = item.partition("=")
    if not equals or not key:
        raise UserError(f"{item!r} is not KEY=VALUE", where=where, remedy=f"e.g. {where} data_root=FOLDER")
    try:
        return key, yaml.safe_load(value)
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: of a date that is none
        raise UserError(f"{value!r} is no value", where=f"{where} {key}", remedy="put it in quotes") from error


def settings_of(items: list[str], where: str) -> dict[str, Any]:
    """Values of ``KEY=VALUE`` by key.

    Raises
    ------
    UserError
        If one is none, or a key is given twice.
    """
    out: dict[str, Any] = {}
    for item in items:
        key, value = setting(item, where)
        if key in out:
            raise UserError(f"{key!r} is given twice", where=where, remedy="give it once")
        out[key] = value
    return out


def merge(config: dict[str, Any], own: Mapping[str, Any], where: str) -> None:
    """Put keys over those of `config`, within maps as well.

    Raises
    ------
    UserError
        If a single value is given where there is a map.
    """
    for key, value in own.items():
        if isinstance(config.get(key), dict) and not isinstance(value, Mapping):
            raise UserError(
                f"{key!r} holds keys of its own, and {value!r} is given", where=where, remedy="see config/README.md"
            )
        if isinstance(config.get(key), dict):
            merge(config[key], value, where)
        else:
            config[key] = value


def read_config(files: list[Path], options: argparse.Namespace) -> dict[str, Any]:
    """Configuration of study files, the later over the earlier ones, and of the arguments of :func:`add_config`.

    Raises
    ------
    UserError
        If a file or an argument is wrong.
    """
    config: dict[str, Any] = {}
    for path in files:
        merge(config, study.read_study(path), str(path))
    for item in options.config:
        key, value = setting(item)
        merge(config, {key: value}, "--config")
    if options.data_root:
        config["data_root"] = options.data_root
    return configuration.complete(config, schemas())


def add_study(parser: argparse.ArgumentParser) -> None:
    """Arguments that say which study."""
    parser.add_argument(
        "study", nargs="+", type=Path, metavar="STUDY.yaml", help="study files; after --, options of Snakemake"
    )
    add_config(parser)


def add_run(parser: argparse.ArgumentParser) -> None:
    """Arguments of a run of Snakemake on a study."""
    add_study(parser)
    parser.add_argument("--cores", default="2", help="cores to use (default: 2)")
    parser.add_argument("-n", "--dry-run", action="store_true", help="show what would run")


def runs(options: argparse.Namespace) -> bool:
    """Whether Snakemake was asked to make something, not to show what would run, or to unlock the folder."""
    return not options.dry_run and not {"-n", "--dry-run", "--dryrun", "--unlock"} & set(options.rest)


def snakemake(options: argparse.Namespace, target: str, *further: str) -> int:
    """Check a study, and run Snakemake on it up to a target; its exit code, 1 for whatever is not 0.

    Raises
    ------
    UserError
        If the study is wrong, or its folder cannot be written to: both are checked before Snakemake starts.
    """
    config = read_config(options.study, options)
    if runs(options):
        check_writable(Path("results") / config["study"])
    configuration.check_study(config, schemas(), ROOT)
    changed = [*options.config, *([f"data_root={options.data_root}"] if options.data_root else [])]
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "workflow/Snakefile"), "--cores", options.cores,
        *(["--dry-run"] if options.dry_run else []), *further, *options.rest,
        "--configfile", *map(str, options.study), *(["--config", *changed] if changed else []), "--", target,
    ]  # fmt: skip
    start = time.time() - 0.1  # a file's time may lie a tick of the kernel behind
    if not wait_for(command):
        return 0
    for log, error in errors_since(Path("logs") / config["study"], start)[:SHOWN]:
        print(f"\nWhat went wrong ({log}):\n{error}", file=sys.stderr)
    return 1


def errors_since(logs: Path, start: float) -> list[tuple[Path, str]]:
    """Errors for people in the logs of a study that were written to since a time; the latest first.

    Snakemake prints them where the job fails, and much after them.
    """
    found = []
    files = [f for f in logs.rglob("*.log") if f.is_file() and f.stat().st_mtime >= start]
    for file in sorted(files, key=lambda f: f.stat().st_mtime, reverse=True):
        text = file.read_text(encoding="utf-8", errors="replace")
        _, said, error = text.rpartition(" ERROR \n")
        _, crashed, trace = text.rpartition(" CRITICAL uncaught ")
        if crashed:
            found.append((file, trace.strip().splitlines()[-1]))
        elif said:
            found.append((file, error.strip()))
    return found


def wait_for(command: list[str]) -> int:
    """Run a command; its exit code. Ctrl-C reaches it as well, and it is given the time to end by itself.

    Snakemake killed at once would leave the folder locked and unfinished files behind.
    """
    interrupted = False
    with subprocess.Popen(command) as process:
        while process.returncode is None:
            try:
                process.wait()
            except KeyboardInterrupt:
                interrupted = True
    if interrupted:
        raise KeyboardInterrupt
    return process.returncode
