"""A slider that follows the finger: the page is drawn while it moves, not only once it is let go.

The browser sends a move and waits for its answer; of the moves in between it keeps the newest alone and sends that when
the answer arrives. So at most one request is under way, none queues, and the last value always comes through, however
slow the server: a wait for rest (debounce) or a fixed pace (throttle) starve or pile up where an answer takes longer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

_HTML = """
<div class="live">
  <div class="head"><label></label><output></output></div>
  <div class="row">
    <button class="play" type="button"></button>
    <div class="track">
      <div class="marks above" aria-hidden="true"></div>
      <input type="range">
      <div class="marks below" aria-hidden="true"></div>
    </div>
  </div>
</div>
"""

_CSS = """
.live { font-family: var(--st-font); color: var(--st-text-color); font-size: 0.875rem; }
.head { display: flex; justify-content: space-between; gap: 1rem; }
.head output { font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
.row { display: flex; align-items: center; gap: 0.75rem; }
.track { flex: 1; min-width: 0; }
.play { width: 2.2rem; height: 2.2rem; flex: none; border-radius: 50%; border: 1px solid var(--st-border-color);
        background: var(--st-secondary-background-color); color: var(--st-text-color); cursor: pointer;
        font-size: 0.8rem; line-height: 1; }
.play:hover { border-color: var(--st-primary-color); }
.play:focus-visible, input:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
input { width: 100%; height: 1.75rem; margin: 0; accent-color: var(--st-primary-color); cursor: pointer;
        border-radius: 4px; touch-action: pan-y; }
.marks { position: relative; height: 1.05rem; margin: 0 8px; font-size: 0.72rem; opacity: 0.85; }
.marks span { position: absolute; transform: translateX(-50%); white-space: nowrap; line-height: 1.05rem; }
.marks span.first { transform: translateX(-8px); }
.marks span.last { transform: translateX(calc(8px - 100%)); }
.marks.above:empty { display: none; }
"""

_JS = """
const ANSWER_LOST_MS = 30000
const REST_MS = 300
const PLAY_MS = 8000
const states = new WeakMap()

export default function ({ data, parentElement, setStateValue }) {
  const find = (selector) => parentElement.querySelector(selector)
  const root = find(".live"), input = find("input"), button = find(".play")
  let state = states.get(parentElement)
  if (!state) {
    state = { serial: data.serial, underWay: null, next: null, held: false }
    states.set(parentElement, state)
  }

  const text = (value) => `${Number(Number(value).toPrecision(3))} ${data.unit}`
  const show = () => {
    find("output").textContent = text(input.value)
    input.setAttribute("aria-valuetext", text(input.value))
  }
  const send = (move) => {
    state.serial += 1
    state.underWay = state.serial
    state.next = null
    clearTimeout(state.lost)
    state.lost = setTimeout(() => state.answered(state.underWay), ANSWER_LOST_MS)
    setStateValue("move", { ...move, serial: state.serial })
  }
  const offer = (settled) => {
    const move = { value: Number(input.value), settled }
    if (state.underWay === null) send(move)
    else state.next = move
  }
  // Kept in the state, so that a timer set by an earlier run calls this run's functions.
  state.offer = offer
  state.answered = (serial) => {
    if (state.underWay === null || serial < state.underWay) return
    state.underWay = null
    clearTimeout(state.lost)
    if (state.next) send(state.next)
  }
  const moved = () => {
    show()
    offer(false)
    clearTimeout(state.rest)
    state.rest = setTimeout(() => { state.rest = null; state.offer(true) }, REST_MS)
  }
  state.moved = moved
  const rests = () =>
    state.underWay === null && !state.next && !state.rest && !state.held && !state.playing
  const stop = () => {
    clearInterval(state.playing)
    state.playing = null
    drawButton()
  }
  const drawButton = () => {
    button.textContent = state.playing ? "\\u23F8" : "\\u25B6"
    button.setAttribute("aria-label", state.playing ? "Stop" : "Play: run the intensity up")
    button.title = button.getAttribute("aria-label")
  }
  const play = () => {
    const from = Number(input.value) >= data.high ? data.low : Number(input.value)
    const started = performance.now()
    state.playing = setInterval(() => {
      const value = from + (data.high - data.low) * (performance.now() - started) / PLAY_MS
      input.value = value
      state.moved()
      if (value >= data.high) state.stop()
    }, 50)
    drawButton()
  }
  state.stop = stop

  find("label").textContent = data.label
  input.id = "live-input"
  find("label").htmlFor = input.id
  input.setAttribute("aria-label", data.label)
  input.min = data.low
  input.max = data.high
  input.step = data.step
  input.oninput = moved
  input.onpointerdown = () => { state.held = true; stop() }
  // Held still for a moment, the slider has its last answer already, and nothing else would say that it rests now.
  input.onpointerup = input.onpointercancel = () => { state.held = false; root.dataset.resting = rests() }
  input.onkeydown = () => { if (state.playing) stop() }
  button.onclick = () => (state.playing ? stop() : play())
  drawButton()
  for (const side of ["above", "below"]) {
    find(`.${side}`).replaceChildren(...data.marks.filter((mark) => mark.side === side).map((mark) => {
      const label = document.createElement("span")
      const share = (mark.value - data.low) / (data.high - data.low)
      label.textContent = mark.text
      label.title = mark.title
      label.style.left = `${100 * share}%`
      label.className = share < 0.08 ? "first" : share > 0.92 ? "last" : ""
      return label
    }))
  }

  state.answered(data.serial)
  const atRest = rests()
  if (atRest || !state.drawn) input.value = data.value
  state.drawn = true
  show()
  root.dataset.answered = data.serial
  root.dataset.resting = atRest
  return () => {
    clearTimeout(state.lost)
    clearTimeout(state.rest)
    clearInterval(state.playing)
    states.delete(parentElement)
  }
}
"""

_component = st.components.v2.component("planelab_live_slider", html=_HTML, css=_CSS, js=_JS)


@dataclass(frozen=True)
class Mark:
    """A label along the slider, above or below it."""

    value: float
    text: str
    title: str
    side: str = "below"


@dataclass(frozen=True)
class Moved:
    """What the browser last sent: the value, whether it has come to rest, and the request's number."""

    value: float | None = None
    settled: bool = True
    serial: int = 0


def moved(key: str, low: float, high: float) -> Moved:
    """The last move of the slider under ``key``; what is no number is dropped, what lies outside is brought back."""
    state = st.session_state.get(key)
    sent = state.get("move") if isinstance(state, dict) else None
    if not isinstance(sent, dict):
        return Moved()
    serial = sent.get("serial")
    serial = serial if isinstance(serial, int) and not isinstance(serial, bool) else 0
    value = sent.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return Moved(serial=serial)
    return Moved(min(max(float(value), low), high), sent.get("settled") is not False, serial)


def live_slider(
    label: str,
    low: float,
    high: float,
    *,
    step: float,
    value: float,
    unit: str,
    marks: Sequence[Mark],
    key: str,
    on_move: Callable[[], Any],
) -> None:
    """Show the slider; to be called last in its fragment, for being drawn is what tells it that its move is answered.

    ``on_move`` runs before the fragment does and reads :func:`moved`.
    """
    _component(
        key=key,
        data={
            "label": label,
            "low": low,
            "high": high,
            "step": step,
            "value": value,
            "unit": unit,
            "marks": [asdict(mark) for mark in marks],
            "serial": moved(key, low, high).serial,
        },
        on_move_change=on_move,
    )
