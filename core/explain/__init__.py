"""Methods that say where a network looked, one file each.

A file in this folder that defines a :class:`~core.explain.base.Method` is a method: nothing else needs an edit.
"""

import importlib
import pkgutil

from core.explain.base import (
    METHODS,
    Method,
    check_classes,
    check_methods,
    get_method,
    measures,
    methods_for,
    ordered_methods,
)
from core.explain.cam import ActivationMethod
from core.zoo.cards import Card

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = [
    "METHODS",
    "ActivationMethod",
    "Method",
    "check_classes",
    "check_methods",
    "get_method",
    "measures",
    "methods_for",
    "ordered_methods",
    "quick_method",
]


def quick_method(card: Card) -> ActivationMethod:
    """Class activation mapping, which hides nothing and needs one pass; Grad-CAM where the network forbids it."""
    return get_method("grad_cam" if get_method("cam").obstacle(card) else "cam")
