"""Plug-ins: a folder or a file that describes itself, found by a scan.

A plug-in is a module of a package (a file, or a folder with ``__init__.py``) that holds a description, or a tuple of
them, under an agreed name. The scan imports these modules only: what needs torch lies in further modules of a plug-in
and is imported when it is asked for. Names that begin with ``_`` are shared code.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from .errors import UserError
from .validation import nearest

PACKAGE = __package__.rpartition(".")[0]


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """What every plug-in says about itself.

    Attributes
    ----------
    name : str
        Its name in the configuration.
    summary : str
        One sentence, for reports and documentation.
    source : str
        Where it comes from: authors and year, venue or DOI; empty where there is none.
    home : str
        Module that holds the description; set by :func:`scan`.
    """

    name: str
    summary: str
    source: str = ""
    home: str = field(default="", repr=False, compare=False)

    def at(self, home: str) -> Self:
        """The same description, found in the module `home`."""
        return replace(self, home=home)

    @property
    def module(self) -> str:
        """Home relative to the package, as :func:`.versions.code_version` takes it."""
        return self.home.removeprefix(f"{PACKAGE}.")

    @property
    def folder(self) -> Path:
        """Folder of the plug-in's files."""
        return Path(importlib.import_module(self.home).__file__).parent

    def modules_of(self, *parts: str) -> list[str]:
        """Modules of some parts, relative to the package; of a plug-in of one file, that file."""
        home = importlib.import_module(self.home)
        own = [part for part in parts if hasattr(home, "__path__") and importlib.util.find_spec(f"{self.home}.{part}")]
        return [self.module, *(f"{self.module}.{part}" for part in own)]

    def load(self, path: str) -> Any:
        """What ``part:name`` stands for: `name` in the submodule `part`, or in the plug-in's one file.

        Raises
        ------
        AttributeError
            If the plug-in has no such part.
        """
        part, _, name = path.partition(":")
        home = importlib.import_module(self.home)
        if hasattr(home, "__path__") and importlib.util.find_spec(f"{self.home}.{part}"):
            return getattr(importlib.import_module(f"{self.home}.{part}"), name)
        return getattr(home, name)

    def has(self, path: str) -> bool:
        """Whether :meth:`load` would find `path`."""
        try:
            self.load(path)
        except AttributeError:
            return False
        return True


@cache
def scan(package: str, attribute: str) -> dict[str, Any]:
    """Descriptions called `attribute` in the modules of `package`, by name, in the order of their ``order`` and name.

    Parameters
    ----------
    package : str
        Absolute name of the package to look through.
    attribute : str
        Name of a description, or of a tuple of descriptions, in a module.

    Raises
    ------
    ValueError
        If two plug-ins have one name.
    """
    found: dict[str, Any] = {}
    parent: ModuleType = importlib.import_module(package)
    for info in pkgutil.iter_modules(parent.__path__):
        if info.name.startswith("_"):
            continue
        home = f"{package}.{info.name}"
        given = getattr(importlib.import_module(home), attribute, ())
        for description in given if isinstance(given, tuple) else (given,):
            if description.name in found:
                raise ValueError(f"two plug-ins of {package} are called {description.name!r}")
            found[description.name] = description.at(home)
    return dict(sorted(found.items(), key=lambda item: (getattr(item[1], "order", 0), item[0])))


def pick(plugins: dict[str, Any], name: str, kind: str, where: str) -> Any:
    """The plug-in called `name`."""
    if not isinstance(name, str) or name not in plugins:
        raise UserError(
            f"unknown {kind} {name!r}",
            where=where,
            remedy=f"{nearest(name, list(plugins))}one of: {', '.join(plugins)}",
        )
    return plugins[name]
