"""Arguments, errors and exit codes of the command."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import logging
import os
import sys

from .. import __version__
from ..core.errors import UserError, of_the_system
from ..core.logs import FORMAT

PACKAGE = __package__.rpartition(".")[0]
#: Commands, the modules that have them, and what they do.
COMMANDS = {
    "check": ("command.check", "show what of a dataset would enter a study"),
    "plan": ("command.plan", "show what a study would download and train"),
    "fit": ("command.fit", "fit a generator to a file of profiles and store it"),
    "sample": ("command.sample", "draw synthetic profiles from a stored cohort"),
    "audit": ("referee.command", "test any synthetic cohort: likeness, use and privacy"),
    "intervene": ("command.intervene", "answer a study's questions about interventions and targets"),
    "report": ("command.report", "run a study, up to its report"),
}
EXIT_CODES = "Exit codes: 0 done; 1 something is wrong, and stderr says what; 2 wrong arguments."


def commands() -> dict[str, str]:
    """Modules of the commands that this installation has, by name of the command."""
    homes = {name: f"{PACKAGE}.{module}" for name, (module, _) in COMMANDS.items()}
    return {
        name: home
        for name, home in homes.items()
        if importlib.util.find_spec(home.rpartition(".")[0]) and importlib.util.find_spec(home)
    }


def parser(command: str = "") -> argparse.ArgumentParser:
    """Parser of the command called `command`; of the others, whose modules need not be imported, the names."""
    form = argparse.RawDescriptionHelpFormatter
    out = argparse.ArgumentParser(
        "pseudocohort",
        description="Make synthetic transcriptomic cohorts, and test their likeness, use and privacy.",
        epilog=f"Each command has its own --help, with an example. {EXIT_CODES}",
        formatter_class=form,
    )
    out.add_argument("--version", action="version", version=__version__)
    chosen = out.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, home in commands().items():
        own = chosen.add_parser(name, help=COMMANDS[name][1], formatter_class=form, allow_abbrev=False)
        if name == command:
            module = importlib.import_module(home)
            example = getattr(module, "EXAMPLE", "")
            own.description = (module.__doc__ or COMMANDS[name][1]).strip()
            own.epilog = f"example:\n  {example}\n\n{EXIT_CODES}" if example else EXIT_CODES
            module.add_arguments(own)
            own.set_defaults(run=module.run)
    return out


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parsed arguments; what follows ``--``, options of Snakemake, is in ``rest``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    of_command = parser(next((word for word in arguments if not word.startswith("-")), ""))
    options = of_command.parse_args(arguments[:end])
    options.rest = arguments[end + 1 :]
    if options.rest and "study" not in options:
        of_command.error(f"{options.command} takes nothing after --")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        Those of the process by default.
    """
    options = parse(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format=FORMAT, stream=sys.stderr)
    try:
        return int(options.run(options) or 0)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if told := of_the_system(error):
            print(told, file=sys.stderr)
            return 1
        if not error.filename:
            raise
        remedy = "give the path of a file that you may use"
        print(UserError(str(error.strerror), where=str(error.filename), remedy=remedy), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 1
