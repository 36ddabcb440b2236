"""One move of a corruption's slider: everything the live page shows of an image, computed once and nothing twice.

A :class:`LiveSubject` holds what does not change while the slider moves (the clean frame's moments, answer and map);
:meth:`LiveSubject.move` computes the rest: the corrupted frame, SSIM in both definitions and regions with its map, the
model's answer and class activation map from one forward pass, the detector's answer, and the pictures for the screen.
Similarity and pictures run beside the networks, for OpenCV and TensorFlow let each other.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

import cv2
import numpy as np

from core.corruption import get as get_corruption
from core.corruption.chain import Chain, Step
from core.explain import quick_method
from core.explain.agreement import rank_correlation, top_overlap
from core.explain.rendering import imgify, overlay
from core.images import encode_png
from core.preprocessing import Cleaned, finish
from core.similarity import Reference
from core.zoo.detection import Verdict, judge
from core.zoo.prediction import Classifier, Prediction, to_unit

Result = TypeVar("Result")
PICTURE_SIDE = 448
MAP_SIDE = 320
"""Longer side of the pictures for the screen, of the frame and of maps; everything is computed on the frame itself."""
DIFFERENCE_SHOWN = 128.0
"""Gray levels at which the difference picture reaches its full colour, at every intensity alike."""
CAM_OPACITY = 0.45
DEFINITIONS = ("wang", "skimage")
REGIONS = ("sector", "frame")

# Threads that stay keep the memory that similarity works in.
_beside = ThreadPoolExecutor(2, thread_name_prefix="live")


@dataclass(frozen=True)
class Look:
    """What a model says of one image and where it looked.

    ``image`` (S, S) uint8 is the network's input, ``map`` (S, S) float32 the quick method's for the target.
    """

    image: np.ndarray
    prediction: Prediction
    map: np.ndarray


@dataclass(frozen=True)
class Move:
    """Everything about one corrupted frame.

    Attributes
    ----------
    image : (H, W) uint8
        The corrupted frame at its own resolution.
    ssim : dict
        By (definition, region): ``wang`` or ``skimage``, ``sector`` or ``frame``.
    ssim_map : (H, W) float64
        Wang's SSIM around each pixel.
    look : Look or None
        The model's; None without a model.
    drift, overlap : float or None
        Rank correlation of the map with the clean image's, and overlap of their highest tenth; None without a model or
        where a map is constant.
    verdict : Verdict or None
        The detector's; None without a detector.
    pictures : dict of str to bytes
        PNG files: ``before``, ``after``, ``difference``, ``ssim`` and, with a model, ``cam_before`` and ``cam_after``.
    digests : dict of str to str
        Start of the SHA-256 of the image's bytes, of the four indices, and of the map's bytes.
    seconds : dict of str to float
        By step, and ``total``; steps that ran side by side add up to more.
    """

    image: np.ndarray
    ssim: dict[tuple[str, str], float]
    ssim_map: np.ndarray
    look: Look | None
    drift: float | None
    overlap: float | None
    verdict: Verdict | None
    pictures: dict[str, bytes]
    digests: dict[str, str]
    seconds: dict[str, float] = field(repr=False)


class LiveSubject:
    """A cleaned frame under a slider.

    Parameters
    ----------
    cleaned : Cleaned
    model : Classifier, optional
        Of planes or anatomies; while it loads, there is none.
    detector : Classifier, optional
        Of corruptions.

    Attributes
    ----------
    look : Look or None
        The model's, of the clean frame, with the map of the class it predicts there.
    verdict : Verdict or None
        The detector's, of the clean frame.
    """

    def __init__(self, cleaned: Cleaned, model: Classifier | None = None, detector: Classifier | None = None) -> None:
        self.cleaned = cleaned
        self.model = model
        self.detector = detector
        self._references = {definition: Reference(cleaned.gray, definition) for definition in DEFINITIONS}
        self._target: int | None = None
        self.look = self._looked(cleaned.gray)
        self.verdict = self._judged(cleaned.gray)
        self._pictures = {"before": encode_png(cleaned.gray, max_side=PICTURE_SIDE)}
        if self.look:
            self._pictures["cam_before"] = self._cam_picture(self.look)

    @property
    def target(self) -> str | None:
        """The class whose map is shown before and after: the one predicted for the clean frame."""
        return None if self._target is None else self.model.classes[self._target]

    def move(self, kind: str, intensity: float, seed: int = 0, earlier: Chain | None = None) -> Move:
        """The frame under a corruption, after those of ``earlier``.

        Raises
        ------
        ParameterError
            For an unknown kind or an intensity that is not allowed.
        """
        seconds: dict[str, float] = {}
        started = time.perf_counter()
        steps = (*(earlier.steps if earlier else ()), Step(kind, intensity))
        image = _timed(seconds, "corruption", lambda: Chain(steps).apply(self.cleaned.gray, seed, self.cleaned.sector))
        compared = _beside.submit(self._compared, image, seconds)
        drawn = _beside.submit(_timed, seconds, "pictures", lambda: self._frame_pictures(image))
        look = _timed(seconds, "model", lambda: self._looked(image))
        verdict = _timed(seconds, "detector", lambda: self._judged(image))
        drift, overlap, cam = _timed(seconds, "map", lambda: self._map_beside_clean(look, steps))
        ssim_map, ssim, digests, map_picture = compared.result()
        pictures = self._pictures | drawn.result() | map_picture | cam
        seconds["total"] = time.perf_counter() - started
        return Move(image, ssim, ssim_map, look, drift, overlap, verdict, pictures, digests, seconds)

    def _compared(
        self, image: np.ndarray, seconds: dict[str, float]
    ) -> tuple[np.ndarray, dict[tuple[str, str], float], dict[str, str], dict[str, bytes]]:
        """SSIM's map and values, the digests, and the map's picture."""
        ssim_map, ssim = _timed(seconds, "ssim", lambda: self._similarity(image))
        digests = _timed(seconds, "digests", lambda: _digests(image, ssim, ssim_map))
        picture = _timed(seconds, "map picture", lambda: encode_png(imgify(_reduced(ssim_map), vmin=0.0, vmax=1.0)))
        return ssim_map, ssim, digests, {"ssim": picture}

    def _similarity(self, image: np.ndarray) -> tuple[np.ndarray, dict[tuple[str, str], float]]:
        sector = self.cleaned.sector
        ssim_map, frame, inside = self._references["wang"].measure(image, sector)
        ssim = {("wang", "frame"): frame, ("wang", "sector"): inside}
        ssim["skimage", "frame"], ssim["skimage", "sector"] = self._references["skimage"].ssim_of_both(image, sector)
        return ssim_map, ssim

    def _looked(self, gray: np.ndarray) -> Look | None:
        """The model's answer and map; the first call, with the clean frame, settles whose map it is."""
        if self.model is None:
            return None
        prepared = self._finished(gray, self.model)
        images = to_unit(prepared[None])
        if self._target is None:
            self._target = int(self.model.probabilities(images)[0].argmax())
        logits, pooled, maps = quick_method(self.model.card).look(self.model, images, np.array([self._target]))
        return Look(prepared, self.model.read(logits, pooled), maps[0])

    def _judged(self, gray: np.ndarray) -> Verdict | None:
        if self.detector is None:
            return None
        prediction = self.detector.predict_prepared(self._finished(gray, self.detector)[None])
        return judge(self.detector, prediction)[0]

    def _finished(self, gray: np.ndarray, model: Classifier) -> np.ndarray:
        card = model.card
        return finish(replace(self.cleaned, gray=gray), model.settings, chain=card.input["chain"], size=card.size)

    def _frame_pictures(self, image: np.ndarray) -> dict[str, bytes]:
        """The corrupted frame, and what it gained (red) and lost (blue) in brightness."""
        difference = _reduced(cv2.subtract(image, self.cleaned.gray, dtype=cv2.CV_16S))
        return {
            "after": encode_png(image, max_side=PICTURE_SIDE),
            "difference": encode_png(imgify(difference, symmetric=True, vmax=DIFFERENCE_SHOWN)),
        }

    def _map_beside_clean(
        self, look: Look | None, steps: tuple[Step, ...]
    ) -> tuple[float | None, float | None, dict[str, bytes]]:
        if look is None:
            return None, None, {}
        clean, moved, region = self.look.map, look.map, np.ones(look.map.shape, bool)
        for step in reversed(steps):  # what a crop has moved is laid back where it was
            moved, valid = get_corruption(step.kind).warp_back(moved, step.intensity)
            region &= valid
        picture = {"cam_after": self._cam_picture(look)}
        return rank_correlation(clean, moved, region), top_overlap(clean, moved, region=region), picture

    def _cam_picture(self, look: Look) -> bytes:
        signed = quick_method(self.model.card).is_signed(self.model.card)
        return encode_png(overlay(look.image, look.map, opacity=CAM_OPACITY, symmetric=signed))


def _timed(seconds: dict[str, float], name: str, compute: Callable[[], Result]) -> Result:
    started = time.perf_counter()
    result = compute()
    seconds[name] = time.perf_counter() - started
    return result


def _reduced(values: np.ndarray) -> np.ndarray:
    """A map (H, W) at display size, averaged by area, float32."""
    values = values.astype(np.float32)
    factor = MAP_SIDE / max(values.shape)
    if factor >= 1:
        return values
    size = tuple(max(1, round(side * factor)) for side in values.shape[::-1])
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)


def _digests(image: np.ndarray, ssim: dict[tuple[str, str], float], ssim_map: np.ndarray) -> dict[str, str]:
    parts = {
        "image": np.ascontiguousarray(image),
        "ssim": np.array([ssim[key] for key in sorted(ssim)]),
        "map": np.ascontiguousarray(ssim_map, dtype=np.float32),
    }
    return {name: hashlib.sha256(values).hexdigest()[:16] for name, values in parts.items()}
