"""Five calibrated severities of every corruption, so that levels of different kinds can be compared.

``severities.json`` holds, for each kind, five intensities and what they are equal steps of: SSIM (Wang's, inside the
sector) or, where SSIM misleads, recall that the default plane model loses. ``python -m benchmarks.severities`` measures
them; ImageNet-C chose its five by eye (Hendrycks and Dietterich 2019, arXiv 1903.12261).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.corruption.base import get
from core.errors import ParameterError

LEVELS = 5
FILE = Path(__file__).with_name("severities.json")


@dataclass(frozen=True)
class Severities:
    """The intensities of severities 1 to 5 and what they are equal steps of.

    Attributes
    ----------
    basis : str
        ``ssim``, ``recall``, or ``range`` where nothing was measured: equal parts of the slider.
    intensities : tuple of float
        Five, rising, in the corruption's unit.
    values : tuple of float
        SSIM, or share of recall lost, measured at each.
    """

    basis: str
    intensities: tuple[float, ...]
    values: tuple[float, ...] = ()


def severities(kind: str) -> Severities:
    """The five severities of a corruption; ParameterError if there is no such kind."""
    corruption = get(kind)
    known = _calibrated().get(kind)
    if known is None:
        return Severities("range", tuple(np.linspace(0, corruption.slider_maximum, LEVELS + 1)[1:].tolist()))
    return Severities(known["basis"], tuple(known["intensities"]), tuple(known["values"]))


def severity_of(kind: str, intensity: float) -> float:
    """How severe an intensity is, from 0 (none) to 5 and no further, linear between the calibrated ones."""
    return float(np.interp(get(kind).check(intensity), (0.0, *severities(kind).intensities), np.arange(LEVELS + 1)))


def intensity_of(kind: str, severity: float) -> float:
    """The intensity of a severity from 0 to 5."""
    if not 0 <= severity <= LEVELS:
        raise ParameterError(f"Severities go from 0 to {LEVELS}, not {severity:g}.")
    return float(np.interp(severity, np.arange(LEVELS + 1), (0.0, *severities(kind).intensities)))


@lru_cache(maxsize=1)
def _calibrated() -> dict[str, dict]:
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
