"""The thesis's preprocessing as named stages: annotation mask, fill, crop, stretch, median, resize, three channels.

Training, prediction and the preview all call these functions with the same settings.
"""

from core.preprocessing.annotation import annotation_mask, estimate_tint, fill_annotations
from core.preprocessing.screen import Box
from core.preprocessing.sector import Sector, find_sector
from core.preprocessing.settings import (
    ASPECTS,
    COLOUR_BOXES,
    CROPS,
    FILLS,
    INTEGER_RANGES,
    MASKS,
    NUMBER_RANGES,
    ORDERS,
    THESIS,
    PreprocessingSettings,
)
from core.preprocessing.stages import (
    CHAINS,
    THESIS_CROPS,
    Cleaned,
    Preprocessed,
    Stage,
    clean,
    finish,
    follow,
    histogram,
    placement,
    prepare,
    reduced,
    run,
)

__all__ = [
    "ASPECTS",
    "CHAINS",
    "COLOUR_BOXES",
    "CROPS",
    "FILLS",
    "INTEGER_RANGES",
    "MASKS",
    "NUMBER_RANGES",
    "ORDERS",
    "THESIS",
    "THESIS_CROPS",
    "Box",
    "Cleaned",
    "Preprocessed",
    "PreprocessingSettings",
    "Sector",
    "Stage",
    "annotation_mask",
    "clean",
    "estimate_tint",
    "fill_annotations",
    "find_sector",
    "finish",
    "follow",
    "histogram",
    "placement",
    "prepare",
    "reduced",
    "run",
]
