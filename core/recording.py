"""A corruption growing from nothing to its usual maximum, as an animated GIF that plays everywhere.

Each picture shows the corrupted frame, SSIM's map beside it, and a caption with intensity, SSIM and prediction.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from core.corruption import get as get_corruption
from core.corruption.chain import Chain
from core.errors import ParameterError
from core.explain.rendering import imgify
from core.live import LiveSubject, Move

Progress = Callable[[float], None]
STEPS = 24
PANEL_SIDE = 320
MILLISECONDS = 250
LAST_MILLISECONDS = 1500
GAP = 6
LINE = 19
MARGIN = 5
GRAYS = 128
"""Half of a GIF's 256 colours are grays, the other half the map's: no dithering, and small files."""


def record(
    subject: LiveSubject,
    kind: str,
    *,
    seed: int = 0,
    earlier: Chain | None = None,
    steps: int = STEPS,
    progress: Progress = lambda share: None,
) -> bytes:
    """Run a corruption up over a frame and return the GIF.

    Parameters
    ----------
    subject : LiveSubject
    kind : str
        Of the corruption; its intensity goes from 0 to the slider's maximum.
    seed, earlier
        As for :meth:`LiveSubject.move`.
    steps : int
        Pictures, at least two.
    progress : callable
        Called with the share done; it may raise :class:`core.errors.Cancelled`.

    Raises
    ------
    ParameterError
        For an unknown kind or fewer than two steps.
    """
    corruption = get_corruption(kind)
    if steps < 2:
        raise ParameterError(f"A recording needs at least 2 steps, not {steps}.")
    pictures = []
    for index, intensity in enumerate(np.linspace(0, corruption.slider_maximum, steps).tolist()):
        move = subject.move(kind, intensity, seed, earlier)
        pictures.append(_picture(move, caption(subject, move, kind, intensity, earlier)))
        progress((index + 1) / steps)
    return _gif(pictures)


def caption(
    subject: LiveSubject, move: Move, kind: str, intensity: float, earlier: Chain | None = None
) -> tuple[str, str]:
    """Two lines under a picture: the corruption with its intensity; SSIM and prediction."""
    corruption = get_corruption(kind)
    first = f"{corruption.title}: {corruption.amount(intensity)}"
    if earlier and earlier.steps:
        first = f"{earlier.title}, then {first}"
    second = f"SSIM {move.ssim['wang', 'sector']:.3f} in the sector"
    if move.look:
        answer = move.look.prediction
        second += f" - {subject.look.prediction.labels[0]} -> {answer.labels[0]} {100 * answer.confidence[0]:.0f} %"
    return first, second


def _picture(move: Move, lines: tuple[str, str]) -> Image.Image:
    """One picture in the recording's own palette."""
    frame = _panel(move.image.astype(np.float32) / 255)
    ssim_map = _panel(np.clip(move.ssim_map, 0, 1).astype(np.float32))
    height, width = frame.shape
    canvas = np.zeros((height + 2 * LINE + 2 * MARGIN, 2 * width + GAP), np.uint8)
    canvas[:height, :width] = np.rint(frame * (GRAYS - 1))
    canvas[:height, width + GAP :] = GRAYS + np.rint(ssim_map * (GRAYS - 1))
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    # Without anti-aliasing, whose in-between values would be other colours.
    draw.fontmode = "1"
    for number, line in enumerate(lines):
        place = (MARGIN, height + MARGIN + number * LINE)
        draw.text(place, line, fill=GRAYS - 1, font=_font(draw, line, canvas.shape[1] - 2 * MARGIN))
    picture.putpalette(_palette())
    return picture


def _font(draw: ImageDraw.ImageDraw, line: str, width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The largest size up to 14 at which the line fits."""
    for size in range(14, 7, -1):
        font = ImageFont.load_default(size)
        if draw.textlength(line, font=font) <= width:
            break
    return font


def _panel(values: np.ndarray) -> np.ndarray:
    factor = PANEL_SIDE / max(values.shape)
    size = tuple(max(1, round(side * factor)) for side in values.shape[::-1])
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


def _palette() -> bytes:
    ramp = np.linspace(0, 1, GRAYS, dtype=np.float32)
    grays = np.repeat(np.rint(255 * ramp).astype(np.uint8)[:, None], 3, axis=1)
    return np.concatenate([grays, imgify(ramp[None], vmin=0.0, vmax=1.0)[0]]).tobytes()


def _gif(pictures: list[Image.Image]) -> bytes:
    stream = io.BytesIO()
    durations = [MILLISECONDS] * (len(pictures) - 1) + [LAST_MILLISECONDS]
    first, *others = pictures
    first.save(stream, "GIF", save_all=True, append_images=others, duration=durations, loop=0, optimize=False)
    return stream.getvalue()
