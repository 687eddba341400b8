"""What a generator says about itself, apart from its code, so that it can be listed and checked without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...core.plugins import Plugin
from ...core.settings import Setting, check, choice, defaults


@dataclass(frozen=True)
class Capabilities:
    """What a generator can do beyond sampling from a seen condition and level.

    Attributes
    ----------
    trained : bool
        Has an iterative training loop (loss curve, checkpoints, device).
    composition : bool
        Can sample a (condition, level) pair never seen together in training.
    unlabeled : bool
        Learns from profiles whose condition is unknown (empty string in ``obs["condition"]``).
    mask : bool
        Can clamp any subset of genes (:meth:`.generator.Generator.sample_clamped`).
    covariates : bool
        Learns distributions, which can be shifted by the effects of covariates. Generators that repeat profiles cannot:
        a copy of a man's profile is not a woman's.
    private : bool
        Counts all that it fits in a ledger (:mod:`.ledger`). It gets profiles in log2 units, not standardised ones, for
        the scale would be an exact statistic of the training donors; and what is public in ``uns["public"]``.
    needs_public : bool
        Cannot do without public profiles (its setting ``public``).
    counts : bool
        Learns from counts. It gets profiles as log2(CPM + 1), not standardised ones, with ``obs["library_size"]``, and
        makes such profiles.
    """

    trained: bool = False
    composition: bool = False
    unlabeled: bool = False
    mask: bool = False
    covariates: bool = True
    private: bool = False
    needs_public: bool = False
    counts: bool = False


@dataclass(frozen=True, kw_only=True)
class Description(Plugin):
    """A generator, as its plug-in declares it: alone, or in a tuple, under the name ``GENERATORS``.

    Attributes
    ----------
    implementation : str
        ``module:Class`` within the plug-in; the class has ``description`` set to this description.
    capabilities : Capabilities
    settings : mapping of Setting
        ``generator_settings.<name>`` of the configuration.
    presets : mapping
        Settings that ``preset: <name>`` puts in the place of the defaults.
    control : bool
        A floor or ceiling that trained generators are read against, not a candidate for the best generator.
    colour : str
        Of its marks in figures; empty = grey.
    assumptions, limits : str
        For its page of the documentation: what it takes for granted, and where it fails.
    order : int
        Place in lists: controls from 0, Gaussians from 10, networks from 20, private generators from 30.
    training_length : tuple of str
        Settings that say how long it is trained, where there are any; training twice as long doubles them all.
    """

    implementation: str
    capabilities: Capabilities = Capabilities()
    settings: Mapping[str, Setting] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    control: bool = False
    colour: str = ""
    assumptions: str = ""
    limits: str = ""
    order: int = 20
    training_length: tuple[str, ...] = ("steps", "max_epochs")

    @property
    def defaults(self) -> dict[str, Any]:
        """Default of every setting."""
        return defaults(self.settings)

    @property
    def modules(self) -> list[str]:
        """Modules that define the generator, relative to the package, for digests of its code."""
        part = self.implementation.partition(":")[0]
        return [self.module, f"{self.module}.{part}"] if part else [self.module]

    def merged(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """Defaults, overridden by those of a preset and these by the other settings `given`.

        Raises
        ------
        UserError
            For the first unknown key, wrong type, unknown choice or value out of range.
        """
        given = dict(given or {})
        checked = check(self.all_settings, given, f"generator_settings.{self.name}")
        preset = self.presets.get(checked.pop("preset", ""), {})
        return {**self.defaults, **preset, **{name: checked[name] for name in given if name != "preset"}}

    @property
    def all_settings(self) -> dict[str, Setting]:
        """Settings and, where there are presets, the setting ``preset``."""
        if not self.presets:
            return dict(self.settings)
        return {
            "preset": choice("tuned", "Set of defaults: ours, or published ones.", ["tuned", *self.presets]),
            **self.settings,
        }
