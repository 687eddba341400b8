"""The command ``pseudocohort``: a module for each of its commands, with `add_arguments` and `run`."""
