"""What an experiment says about itself: its question, its settings, its table, its figures.

An experiment is a folder of :mod:`pseudocohort.experiments` (or one file) that holds an :class:`Experiment` under the
name ``EXPERIMENT``. What it does is in further modules of the folder, or in the one file:

``plan``
    ``training_sets(config)`` yields the training sets as dicts (``training_set``, ``generators``, ``repeat`` and, as
    far as they apply, ``task regime variant n_real training_length``); ``members(obs, row, config)`` says which
    profiles a training set has, in which role; ``request(row, roles, config, rng, *, private)`` what to generate from
    it (``roles`` is a :class:`.shared.plan.Roles`). Both are given the study's seed and the experiment's section alone,
    without what `counted`, `sampled` and `scored` name, so that a training set is the same whatever others there are.
    Optional: ``check(config, datasets)`` refuses a configuration that cannot work; ``settings(config)`` adds settings
    of other sections to the experiment's own; ``inputs(config, generator, jobs)`` names further files that the score
    reads, ``<results>`` standing for the results folder and `jobs` for the names of the generator's jobs;
    ``alignment(row)`` says how levels are aligned before training.
``score``
    ``score(profiles, synthetic, training_sets, members, *, study, generator, settings, seed)``, with ``inputs`` where
    it takes them: an evaluation table. Optional, in modules of their names: ``finish(table)`` adds rows to the joined
    table that need all generators, ``curves(table)`` adds such rows to the summary.
``verdict``
    ``verdict(table, config)``: the answer in words, see :mod:`.shared.verdicts`.
``tables`` (optional)
    ``tables(summary, config, inputs)``: further tables of the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.plugins import Plugin
from ..core.settings import Setting, defaults
from ..core.versions import code_version


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of an experiment.

    Attributes
    ----------
    name : str
        Of the file, ``figures/<name>.svg``.
    draw : str
        ``module:function`` within the plug-in, called as ``function(summary, config)`` with the experiment's summary
        table, or as ``function(files, config)`` with the lists of files of `inputs` by name; a matplotlib figure.
    caption : str
        How to read it.
    inputs : str
        ``module:function``, called as ``function(config, jobs)`` with the names of a generator's jobs: lists of
        files by name. Empty: the figure is drawn from the summary table.
    when : str
        ``module:function``, called as ``function(config)``: whether the study has the figure. Empty: always.
    """

    name: str
    draw: str
    caption: str
    inputs: str = ""
    when: str = ""


@dataclass(frozen=True, kw_only=True)
class Experiment(Plugin):
    """An experiment, as its plug-in declares it under the name ``EXPERIMENT``.

    Attributes
    ----------
    title, question : str
        Of its section of the report.
    order : int
        Place of its section.
    headline : bool
        One of the questions that the first page answers even where it was not run.
    settings : mapping of Setting
        The section ``<name>`` of the configuration.
    counted : tuple of str
        Settings that only say which training sets there are: their change trains the new ones alone.
    sampled : tuple of str
        Settings that only say what is asked of a trained generator: their change trains nothing again.
    scored : tuple of str
        Settings that the plan is not told: their change neither trains nor samples again.
    reads : tuple of str
        Further sections of the configuration that the members of its training sets depend on.
    keys, columns : mapping of str
        Key columns and metrics of its table in the report, with their headers. A metric may be a regular expression
        with one group, which ``{}`` in the header stands for.
    by_task : bool
        Rows of tasks are rows of its table; else they are left to ``tables``.
    figures : tuple of Figure
    real : bool
        Real profiles are scored as a generator called ``real``.
    crosses_levels : bool
        A condition is generated at a level where it was not seen, so models are joint over conditions.
    score : str
        ``module:function`` of its score.
    evaluated : tuple of str
        Its tables, where a rule of its own makes them; empty: one per generator.
    table_inputs : str
        ``module:function``, called as ``function(config, jobs)``: files that ``tables`` reads.
    overview : str
        ``module:function``, called as ``function(table, config)`` with the long table: its columns in the overview of
        generators, :class:`.shared.verdicts.Column`. Empty: none.
    documentation : str
        Page and section that explain it, ``page.md#section`` within ``docs``.
    """

    title: str
    question: str
    order: int = 50
    headline: bool = False
    settings: Mapping[str, Setting] = field(default_factory=dict)
    counted: tuple[str, ...] = ()
    sampled: tuple[str, ...] = ()
    scored: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    by_task: bool = False
    figures: tuple[Figure, ...] = ()
    real: bool = True
    crosses_levels: bool = False
    score: str = "score:score"
    evaluated: tuple[str, ...] = ()
    table_inputs: str = ""
    overview: str = ""
    documentation: str = ""

    @property
    def defaults(self) -> dict[str, Any]:
        """Default of every setting."""
        return defaults(self.settings)

    def code(self, *parts: str) -> str:
        """Digest of the code of some parts of the experiment, and of all that they import."""
        return code_version(*self.modules_of(*parts))
