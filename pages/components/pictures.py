"""Pictures on their way to the browser: PNG by OpenCV at display size (Pillow takes six times as long)."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.images import encode_png

DISPLAY_SIDE = 900


def picture(
    pixels: np.ndarray,
    alt: str,
    caption: str | None = None,
    max_side: int = DISPLAY_SIDE,
    link: str | None = None,
) -> None:
    """Show pixels (H, W) or (H, W, 3) uint8 as wide as their column; computing never uses what is shown.

    A click opens ``link``, a path inside the app.
    """
    st.image(
        encode_png(pixels, max_side=max_side), caption=caption, output_format="PNG", width="stretch", alt=alt, link=link
    )


def to_display(pixels: np.ndarray, side: int = 448) -> np.ndarray:
    """Enlarge a small network input (S, S) to a size that does not blur on screen, pixels kept as squares."""
    import cv2

    factor = max(1, side // max(pixels.shape[:2]))
    return cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
