"""All that a move of the slider changes, as one element: pictures, gauges and answers are always of the same move."""

from __future__ import annotations

import base64
from typing import Any

import streamlit as st

_HTML = """
<section class="board" aria-label="The image under the distortion">
  <div class="pictures">
    <figure class="after">
      <div class="frame divided">
        <img class="over" draggable="false"><img class="under" draggable="false">
        <div class="line"></div>
        <input type="range" min="0" max="100" step="0.5" value="0" aria-label="Divider: clean left, distorted right">
      </div><figcaption></figcaption>
    </figure>
    <figure class="difference"><div class="frame"><img></div><figcaption></figcaption></figure>
    <figure class="ssim"><div class="frame"><img></div><figcaption></figcaption></figure>
  </div>
  <div class="answers">
    <div class="numbers">
      <div class="gauges"></div>
      <div class="bars"></div>
    </div>
    <div class="maps">
      <figure class="cam_before"><div class="frame square"><img></div><figcaption></figcaption></figure>
      <figure class="cam_after"><div class="frame square"><img></div><figcaption></figcaption></figure>
    </div>
    <ul class="says"></ul>
  </div>
  <output class="hidden"></output>
</section>
"""

_CSS = """
.board { font-family: var(--st-font); color: var(--st-text-color); font-size: 0.82rem; line-height: 1.3;
         container-type: inline-size; }
.hidden, .gone { display: none !important; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: 0.75rem; opacity: 0.85; margin-top: 2px; }
.frame { position: relative; background: #000; border-radius: var(--st-base-radius); overflow: hidden; }
.frame img { display: block; width: 100%; height: min(31vh, 26cqw); min-height: 150px; object-fit: contain;
             user-select: none; }
.frame.square img { height: min(26vh, 17cqw); min-height: 120px; }
.divided .under { position: absolute; inset: 0; clip-path: inset(0 100% 0 0); background: #000; }
.divided .line { position: absolute; top: 0; bottom: 0; width: 3px; left: 0; background: var(--st-primary-color);
                 box-shadow: 0 0 0 1px #fff; pointer-events: none; }
.divided input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize;
                 touch-action: pan-y; }
.divided:focus-within { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.pictures { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 0.6rem; }
.answers { display: grid; grid-template-columns: minmax(0, 1.1fr) minmax(0, 1.2fr) minmax(0, 1.1fr); gap: 0.8rem;
           margin-top: 0.6rem; }
.maps { display: grid; grid-template-columns: 1fr 1fr; gap: 0.4rem; align-content: start; }
.gauges { display: grid; grid-template-columns: 1fr 1fr; gap: 0.6rem; margin-bottom: 0.4rem; }
.gauge b { display: block; font-size: 1.35rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.gauge small { opacity: 0.85; }
.meter, .bar { background: var(--st-secondary-background-color); border-radius: 3px; overflow: hidden; }
.meter { height: 6px; }
.meter i, .bar i { display: block; height: 100%; }
.meter i { background: var(--st-primary-color); }
.bar { height: 8px; margin: 1px 0; }
.bars .class { display: grid; grid-template-columns: minmax(3rem, auto) 1fr 6.2rem; gap: 0.5rem; align-items: center;
               margin: 2px 0; }
.bars .now { font-weight: 700; }
.bars .value { font-variant-numeric: tabular-nums; white-space: nowrap; font-size: 0.75rem; }
.bars .clean i, .key .clean { background: #0072B2; }
.bars .distorted i, .key .distorted { background: #E69F00; }
.key { font-size: 0.72rem; opacity: 0.9; }
.key i { display: inline-block; width: 0.7em; height: 0.7em; margin: 0 0.3em 0 0.6em; border-radius: 2px; }
.says { margin: 0; padding: 0; list-style: none; }
.says li { margin-bottom: 0.35rem; }
.says b { font-weight: 650; }
.says .alarm { border-left: 3px solid #D55E00; padding-left: 0.5rem; }
@container (max-width: 640px) {
  .pictures { grid-template-columns: 1fr 1fr; }
  .pictures .after { grid-column: 1 / -1; }
  .answers { grid-template-columns: 1fr; }
  .frame img { min-height: 110px; height: auto; }
  .frame.square img { height: auto; }
}
"""

_JS = """
export default function ({ data, parentElement }) {
  const find = (selector) => parentElement.querySelector(selector)
  const make = (tag, name, text) => {
    const element = document.createElement(tag)
    if (name) element.className = name
    if (text !== undefined) element.textContent = text
    return element
  }
  const filled = (name, share, colour) => {
    const outer = make("div", name), inner = make("i")
    inner.style.width = `${100 * Math.min(Math.max(share, 0), 1)}%`
    outer.append(inner)
    return outer
  }
  const url = (name) => `data:image/png;base64,${data.pictures[name]}`

  find(".over").src = url("after")
  find(".over").alt = data.captions.after
  find(".under").src = url("before")
  find(".under").alt = "The clean image"
  const divider = find(".divided input")
  const place = () => {
    find(".under").style.clipPath = `inset(0 ${100 - divider.value}% 0 0)`
    find(".line").style.left = `${divider.value}%`
  }
  divider.oninput = place
  place()
  for (const name of ["after", "difference", "ssim", "cam_before", "cam_after"]) {
    const figure = find(`figure.${name}`)
    figure.classList.toggle("gone", !(name in data.pictures))
    figure.querySelector("figcaption").textContent = data.captions[name] ?? ""
    const image = figure.querySelector("img")
    if (name !== "after" && name in data.pictures) {
      image.src = url(name)
      image.alt = data.captions[name]
    }
  }
  find(".gauges").replaceChildren(...data.gauges.map((gauge) => {
    const box = make("div", "gauge")
    box.title = gauge.help
    const meter = filled("meter", gauge.value)
    meter.setAttribute("role", "meter")
    meter.setAttribute("aria-label", gauge.label)
    meter.setAttribute("aria-valuemin", 0)
    meter.setAttribute("aria-valuemax", 1)
    meter.setAttribute("aria-valuenow", gauge.text)
    box.append(make("small", "", gauge.label), make("b", "", gauge.text), meter)
    return box
  }))
  const key = make("div", "key")
  key.append("Probability", make("i", "clean"), "clean", make("i", "distorted"), "distorted")
  find(".bars").replaceChildren(...(data.bars.length ? [key] : []), ...data.bars.map((bar) => {
    const row = make("div", bar.now ? "class now" : "class")
    const pair = make("div")
    const clean = filled("bar clean", bar.before), distorted = filled("bar distorted", bar.after)
    pair.append(clean, distorted)
    row.append(make("span", "", bar.label), pair,
               make("span", "value", `${bar.before.toFixed(3)} \\u2192 ${bar.after.toFixed(3)}`))
    return row
  }))
  find(".says").replaceChildren(...data.says.map((line) => {
    const item = make("li", line.alarm ? "alarm" : "")
    item.append(make("b", "", `${line.title} `), line.text)
    return item
  }))
  const board = find(".board"), record = find("output")
  board.dataset.kind = data.kind
  board.dataset.intensity = data.intensity
  for (const [name, value] of Object.entries(data.digests)) board.dataset[name] = value
  record.textContent = `${data.kind} ${data.intensity} ${Object.values(data.digests).join(" ")}`
}
"""

_component = st.components.v2.component("planelab_live_board", html=_HTML, css=_CSS, js=_JS)


def live_board(pictures: dict[str, bytes], *, key: str, **shown: Any) -> None:
    """Show a move.

    Parameters
    ----------
    pictures : dict of str to bytes
        PNG files as :attr:`core.live.Move.pictures` names them; those of the map may be missing.
    shown
        ``kind``, ``intensity``, ``captions`` (by picture), ``gauges``, ``bars``, ``says`` (lists of what the board
        draws, already worded) and ``digests``.
    """
    encoded = {name: base64.b64encode(picture).decode("ascii") for name, picture in pictures.items()}
    _component(key=key, data={"pictures": encoded, **shown})
