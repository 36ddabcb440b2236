"""Curves against intensity on which the current point moves with the slider.

Drawn by the browser from a few numbers: building a Plotly figure takes longer than a whole move.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
import streamlit as st

from core.figures import BLUE, CLASS_COLOURS, NEUTRAL, ORANGE
from core.sweep import ImageSweep, SampleSweep

_HTML = """
<div class="curves"></div>
"""

_CSS = """
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); gap: 1rem;
          font-family: var(--st-font); color: var(--st-text-color); font-size: 0.82rem; }
figure { margin: 0; min-width: 0; max-width: 560px; }
figcaption b { display: block; font-size: 0.95rem; }
svg { width: 100%; display: block; touch-action: pan-y; }
svg text { fill: var(--st-text-color); font-size: 11px; }
.grid { stroke: var(--st-border-color); stroke-width: 1; }
.now { stroke: #009E73; stroke-width: 2; }
.flip { stroke: #D55E00; stroke-width: 1.5; stroke-dasharray: 3 3; }
.read { min-height: 1.2em; font-variant-numeric: tabular-nums; font-size: 0.76rem; }
.legend { font-size: 0.76rem; }
.legend span { margin-right: 0.9em; white-space: nowrap; }
.legend i { display: inline-block; width: 1.1em; height: 0.25em; margin-right: 0.35em; vertical-align: middle; }
"""

_JS = """
const WIDTH = 460, HEIGHT = 220, LEFT = 30, RIGHT = 8, TOP = 16, BOTTOM = 34
const drawn = new WeakMap()

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".curves")
  const content = JSON.stringify(data.curves)
  if (drawn.get(root) !== content) {
    root.replaceChildren(...data.curves.map((curve) => draw(curve, data.axis)))
    drawn.set(root, content)
  }
  data.curves.forEach((curve, index) => point(root.children[index], curve, data.current))
}

const place = (curve, value) => {
  const first = curve.x[0], last = curve.x.at(-1)
  return LEFT + (WIDTH - LEFT - RIGHT) * (value - first) / (last - first)
}
const height = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value)
const shape = (name, attributes, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  if (text !== undefined) element.textContent = text
  return element
}
const made = (tag, name, text) => {
  const element = document.createElement(tag)
  if (name) element.className = name
  if (text !== undefined) element.textContent = text
  return element
}
const short = (value) => String(Number(Number(value).toPrecision(3)))

function draw(curve, axis) {
  const figure = made("figure"), caption = made("figcaption")
  caption.append(made("b", "", curve.title), curve.note)
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": curve.alt })
  for (const level of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(shape("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: height(level), y2: height(level) }))
    svg.append(shape("text", { x: LEFT - 5, y: height(level) + 4, "text-anchor": "end" }, short(level)))
  }
  const last = curve.x.at(-1)
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const anchor = share === 1 ? "end" : "middle"
    svg.append(shape("text", { x: place(curve, share * last), y: HEIGHT - BOTTOM + 14, "text-anchor": anchor },
                     short(share * last)))
  }
  svg.append(shape("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, axis))
  for (const series of curve.series) {
    const points = (values) => values.map((value, index) => `${place(curve, curve.x[index])},${height(value)}`)
    if (series.low.length) {
      const band = [...points(series.high), ...points(series.low).reverse()].join(" ")
      svg.append(shape("polygon", { points: band, fill: series.colour, opacity: 0.18 }))
    }
    svg.append(shape("polyline", { points: points(series.values).join(" "), fill: "none", stroke: series.colour,
                                   "stroke-width": 2, "stroke-dasharray": series.dashed ? "6 4" : "none" }))
  }
  if (curve.flip !== null) {
    const x = place(curve, curve.flip)
    svg.append(shape("line", { class: "flip", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }),
               shape("text", { x, y: TOP - 4, "text-anchor": x > WIDTH - 40 ? "end" : "middle" }, "flips"))
  }
  const now = shape("g", { class: "point" })
  svg.append(now)
  const legend = made("div", "legend")
  for (const series of curve.series) {
    const item = made("span"), colour = made("i")
    colour.style.background = series.colour
    item.append(colour, series.name)
    legend.append(item)
  }
  const read = made("div", "read")
  svg.onpointermove = (event) => {
    const box = svg.getBoundingClientRect()
    const inside = (event.clientX - box.left) / box.width * WIDTH
    const share = (inside - LEFT) / (WIDTH - LEFT - RIGHT)
    tell(read, curve, Math.min(Math.max(share, 0), 1) * last)
  }
  svg.onpointerleave = () => tell(read, curve, figure.current)
  figure.append(caption, svg, legend, read)
  return figure
}

function at(curve, values, x) {
  const after = Math.max(1, curve.x.findIndex((value) => value >= x))
  const low = curve.x[after - 1], high = curve.x[after]
  return values[after - 1] + (values[after] - values[after - 1]) * (x - low) / (high - low)
}

function tell(read, curve, x) {
  const values = curve.series.map((series) => `${series.name} ${at(curve, series.values, x).toFixed(2)}`)
  read.textContent = `At ${short(x)}: ${values.join(", ")}`
}

function point(figure, curve, current) {
  figure.current = current
  const x = place(curve, current)
  figure.querySelector(".point").replaceChildren(
    shape("line", { class: "now", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }),
    ...curve.series.map((series) => shape("circle", {
      cx: x, cy: height(at(curve, series.values, current)), r: 4, fill: series.colour, stroke: "#fff",
    })))
  tell(figure.querySelector(".read"), curve, current)
}
"""

_component = st.components.v2.component("planelab_live_curves", html=_HTML, css=_CSS, js=_JS)


@dataclass(frozen=True)
class Series:
    """One line, values in [0, 1], with its band where it has one."""

    name: str
    colour: str
    values: list[float]
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    dashed: bool = False


@dataclass(frozen=True)
class Curve:
    """Lines over intensities ``x`` that start at 0, a sentence on them, and where the prediction flips if it does."""

    title: str
    note: str
    alt: str
    x: list[float]
    series: list[Series]
    flip: float | None = None


def curve_of_image(sweep: ImageSweep, classes: list[str], note: str) -> Curve:
    """Probabilities and SSIM of one image."""
    lines = [
        Series(name, colour, _numbers(values))
        for name, values, colour in zip(classes, sweep.probabilities.T, CLASS_COLOURS, strict=False)
    ]
    lines.append(Series("SSIM (sector)", NEUTRAL, _numbers(sweep.ssim), dashed=True))
    alt = "Probabilities and similarity of this image against intensity"
    return Curve("This image", note, alt, _numbers(sweep.intensities), lines, sweep.flip)


def curve_of_sample(sweep: SampleSweep, note: str) -> Curve:
    """Accuracy with its interval and SSIM with its spread."""
    shares = sweep.accuracy
    accuracy = [[getattr(share, part) for share in shares] for part in ("value", "low", "high")]
    similarity = [_numbers(values) for values in (sweep.ssim_mean, sweep.ssim_low, sweep.ssim_high)]
    lines = [
        Series("accuracy (95 % interval)", BLUE, *accuracy),
        Series("SSIM (5th to 95th percentile)", ORANGE, *similarity),
    ]
    alt = "Accuracy and similarity over a sample of phantoms against intensity"
    return Curve("A sample of simulated images", note, alt, _numbers(sweep.intensities), lines)


def live_curves(curves: list[Curve], axis: str, current: float, *, key: str) -> None:
    """Show curves side by side with the current intensity on each."""
    _component(key=key, data={"curves": [asdict(curve) for curve in curves], "axis": axis, "current": current})


def _numbers(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]
