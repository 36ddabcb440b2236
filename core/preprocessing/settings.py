"""The choices of the preprocessing pipeline, their ranges, and the thesis's presets (thesis 000 §3.1 and annex A.1)."""

import numbers
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from core.errors import ParameterError

ColourBox = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

# [min, max] of R, G and B, both ends included. The annex's code and the text's table 3.1 disagree; both are kept.
COLOUR_BOXES: dict[str, dict[str, ColourBox]] = {
    "annex": {
        "blue": ((0, 143), (0, 255), (162, 255)),
        "yellow": ((60, 255), (190, 255), (0, 189)),
        "white": ((161, 255), (255, 255), (0, 255)),
        "green": ((0, 65), (111, 238), (0, 86)),
    },
    "table": {
        "blue": ((50, 150), (0, 255), (160, 255)),
        "yellow": ((60, 255), (180, 255), (0, 190)),
        "green": ((0, 70), (100, 245), (0, 90)),
    },
}

MASKS = ("tint", "annex", "table", "none")
FILLS = ("average", "inpaint")
CROPS = ("automatic", "thesis", "none")
ORDERS = ("crop_first", "crop_last")
ASPECTS = ("stretch", "pad")

_CHOICES = {"mask": MASKS, "fill": FILLS, "crop": CROPS, "order": ORDERS, "aspect": ASPECTS}

# Field -> (least, greatest, what it is), for whole numbers and for numbers with a fraction.
INTEGER_RANGES = {
    "tint_tolerance": (1, 128, "the least departure from the frame's tint"),
    "sharp_jump": (0, 255, "the gray-level jump of an uncoloured annotation"),
    "grow": (0, 15, "the growth of the mask in pixels"),
    "fill_kernel": (3, 101, "the side of the averaging window"),
    "inpaint_radius": (1, 25, "the inpainting radius"),
    "median_kernel": (1, 31, "the side of the median window"),
    "size": (16, 2048, "the side of the prepared image"),
}
NUMBER_RANGES = {
    "tint_spread": (0.0, 50.0, "the number of colour spreads"),
    "lower_percentile": (0.0, 49.0, "the lower percentile"),
    "upper_percentile": (51.0, 100.0, "the upper percentile"),
}
_ODD = ("fill_kernel", "median_kernel")


@dataclass(frozen=True)
class PreprocessingSettings:
    """Every parameter of the pipeline; the defaults are what the shipped models were trained with.

    Parameters
    ----------
    mask
        How annotations are found: ``tint`` (against the frame's own gray map), the colour boxes of the ``annex`` code
        or of ``table`` 3.1, or ``none``.
    boxes
        Colour boxes instead of the preset's, ``{colour: ((rmin, rmax), (gmin, gmax), (bmin, bmax))}``, both ends
        included; only with the masks ``annex`` and ``table``.
    tint_tolerance
        ``tint``: a pixel is an annotation when a channel lies more than this many levels from the gray map.
    tint_spread
        ``tint``: the tolerance is raised to this many times the frame's own colour spread (JPEG noise).
    sharp_jump
        ``tint``: uncoloured strokes are found by jumping this many gray levels above both their sides within four
        pixels, which scan-converted echo does not; 0 leaves uncoloured strokes alone.
    grow
        Pixels by which the mask is grown before it is filled, to take the dark rim of drawn lines with them.
    fill
        ``average`` replaces marked pixels by the mean of a window (thesis 000 §3.1), ``inpaint`` continues the
        surroundings (OpenCV, Bertalmio 2001).
    fill_kernel
        Side of the averaging window in pixels, odd.
    inpaint_radius
        Radius in pixels that inpainting looks at.
    crop
        ``automatic`` keeps the sector and blackens what is outside it, ``thesis`` cuts the three known screen sizes
        and leaves others whole, ``none`` cuts nothing.
    order
        ``crop_first`` as the thesis's text says, ``crop_last`` as its annex does (percentiles then see the header).
    lower_percentile, upper_percentile
        Gray levels at these percentiles become 0 and 255.
    median_kernel
        Side of the median window in pixels, odd; 1 leaves the image as it is.
    size
        Side in pixels of the prepared image.
    aspect
        ``stretch`` the crop to a square as the thesis does, or ``pad`` it with black first.

    Raises
    ------
    ParameterError
        If a value is of the wrong type, unknown or out of range.
    """

    mask: str = "tint"
    boxes: Mapping[str, ColourBox] | None = None
    tint_tolerance: int = 6
    tint_spread: float = 3.0
    sharp_jump: int = 100
    grow: int = 1
    fill: str = "inpaint"
    fill_kernel: int = 25
    inpaint_radius: int = 3
    crop: str = "automatic"
    order: str = "crop_first"
    lower_percentile: float = 1.0
    upper_percentile: float = 99.0
    median_kernel: int = 5
    size: int = 299
    aspect: str = "stretch"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ParameterError(
                    f"Preprocessing knows no {name} {getattr(self, name)!r}; choose one of {', '.join(choices)}."
                )
        for name, (least, greatest, meaning) in INTEGER_RANGES.items():
            self._normalise(name, numbers.Integral, int, least, greatest, meaning)
        for name, (least, greatest, meaning) in NUMBER_RANGES.items():
            self._normalise(name, numbers.Real, float, least, greatest, meaning)
        for name in _ODD:
            side = getattr(self, name)
            if side % 2 == 0:
                raise ParameterError(f"{name} must be odd, so that the window has a centre; it is {side}.")
        if self.boxes is not None:
            if self.mask not in COLOUR_BOXES:
                raise ParameterError(
                    f"Colour boxes belong to the masks annex and table, not to {self.mask}; choose one of these two."
                )
            object.__setattr__(self, "boxes", _checked_boxes(self.boxes))

    def _normalise(self, name: str, kind: type, convert: type, least: float, greatest: float, meaning: str) -> None:
        value = getattr(self, name)
        whole = "whole " if convert is int else ""
        if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= greatest:
            raise ParameterError(
                f"{name}, {meaning}, must be a {whole}number from {least:g} to {greatest:g}; it is {value!r}."
            )
        object.__setattr__(self, name, convert(value))

    def __hash__(self) -> int:
        plain = tuple(getattr(self, field.name) for field in fields(self) if field.name != "boxes")
        return hash((plain, None if self.boxes is None else frozenset(self.boxes.items())))

    @property
    def colour_boxes(self) -> Mapping[str, ColourBox]:
        """The colour boxes in force: the user's, else the preset's; none for ``tint`` and ``none``."""
        return self.boxes if self.boxes is not None else COLOUR_BOXES.get(self.mask, {})

    def to_dict(self) -> dict[str, Any]:
        """All fields as values that JSON can hold."""
        values = asdict(self)
        if self.boxes is not None:
            values["boxes"] = {colour: [list(limits) for limits in box] for colour, box in self.boxes.items()}
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "PreprocessingSettings":
        """Settings from ``to_dict``'s form; fields that are left out keep their default.

        Raises
        ------
        ParameterError
            If a name is unknown or a value is not allowed.
        """
        if not isinstance(values, Mapping):
            raise ParameterError("Preprocessing settings must be an object of names and values.")
        unknown = sorted(set(map(str, values)) - {field.name for field in fields(cls)})
        if unknown:
            known = ", ".join(field.name for field in fields(cls))
            raise ParameterError(f"Preprocessing has no setting {', '.join(unknown)}; it has {known}.")
        return cls(**values)


def _checked_boxes(boxes: Any) -> dict[str, ColourBox]:
    if not isinstance(boxes, Mapping) or not boxes:
        raise ParameterError("Colour boxes must name at least one colour; leave them out to use the preset's.")
    return {str(colour): _checked_box(str(colour), box) for colour, box in boxes.items()}


def _checked_box(colour: str, box: Any) -> ColourBox:
    sentence = f"The colour box {colour!r} must hold three pairs, least and greatest of R, G and B, from 0 to 255."
    try:
        limits = tuple((low, high) for low, high in box)
    except (TypeError, ValueError) as error:
        raise ParameterError(sentence) from error
    levels = [level for pair in limits for level in pair]
    if len(limits) != 3 or not all(isinstance(level, numbers.Integral) for level in levels):
        raise ParameterError(sentence)
    if not all(0 <= low <= high <= 255 for low, high in limits):
        raise ParameterError(sentence)
    return tuple((int(low), int(high)) for low, high in limits)


THESIS = PreprocessingSettings(mask="annex", grow=0, fill="average", crop="thesis", order="crop_last")
"""The annex's code, step by step: what the published models were trained with."""
