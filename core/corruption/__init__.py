"""Corruptions of an ultrasound frame, each with a physical intensity defined at 174 pixels of image side.

``thesis`` holds the three of the corruption thesis, ``ultrasound`` what goes wrong between probe and screen,
``acquisition`` what happens to the picture afterwards. A further class in one of these files, or a further file in this
folder, is a further corruption; nothing else has to be edited.
"""

import importlib
import pkgutil

# The thesis's three stay first, then those of ultrasound.
from core.corruption import thesis, ultrasound  # noqa: F401
from core.corruption.base import (
    CORRUPTIONS,
    REFERENCE_SIDE,
    Corruption,
    SectorCorruption,
    Seed,
    corrupt,
    corrupt_batch,
    get,
    scale,
)
from core.corruption.thesis import disk_median

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = [
    "CORRUPTIONS",
    "REFERENCE_SIDE",
    "Corruption",
    "SectorCorruption",
    "Seed",
    "corrupt",
    "corrupt_batch",
    "disk_median",
    "get",
    "scale",
]
