"""Methods that say where a network looked, one file each.

A file in this folder that defines a :class:`~core.explain.base.Method` is a method: nothing else needs an edit.
"""

import importlib
import pkgutil

from core.explain.base import METHODS, Method, get_method

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["METHODS", "Method", "get_method"]
