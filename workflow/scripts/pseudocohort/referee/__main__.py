"""``python -m pseudocohort.referee``: the command ``audit`` by itself."""

import argparse
import sys

from .command import add_arguments, run

parser = argparse.ArgumentParser(prog="python -m pseudocohort.referee", description=run.__doc__)
add_arguments(parser)
sys.exit(run(parser.parse_args()))
