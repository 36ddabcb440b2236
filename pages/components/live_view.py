"""A move of the slider in words: what the board draws of it."""

from __future__ import annotations

from typing import Any

from core.corruption import get as get_corruption
from core.corruption.severity import LEVELS, severity_of
from core.live import LiveSubject, Move
from core.sweep import ImageSweep

GAUGES = {
    "wang": ("SSIM (Wang)", "Gaussian window of 11 x 11 pixels, sigma 1.5, as Wang et al. 2004 defined it."),
    "skimage": (
        "SSIM (scikit-image)",
        "scikit-image's default, a uniform window of 7 x 7 pixels: say which you mean.",
    ),
}
NO_DETECTOR = "None is installed yet; python -m core train --task corruption makes one."


def board_of(
    subject: LiveSubject, move: Move, kind: str, intensity: float, region: str, sweep: ImageSweep | None
) -> dict[str, Any]:
    """What :func:`pages.components.live_board.live_board` shows of a move, beside its pictures."""
    return {
        "kind": kind,
        "intensity": intensity,
        "captions": _captions(subject, kind, intensity),
        "gauges": [
            {"label": label, "help": text, "value": move.ssim[name, region], "text": f"{move.ssim[name, region]:.3f}"}
            for name, (label, text) in GAUGES.items()
        ],
        "bars": _bars(subject, move),
        "says": _says(subject, move, kind, intensity, sweep),
        "digests": move.digests,
    }


def _captions(subject: LiveSubject, kind: str, intensity: float) -> dict[str, str]:
    captions = {
        "after": f"Distorted: {get_corruption(kind).amount(intensity)}. Drag from its left edge for the clean image.",
        "difference": "Difference: red brighter, blue darker",
        "ssim": "SSIM map (Wang): yellow unchanged, blue lost",
    }
    if subject.target:
        captions["cam_before"] = f"Clean: what speaks for {subject.target}"
        captions["cam_after"] = f"Distorted: what speaks for {subject.target}"
    return captions


def _bars(subject: LiveSubject, move: Move) -> list[dict[str, Any]]:
    if move.look is None:
        return []
    before, after = subject.look.prediction, move.look.prediction
    return [
        {"label": name, "before": float(clean), "after": float(now), "now": name == after.labels[0]}
        for name, clean, now in zip(after.classes, before.probabilities[0], after.probabilities[0], strict=True)
    ]


def _says(
    subject: LiveSubject, move: Move, kind: str, intensity: float, sweep: ImageSweep | None
) -> list[dict[str, Any]]:
    lines = []
    if move.look is not None:
        lines.append(_prediction(subject, move, kind, sweep))
        lines.append(_drift(move))
    lines.append(_verdict(subject, move))
    frame = get_corruption(kind).in_frame(intensity, move.image.shape)
    severity = f"severity {severity_of(kind, intensity):.1f} of {LEVELS}; in this frame {frame}"
    lines.append(_line("Intensity:", f"{severity}."))
    return lines


def _prediction(subject: LiveSubject, move: Move, kind: str, sweep: ImageSweep | None) -> dict[str, Any]:
    before, after = subject.look.prediction.labels[0], move.look.prediction.labels[0]
    confidence = 100 * move.look.prediction.confidence[0]
    text = f"{before} → {after}, {confidence:.1f} %"
    if sweep is not None and sweep.flip is not None:
        text += f"; flips at {get_corruption(kind).amount(sweep.flip)}"
    elif sweep is not None:
        text += "; stays over the whole range"
    if move.look.prediction.unlike_training[0]:
        text += "; unlike the training images"
    return _line("Prediction:", f"{text}.", alarm=before != after)


def _drift(move: Move) -> dict[str, Any]:
    if move.drift is None or move.overlap is None:
        return _line("Explanation drift:", "a map without any order cannot be compared.")
    return _line(
        "Explanation drift:",
        f"rank correlation of the two maps {move.drift:.2f}, overlap of their tops {100 * move.overlap:.0f} %.",
    )


def _verdict(subject: LiveSubject, move: Move) -> dict[str, Any]:
    if move.verdict is None:
        return _line("Detector:", NO_DETECTOR)
    now, clean = move.verdict, subject.verdict
    if now.is_corrupted:
        found = "; ".join(f"{finding.text}, {100 * finding.probability:.0f} %" for finding in now.findings)
    else:
        found = f"{now.label}: {now.reason.rstrip('.')}"
    return _line("Detector:", f"{found} (of the clean image: {clean.label}).", alarm=now.is_corrupted)


def _line(title: str, text: str, alarm: bool = False) -> dict[str, Any]:
    return {"title": title, "text": text, "alarm": bool(alarm)}
