"""Two pictures on top of each other with a divider to drag, by mouse, touch or arrow keys."""

from __future__ import annotations

import base64

import numpy as np
import streamlit as st

from core.images import encode_png
from pages.components.pictures import DISPLAY_SIDE

_HTML = """
<figure class="compare">
  <img class="under" draggable="false">
  <img class="over" draggable="false">
  <span class="tag left"></span>
  <span class="tag right"></span>
  <div class="line"></div>
  <input type="range" min="0" max="100" step="0.5" value="50">
</figure>
"""

_CSS = """
.compare { position: relative; margin: 0; width: 100%; background: #000; overflow: hidden;
           border-radius: var(--st-base-radius); touch-action: pan-y; }
.compare img { display: block; width: 100%; user-select: none; }
.compare .over { position: absolute; inset: 0; height: 100%; }
.compare .line { position: absolute; top: 0; bottom: 0; width: 3px; margin-left: -1.5px; pointer-events: none;
                 background: var(--st-primary-color); box-shadow: 0 0 0 1px #fff; }
.compare .tag { position: absolute; top: 6px; padding: 1px 8px; border-radius: 4px; font: 0.8rem var(--st-font);
                color: #fff; background: rgba(0, 0, 0, 0.65); pointer-events: none; }
.compare .left { left: 6px; }
.compare .right { right: 6px; }
.compare input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize; }
.compare:focus-within { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
"""

_JS = """
export default function ({ data, parentElement }) {
  const find = (selector) => parentElement.querySelector(selector)
  const under = find(".under"), over = find(".over"), line = find(".line"), input = find("input")
  under.src = data.after
  over.src = data.before
  under.alt = data.afterLabel
  over.alt = data.beforeLabel
  find(".left").textContent = data.beforeLabel
  find(".right").textContent = data.afterLabel
  input.setAttribute("aria-label", `Divider: ${data.beforeLabel} left, ${data.afterLabel} right`)
  const place = () => {
    over.style.clipPath = `inset(0 ${100 - input.value}% 0 0)`
    line.style.left = `${input.value}%`
  }
  input.oninput = place
  place()
}
"""

_component = st.components.v2.component("planelab_compare", html=_HTML, css=_CSS, js=_JS)


def compare(before: np.ndarray, after: np.ndarray, before_label: str, after_label: str, key: str) -> None:
    """Show ``before`` left of the divider and ``after`` right of it; both (H, W) or (H, W, 3) uint8 of one shape."""
    _component(
        key=key,
        data={
            "before": _data_url(before),
            "after": _data_url(after),
            "beforeLabel": before_label,
            "afterLabel": after_label,
        },
    )


def _data_url(pixels: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(pixels, max_side=DISPLAY_SIDE)).decode("ascii")
