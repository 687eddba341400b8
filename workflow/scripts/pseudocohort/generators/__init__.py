"""Stage: generators. Called, ``pseudocohort.generators()``, it lists them."""

import importlib
import sys
import types


class _Listed(types.ModuleType):
    """A package that can be called: ``generators`` is the name of a stage and of what the Python interface lists."""

    def __call__(self):
        return importlib.import_module("..api.fit", __name__).list_generators()


sys.modules[__name__].__class__ = _Listed
