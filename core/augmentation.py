"""Random variations of prepared training images: the interpretability thesis's five (000 §3.2) as one seeded object.

Training only. The thesis leaves zoom out because it tells the first-trimester planes apart; of the presets only
``wide``, for the anatomies of the later scan, and ``head`` zoom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np

from core.errors import ParameterError

SHEET_GAP = 4
Step = tuple[np.ndarray, dict[str, float | bool]]
"""An image and the numbers drawn for it."""


@dataclass(frozen=True)
class Variation:
    """One variation (S, S) uint8, what was drawn for it, by the names and in the units of :class:`Augmentation`, and
    the affine map (2, 3) of (x, y) that moved its pixels."""

    image: np.ndarray
    drawn: dict[str, float | bool]
    matrix: np.ndarray


@dataclass(frozen=True)
class Augmentation:
    """Largest variations; each image draws its own within them.

    Parameters
    ----------
    rotation : float
        Degrees either way.
    horizontal_shift, vertical_shift : float
        Share of the side, either way.
    shear : float
        Degrees either way. The thesis's text says 20 % and its code 0.2, which Keras reads as degrees.
    horizontal_flip : bool
        Mirror half of the images.
    gain : float
        Largest factor of brightness either way (1 leaves it); scanners differ in gain. Not in the thesis.
    gamma : float
        Largest exponent of the gray map either way (1 leaves it). Not in the thesis.
    vertical_flip : bool
        Turn half of the images upside down. Not in the thesis.
    zoom : float
        Largest factor of size either way (1 leaves it). Not in the thesis.
    blur : float
        Largest deviation in pixels of a Gaussian blur. Not in the thesis.
    noise : float
        Largest deviation of added Gaussian noise, as a share of white. Not in the thesis.
    boxes : int
        Most black rectangles, as scanners and anonymisers leave. Not in the thesis.
    """

    rotation: float = 15.0
    horizontal_shift: float = 0.1
    vertical_shift: float = 0.1
    shear: float = 10.0
    horizontal_flip: bool = True
    gain: float = 1.0
    gamma: float = 1.0
    vertical_flip: bool = False
    zoom: float = 1.0
    blur: float = 0.0
    noise: float = 0.0
    boxes: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.rotation <= 180 and 0 <= self.shear < 90):
            raise ParameterError("Rotation must lie between 0 and 180 degrees and shear between 0 and 90.")
        if not (0 <= self.horizontal_shift <= 1 and 0 <= self.vertical_shift <= 1):
            raise ParameterError("A shift must lie between 0 and 1 of the image's side.")
        if self.gain < 1 or self.gamma < 1 or self.zoom < 1:
            raise ParameterError("Gain, gamma and zoom are factors of at least 1.")
        if min(self.blur, self.noise, self.boxes) < 0:
            raise ParameterError("Blur, noise and the number of boxes are at least 0.")

    def to_dict(self) -> dict[str, float | bool]:
        return asdict(self)

    def draw(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """One random variation of ``image`` (S, S) uint8, same shape and type.

        What moves in from outside repeats the nearest edge pixel, as Keras's ImageDataGenerator does by default.
        """
        return self.vary(image, generator).image

    def vary(self, image: np.ndarray, generator: np.random.Generator) -> Variation:
        """As :meth:`draw`, with the numbers that were drawn."""
        height, width = image.shape
        turn, slant = generator.uniform(-1, 1, 2) * (self.rotation, self.shear)
        angle, shear = np.deg2rad((turn, slant))
        share = generator.uniform(-1, 1, 2)
        shift = share * (self.horizontal_shift * width, self.vertical_shift * height)
        mirrored = self.horizontal_flip and generator.random() < 0.5
        # Around the centre: shear, then rotate; the mirror comes first so that it does not turn the rotation round.
        rotate = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = rotate @ np.array([[1, -np.sin(shear)], [0, np.cos(shear)]])
        if mirrored:
            linear = linear @ np.diag([-1.0, 1.0])
        upside_down = self.vertical_flip and generator.random() < 0.5
        if upside_down:
            linear = linear @ np.diag([1.0, -1.0])
        factor = self.zoom ** generator.uniform(-1, 1) if self.zoom > 1 else 1.0
        linear = linear * factor
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        matrix = np.column_stack([linear, centre - linear @ centre + shift])
        moved = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        drawn: dict[str, float | bool] = {
            "rotation": float(turn),
            "horizontal_shift": float(share[0] * self.horizontal_shift),
            "vertical_shift": float(share[1] * self.vertical_shift),
            "shear": float(slant),
            "horizontal_flip": bool(mirrored),
            "vertical_flip": bool(upside_down),
            "zoom": float(factor),
        }
        for step in (self._recolour, self._degrade, self._cover):
            moved, numbers = step(moved, generator)
            drawn |= numbers
        return Variation(moved, drawn, matrix)

    def batch(self, images: np.ndarray, seed: int) -> np.ndarray:
        """A variation of each of ``images`` (N, S, S) uint8; image ``i`` depends on the seed and on ``i`` alone."""
        return np.stack([self.draw(image, np.random.default_rng([seed, i])) for i, image in enumerate(images)])

    def variations(self, image: np.ndarray, seed: int, count: int) -> list[Variation]:
        """``count`` variations of one image; each depends on the seed and its position alone."""
        return [self.vary(image, np.random.default_rng([seed, number])) for number in range(count)]

    def _recolour(self, image: np.ndarray, generator: np.random.Generator) -> Step:
        if self.gain == 1 and self.gamma == 1:
            return image, {"gain": 1.0, "gamma": 1.0}
        gain, gamma = np.exp(generator.uniform(-1, 1, 2) * np.log([self.gain, self.gamma]))
        curve = np.clip(gain * (np.arange(256) / 255) ** gamma, 0, 1) * 255
        return cv2.LUT(image, np.round(curve).astype(np.uint8)), {"gain": float(gain), "gamma": float(gamma)}

    def _degrade(self, image: np.ndarray, generator: np.random.Generator) -> Step:
        deviation = generator.uniform(0, self.blur) if self.blur else 0.0
        if deviation > 0.3:
            image = cv2.GaussianBlur(image, (0, 0), deviation)
        else:
            deviation = 0.0
        noise = generator.uniform(0, self.noise) if self.noise else 0.0
        if noise:
            grain = generator.normal(0, 255 * noise, image.shape)
            image = np.clip(image + grain, 0, 255).astype(np.uint8)
        return image, {"blur": float(deviation), "noise": float(noise)}

    def _cover(self, image: np.ndarray, generator: np.random.Generator) -> Step:
        count = int(generator.integers(0, self.boxes + 1)) if self.boxes else 0
        if count:
            image = image.copy()
        for _ in range(count):
            height, width = (generator.uniform(0.04, 0.28, 2) * image.shape).astype(int)
            top, left = (
                generator.integers(0, image.shape[0] - height),
                generator.integers(0, image.shape[1] - width),
            )
            image[top : top + height, left : left + width] = 0
        return image, {"boxes": count}


PRESETS = {
    "thesis": Augmentation(shear=0.2),
    "default": Augmentation(),
    "scanner": Augmentation(gain=1.4, gamma=1.5),
    "report": Augmentation(36, 0, 0, 0, vertical_flip=True),
    "wide": Augmentation(
        rotation=30,
        gain=1.5,
        gamma=1.6,
        vertical_flip=True,
        zoom=1.25,
        blur=1.5,
        noise=0.06,
        boxes=2,
    ),
    "head": Augmentation(
        rotation=25,
        shear=5,
        gain=1.4,
        gamma=1.5,
        vertical_flip=True,
        zoom=1.2,
        blur=1.0,
        noise=0.04,
    ),
    "none": Augmentation(0, 0, 0, 0, False),
}
"""``thesis`` as its code ran; ``default`` with a shear that shows; ``scanner`` adds gain and gray map; ``report`` turns
and flips as the anatomy report (004) does, which gives no numbers; ``wide`` adds all else that tells scanners and
operators apart; ``head`` moves and scales heads, whose ellipse moves with them; ``none`` changes nothing."""

RANGES: dict[str, tuple[float, float, float, str]] = {
    "rotation": (0.0, 45.0, 0.5, "degrees either way"),
    "horizontal_shift": (0.0, 0.5, 0.01, "share of the side either way"),
    "vertical_shift": (0.0, 0.5, 0.01, "share of the side either way"),
    "shear": (0.0, 45.0, 0.1, "degrees either way; the thesis's code has 0.2, its text 20 %"),
    "gain": (1.0, 3.0, 0.05, "largest factor of brightness either way; 1 leaves it"),
    "gamma": (1.0, 3.0, 0.05, "largest exponent of the gray map either way; 1 leaves it"),
    "zoom": (1.0, 2.0, 0.05, "largest factor of size either way; 1 leaves it"),
    "blur": (0.0, 5.0, 0.1, "largest deviation of a Gaussian in pixels"),
    "noise": (0.0, 0.3, 0.01, "largest deviation as a share of white"),
    "boxes": (0, 6, 1, "most black rectangles"),
}
"""Lowest and highest value, step and meaning of every number, for whoever lets people choose."""
FLIPS = {"horizontal_flip": "mirrored", "vertical_flip": "upside down"}
FACTORS = ("gain", "gamma", "zoom")


def drawn_text(variation: Variation) -> str:
    """What was drawn, without what changed nothing: ``rotation -3.1°, horizontal shift 4.0 %, mirrored``."""
    words = []
    for name, value in variation.drawn.items():
        title = name.replace("_", " ")
        if name in FLIPS:
            words += [FLIPS[name]] if value else []
        elif name in FACTORS:
            words += [f"{title} × {value:.2f}"] if value != 1 else []
        elif value:
            words.append(f"{title} {_amount(name, value)}")
    return ", ".join(words) or "unchanged"


def _amount(name: str, value: float) -> str:
    if name.endswith("_shift"):
        return f"{100 * value:+.1f} %"
    return {"boxes": f"{value:.0f}", "blur": f"{value:.1f} pixels", "noise": f"{100 * value:.1f} %"}.get(
        name, f"{value:+.1f}°"
    )


def contact_sheet(images: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Images (S, S) uint8 in rows of ``columns``, with a light gap between them: (H, W) uint8."""
    gap, side = SHEET_GAP, images[0].shape[0]
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (side + gap) + gap, columns * (side + gap) + gap), 255, np.uint8)
    for number, image in enumerate(images):
        top, left = (gap + (side + gap) * place for place in divmod(number, columns))
        sheet[top : top + side, left : left + side] = image
    return sheet
