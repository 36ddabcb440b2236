"""Several corruptions one after the other, as real frames meet them: ``attenuation:20,speckle:0.4,jpeg:60``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.corruption.base import get
from core.errors import ParameterError

LONGEST = 6
FORM = "kind:intensity,kind:intensity, such as blur:4,noise:0.1"


@dataclass(frozen=True)
class Step:
    """One corruption of a chain: its kind and its intensity in the kind's unit."""

    kind: str
    intensity: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "intensity", get(self.kind).check(self.intensity))

    @property
    def amount(self) -> str:
        """The intensity in words: ``disk radius 4 pixels``."""
        return get(self.kind).amount(self.intensity)


@dataclass(frozen=True)
class Chain:
    """Corruptions in the order in which they happen.

    Raises
    ------
    ParameterError
        For an unknown kind, an intensity that is not allowed, or more than six steps.
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if len(self.steps) > LONGEST:
            raise ParameterError(f"A chain has at most {LONGEST} corruptions, not {len(self.steps)}: leave some out.")

    @classmethod
    def parse(cls, text: str) -> Chain:
        """A chain from its text; an empty one leaves the image as it is."""
        steps = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            kind, separator, intensity = part.partition(":")
            try:
                number = float(intensity)
            except ValueError:
                separator = ""
            if not separator:
                raise ParameterError(f"{part!r} is no corruption of a chain: write {FORM}.")
            steps.append(Step(kind.strip(), number))
        return cls(tuple(steps))

    @property
    def text(self) -> str:
        """What :meth:`parse` reads."""
        return ",".join(f"{step.kind}:{step.intensity:g}" for step in self.steps)

    @property
    def title(self) -> str:
        """In words: ``Blur, then Noise``."""
        return ", then ".join(get(step.kind).title for step in self.steps) or "No corruption"

    def apply(self, image: np.ndarray, seed: int = 0, sector: np.ndarray | None = None) -> np.ndarray:
        """The corrupted image (H, W), of the same type; step ``i`` has the seed (seed, i), a single one ``seed``."""
        if not self.steps:
            return image.copy()
        for index, step in enumerate(self.steps):
            own = seed if len(self.steps) == 1 else (seed, index)
            image = get(step.kind).apply(image, step.intensity, own, sector)
        return image
