"""All experiments by name, in the order of the report. Importing this module is cheap: it needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..core.plugins import pick, scan
from .description import Experiment, Figure


def experiments() -> dict[str, Experiment]:
    """Descriptions of all experiments."""
    return scan(__package__, "EXPERIMENT")


def describe(name: str) -> Experiment:
    """Description of the experiment called `name`.

    Raises
    ------
    UserError
        If there is none.
    """
    return pick(experiments(), name, "experiment", "experiments")


def of_study(config: dict[str, Any]) -> list[Experiment]:
    """Experiments that a study runs, in the order of the report."""
    return [experiment for name, experiment in experiments().items() if name in config["experiments"]]


def settings_of(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Settings that an experiment's score gets."""
    experiment = describe(name)
    return experiment.load("plan:settings")(config) if experiment.has("plan:settings") else config[name]


def figures_of(config: dict[str, Any]) -> dict[str, tuple[Experiment, Figure]]:
    """Figures of a study by name, with the experiment that each belongs to."""
    return {
        figure.name: (experiment, figure)
        for experiment in of_study(config)
        for figure in experiment.figures
        if not figure.when or experiment.load(figure.when)(config)
    }


def figure_inputs(config: dict[str, Any], name: str, jobs: Callable[[str, str], list[str]]) -> dict[str, list[str]]:
    """Files that a figure is drawn from, by name; `jobs` gives the jobs of an experiment's generator."""
    experiment, figure = figures_of(config)[name]
    if figure.inputs:
        return experiment.load(figure.inputs)(config, partial(jobs, experiment.name))
    return {"summary": [f"<results>/tables/{experiment.name}_summary.tsv"]}


def evaluations(config: dict[str, Any], name: str, generators: list[str]) -> dict[str, list[str]]:
    """Generators that each evaluation of an experiment scores, the real profiles first: ``{"b000": [names], ...}``."""
    scored = [*(["real"] if describe(name).real else []), *generators]
    size = config["training"]["generators_per_evaluation"]
    return {f"b{i // size:03d}": scored[i : i + size] for i in range(0, len(scored), size)}


def evaluated(config: dict[str, Any], name: str, generators: list[str]) -> list[str]:
    """Names of the tables of an experiment: its own, or one per evaluation."""
    return list(describe(name).evaluated) or list(evaluations(config, name, generators))


def plan_settings(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Sections of the experiments that have training sets, in any study, without the settings that only scores read."""
    return {
        name: {key: value for key, value in config[name].items() if key not in experiment.scored}
        for name, experiment in experiments().items()
        if experiment.has("plan:training_sets")
    }


def drawn_settings(config: dict[str, Any], name: str, *, asked: bool = False) -> dict[str, Any]:
    """All that the members of an experiment's training sets may depend on: the study's seed, and sections without some.

    What only says which training sets there are is left out, and so is, unless it is `asked` of their generators, what
    only says what to sample. So a training set is the same whatever others there are.
    """
    return {"seed": config["seed"]} | {
        section: {key: value for key, value in config[section].items() if key not in _not_drawn(section, asked)}
        for section in (name, *describe(name).reads)
    }


def _not_drawn(name: str, asked: bool) -> tuple[str, ...]:
    experiment = describe(name)
    return (*experiment.counted, *experiment.scored, *(() if asked else experiment.sampled))


def score_inputs(
    config: dict[str, Any], name: str, generator: str, jobs: Callable[[str, str], list[str]]
) -> dict[str, list[str]]:
    """Files that an experiment's score of a generator reads, by name: ``synthetic`` ones, and its further ones."""
    experiment = describe(name)
    own = [] if generator == "real" else jobs(name, generator)
    files = {"synthetic": [f"<results>/synthetic/{name}/{generator}/{job}.h5ad" for job in own]}
    if experiment.has("plan:inputs"):
        files |= experiment.load("plan:inputs")(config, generator, own)
    return {kind: paths for kind, paths in files.items() if paths}


def table_inputs(config: dict[str, Any], name: str, jobs: Callable[[str, str], list[str]]) -> dict[str, list[str]]:
    """Files that an experiment's further tables of the report are made from, by name."""
    experiment = describe(name)
    if not experiment.table_inputs:
        return {}
    return experiment.load(experiment.table_inputs)(config, partial(jobs, name))


def figure_of(name: str) -> tuple[Experiment, Figure]:
    """A figure and the experiment that it belongs to."""
    return next((e, figure) for e in experiments().values() for figure in e.figures if figure.name == name)
