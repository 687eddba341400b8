"""Synthetic transcriptomic cohorts that researchers can trust.

Examples
--------
>>> import pseudocohort as pc
>>> real = pc.example(60)
>>> cohort = pc.fit(real, condition="cancer", generator="flow", settings={"steps": 20}, random_state=1)
>>> synthetic = cohort.sample({"breast": 100, "liver": 50})
"""

import importlib
from pathlib import Path

__version__ = "0.1.0"

#: What the package offers, and the module that has it, which is imported when it is asked for: scripts of the workflow
#: need neither torch nor the rest.
_HOMES = {
    "Cohort": "api.cohort",
    "UserError": "core.errors",
    "audit": "referee",
    "example": "api.example",
    "fit": "api.fit",
    "list_generators": "api.fit",
    "load": "api.cohort",
    "plot_history": "api.plots",
    "plot_map": "api.plots",
}

__all__ = [name for name, home in _HOMES.items() if Path(__file__).with_name(home.partition(".")[0]).is_dir()]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
