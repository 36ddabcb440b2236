"""Random variations of prepared training images: the interpretability thesis's five (000 §3.2) as one seeded object.

Training only. The thesis leaves zoom out because it tells the planes apart, and so does every preset here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import cv2
import numpy as np

from core.errors import ParameterError


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
    """

    rotation: float = 15.0
    horizontal_shift: float = 0.1
    vertical_shift: float = 0.1
    shear: float = 10.0
    horizontal_flip: bool = True
    gain: float = 1.0
    gamma: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.rotation <= 180 and 0 <= self.shear < 90):
            raise ParameterError("Rotation must lie between 0 and 180 degrees and shear between 0 and 90.")
        if not (0 <= self.horizontal_shift <= 1 and 0 <= self.vertical_shift <= 1):
            raise ParameterError("A shift must lie between 0 and 1 of the image's side.")
        if self.gain < 1 or self.gamma < 1:
            raise ParameterError("Gain and gamma are factors of at least 1.")

    def to_dict(self) -> dict[str, float | bool]:
        return asdict(self)

    def draw(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """One random variation of ``image`` (S, S) uint8, same shape and type.

        What moves in from outside repeats the nearest edge pixel, as Keras's ImageDataGenerator does by default.
        """
        height, width = image.shape
        angle, shear = np.deg2rad(generator.uniform(-1, 1, 2) * (self.rotation, self.shear))
        shift = generator.uniform(-1, 1, 2) * (self.horizontal_shift * width, self.vertical_shift * height)
        mirrored = self.horizontal_flip and generator.random() < 0.5
        # Around the centre: shear, then rotate; the mirror comes first so that it does not turn the rotation round.
        rotate = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = rotate @ np.array([[1, -np.sin(shear)], [0, np.cos(shear)]])
        if mirrored:
            linear = linear @ np.diag([-1.0, 1.0])
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        matrix = np.column_stack([linear, centre - linear @ centre + shift])
        moved = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return self._recolour(moved, generator)

    def batch(self, images: np.ndarray, seed: int) -> np.ndarray:
        """A variation of each of ``images`` (N, S, S) uint8; image ``i`` depends on the seed and on ``i`` alone."""
        return np.stack([self.draw(image, np.random.default_rng([seed, i])) for i, image in enumerate(images)])

    def _recolour(self, image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        if self.gain == 1 and self.gamma == 1:
            return image
        gain, gamma = np.exp(generator.uniform(-1, 1, 2) * np.log([self.gain, self.gamma]))
        curve = np.clip(gain * (np.arange(256) / 255) ** gamma, 0, 1) * 255
        return cv2.LUT(image, np.round(curve).astype(np.uint8))


PRESETS = {
    "thesis": Augmentation(shear=0.2),
    "default": Augmentation(),
    "scanner": Augmentation(gain=1.4, gamma=1.5),
    "none": Augmentation(0, 0, 0, 0, False),
}
"""``thesis`` as its code ran; ``default`` with a shear that shows; ``scanner`` adds gain and gray map; ``none``."""
