"""Where every random number of a phantom comes from: the generator's settings and the recorder of draws.

Two settings exist. ``train`` is what models learn from; ``unseen`` keeps several named parameters (anatomy's
proportions, probe, post-processing) in ranges that ``train`` never reaches, so that a test on ``unseen`` is a test
on another generator and not only on other seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.errors import ParameterError

Range = tuple[float, float]

SETTINGS: dict[str, str] = {
    "train": "wide ranges of anatomy, probe and post-processing; models are trained on these",
    "unseen": "proportions, resolution and gray maps that 'train' never draws; for testing only",
}

SPLIT_RANGES: dict[str, dict[str, Range]] = {}
"""Parameter name -> settings name -> (low, high). Planes add theirs with `declare_ranges`."""


def declare_ranges(ranges: Mapping[str, Mapping[str, Range]]) -> None:
    """Add parameters whose range depends on the settings.

    Parameters
    ----------
    ranges: name -> {"train": (low, high), "unseen": (low, high)}.

    Raises
    ------
    ParameterError: if a settings name lacks a range, or a name is declared twice with other numbers.
    """
    for name, by_settings in ranges.items():
        if set(by_settings) != set(SETTINGS):
            raise ParameterError(f"Parameter {name} needs one range for each of {', '.join(SETTINGS)}.")
        if SPLIT_RANGES.setdefault(name, dict(by_settings)) != dict(by_settings):
            raise ParameterError(f"Parameter {name} is already declared with other ranges; choose another name.")


def disjoint_parameters(first: str = "train", second: str = "unseen") -> list[str]:
    """Names of the parameters whose ranges in two settings have no value in common."""
    return [
        name
        for name, ranges in SPLIT_RANGES.items()
        if ranges[first][1] < ranges[second][0] or ranges[second][1] < ranges[first][0]
    ]


def check_settings(settings: str) -> None:
    """Raise ParameterError unless `settings` is a known name."""
    if settings not in SETTINGS:
        raise ParameterError(f"There are no generator settings called {settings!r}; use one of {', '.join(SETTINGS)}.")


class Draw:
    """Draws random numbers under a name and remembers each one.

    Parameters
    ----------
    generator: the source of randomness.
    settings: "train" or "unseen"; decides the range of the parameters in `SPLIT_RANGES`.

    Attributes
    ----------
    parameters: every number drawn so far, by name; JSON-able.
    """

    def __init__(self, generator: np.random.Generator, settings: str = "train") -> None:
        check_settings(settings)
        self.generator = generator
        self.settings = settings
        self.parameters: dict[str, float | int | bool | str | list[float]] = {}

    def _keep(self, name, value):
        self.parameters[name] = value
        return value

    def setting(self, name: str) -> float:
        """A uniform draw from the range that the current settings give to `name`."""
        low, high = SPLIT_RANGES[name][self.settings]
        return self.uniform(name, low, high)

    def uniform(self, name: str, low: float, high: float) -> float:
        """A uniform draw in [low, high)."""
        return self._keep(name, float(self.generator.uniform(low, high)))

    def log_uniform(self, name: str, low: float, high: float) -> float:
        """A draw in [low, high) whose logarithm is uniform: for sizes and other scales."""
        return self._keep(name, float(np.exp(self.generator.uniform(np.log(low), np.log(high)))))

    def normal(self, name: str, mean: float, deviation: float, low: float, high: float) -> float:
        """A normal draw clipped to [low, high]."""
        return self._keep(name, float(np.clip(self.generator.normal(mean, deviation), low, high)))

    def integer(self, name: str, low: int, high: int) -> int:
        """A uniform whole number in [low, high], both included."""
        return self._keep(name, int(self.generator.integers(low, high + 1)))

    def chance(self, name: str, probability: float) -> bool:
        """True with the given probability."""
        return self._keep(name, bool(self.generator.random() < probability))

    def choice(self, name: str, options: Sequence[str], weights: Sequence[float] | None = None) -> str:
        """One of several words, all alike or by weight."""
        shares = None if weights is None else np.asarray(weights, float) / np.sum(weights)
        return self._keep(name, str(options[int(self.generator.choice(len(options), p=shares))]))

    def uniforms(self, name: str, count: int, low: float, high: float) -> np.ndarray:
        """`count` uniform draws in [low, high)."""
        values = self.generator.uniform(low, high, count)
        self._keep(name, [float(value) for value in values])
        return values

    def normals(self, name: str, count: int, deviation: float = 1.0) -> np.ndarray:
        """`count` normal draws with mean 0, cut at two and a half deviations so that no outlier breaks an outline."""
        values = np.clip(self.generator.standard_normal(count), -2.5, 2.5) * deviation
        self._keep(name, [float(value) for value in values])
        return values
